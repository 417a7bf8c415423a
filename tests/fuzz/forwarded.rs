//! X-Forwarded-For and Forwarded: what strangers write does not change whom a proxy names.
//!
//! The lines of an input are those of the field, in order.

#![cfg_attr(feature = "libfuzzer", no_main)]

use mercury::config::{ForwardedField, Proxies};
use mercury::fuzz::client;

mercury_fuzz::target!(check);

/// Where the request came from.
const PEER: &str = "127.0.0.1";

fn check(input: &[u8]) {
    let lines: Vec<_> = input.split(|byte| *byte == b'\n').collect();
    // each with what a proxy adds, and how that is shown; the second one's client is a proxy, too
    for (field, additions) in [
        (
            ForwardedField::XForwardedFor,
            [("203.0.113.9", "203.0.113.9"), ("[2001:db8::7]:80, 10.0.0.1", "[2001:db8::7]:80")],
        ),
        (
            ForwardedField::Forwarded,
            [
                ("for=203.0.113.9;proto=\"a,b\"", "203.0.113.9"),
                ("for=\"[2001:db8::7]:80\", For=10.0.0.1", "[2001:db8::7]:80"),
            ],
        ),
    ] {
        let proxies = Proxies { are_believed: true, field, ..Proxies::default() };
        let alone = client(&proxies, lines.iter().copied());
        assert!(alone == PEER || names_an_address(&alone), "{alone}");
        for (added, shown) in additions {
            // some add a line, some add to the last one, which a proxy knows to be valid
            let own = lines.iter().copied().chain([added.as_bytes()]);
            assert_eq!(client(&proxies, own), shown, "{field:?} {input:?}");
            let (last, before) = lines.split_last().expect("split gives one at least");
            let longer = [last, &b", "[..], added.as_bytes()].concat();
            if longer.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 127)) {
                let same = before.iter().copied().chain([&longer[..]]);
                assert_eq!(client(&proxies, same), shown, "{field:?} {input:?}");
            }
        }
    }
}

/// Whether it is an address, with a port or without.
fn names_an_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok() || text.parse::<std::net::SocketAddr>().is_ok()
}
