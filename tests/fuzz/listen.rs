//! URLs to listen on: what is read is an address, and reads the same when it is shown.

#![cfg_attr(feature = "libfuzzer", no_main)]

use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt as _;

use mercury::config::{Endpoint, Listen};

mercury_fuzz::target!(check);

fn check(input: &[u8]) {
    let Ok(url) = std::str::from_utf8(input) else { return };
    let listen = match Listen::parse(url) {
        Ok(listen) => listen,
        Err(error) => {
            assert!(error.to_string().len() < url.len() + 120, "{error}");
            return;
        }
    };
    assert_eq!(listen.url, url);
    let (scheme, rest) = url.split_once("://").expect("it was read");
    assert!(!rest.contains('#'), "{url}");
    let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
    assert_eq!(listen.tls.is_some(), scheme.eq_ignore_ascii_case("https"), "{url}");
    let says_reuse = query.split('&').any(|parameter| parameter.starts_with("reuse="));
    assert!(says_reuse || !listen.reuse, "{url}");
    // it is in its own way, unless it may be there twice
    let is_alone = listen.check_beside(&listen).is_err();
    match &listen.endpoint {
        Endpoint::Tcp { address, dual_stack } => {
            let is_every_address = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            assert_eq!(*dual_stack, is_every_address);
            assert!(!location.contains('@'), "{url}");
            let port = match location.trim_end_matches('/').rsplit_once(':') {
                Some((_, port)) if !port.contains(']') => port,
                _ => "3000",
            };
            assert!(port.bytes().all(|byte| byte.is_ascii_digit()), "{url}");
            assert_eq!(port.parse(), Ok(address.port()), "{url}");
            assert_eq!(is_alone, address.port() != 0 && !listen.reuse, "{url}");
        }
        Endpoint::Unix { path, mode } => {
            let path = path.as_os_str().as_bytes();
            assert!((1..108).contains(&path.len()) && !path.contains(&0), "{url}");
            assert!(mode.is_none_or(|mode| mode <= 0o777 && mode & 0o222 != 0), "{url}");
            assert!(is_alone, "{url}");
        }
    }
    for port in [None, Some(9)] {
        let shown = listen.bound(port);
        let certificate = if listen.tls.is_some() { "?cert=a&key=b" } else { "" };
        let again = Listen::parse(&format!("{shown}{certificate}")).expect("what is shown is read");
        match (&again.endpoint, &listen.endpoint) {
            (
                Endpoint::Tcp { address: again, dual_stack: again_all },
                Endpoint::Tcp { address, dual_stack },
            ) => {
                assert_eq!((again.ip(), again_all), (address.ip(), dual_stack), "{url}");
                assert_eq!(again.port(), port.unwrap_or(address.port()), "{url}");
            }
            (Endpoint::Unix { path: again, .. }, Endpoint::Unix { path, .. }) => {
                assert_eq!(again, path, "{url}");
            }
            _ => panic!("{url} is shown as {shown}"),
        }
        assert_eq!(again.bound(port), shown);
    }
}
