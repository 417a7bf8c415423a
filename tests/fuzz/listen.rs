//! URLs to listen on: what is read is an address, and reads the same when it is shown.

#![cfg_attr(feature = "libfuzzer", no_main)]

use std::net::{IpAddr, Ipv6Addr};

use mercury::config::Listen;

mercury_fuzz::target!(check);

fn check(input: &[u8]) {
    let Ok(url) = std::str::from_utf8(input) else { return };
    let listen = match Listen::parse(url) {
        Ok(listen) => listen,
        Err(error) => {
            assert!(error.to_string().len() < url.len() + 100, "{error}");
            return;
        }
    };
    assert_eq!(listen.url, url);
    let is_every_address = listen.address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    assert_eq!(listen.dual_stack, is_every_address);
    let (_, rest) = url.split_once("://").expect("it was read");
    assert!(!rest.contains(['#', '@']), "{url}");
    let port = match rest.trim_end_matches(['/', '?', '&']).rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => port,
        _ => "3000",
    };
    assert!(port.bytes().all(|byte| byte.is_ascii_digit()), "{url}");
    assert_eq!(port.parse(), Ok(listen.address.port()), "{url}");
    let shown = listen.bound(listen.address.port());
    let again = Listen::parse(&shown).expect("what is shown can be read");
    assert_eq!((again.address, again.dual_stack), (listen.address, listen.dual_stack), "{url}");
    assert_eq!(again.bound(listen.address.port()), shown);
    let other = Listen::parse(&listen.bound(9)).expect("what is shown can be read");
    assert_eq!((other.address.ip(), other.address.port()), (listen.address.ip(), 9));
}
