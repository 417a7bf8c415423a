//! Patterns of sites, and Origins against them: what is admitted is named by its pattern.
//!
//! The first line of an input is a pattern, the rest an Origin.

#![cfg_attr(feature = "libfuzzer", no_main)]

use mercury::config::{Origins, Pattern};

mercury_fuzz::target!(check);

fn check(input: &[u8]) {
    let (pattern, origin) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &b"http://example.com"[..]),
    };
    let Ok(text) = std::str::from_utf8(pattern) else { return };
    let pattern = match Pattern::parse(text) {
        Ok(pattern) => pattern,
        Err(error) => {
            assert!(error.to_string().len() < text.len() + 200, "{error}");
            return;
        }
    };
    assert_eq!(pattern.to_string(), text);
    let origins = Origins::new(vec![pattern]);
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    assert_eq!(origins.admit_none(), is("none"));
    if is("*") {
        // an Origin that is empty is none
        assert_eq!(origins.admit(origin), !origin.is_empty());
    } else if is("none") {
        assert!(!origins.admit(origin));
    } else if origins.admit(origin) {
        named(&text.to_lowercase(), origin);
    }
    assert!(!origins.admit(b""), "{text}");
}

/// An admitted Origin is one scheme, one host and maybe a port, and the pattern's host ends it.
fn named(pattern: &str, origin: &[u8]) {
    let origin = std::str::from_utf8(origin).expect("it is ASCII").to_lowercase();
    if pattern == "null" {
        assert_eq!(origin, "null");
        return;
    }
    let (scheme, authority) = origin.split_once("://").expect("it has a scheme");
    assert!(!authority.contains(['/', '@', '?', '#', '\\', ' ', '*', '%']), "{origin}");
    let (wanted, site) = pattern.split_once("://").unwrap_or(("*", pattern));
    assert!(wanted == "*" || wanted == scheme, "{pattern} and {origin}");
    // those of other alphabets are spelt otherwise, and addresses in several ways
    if !site.is_ascii() || site.contains('[') || site.parse::<std::net::Ipv4Addr>().is_ok() {
        return;
    }
    let host = |text: &str| text.rsplit_once(':').map_or(text, |(host, _)| host).to_owned();
    let (site, own) = (host(site), host(authority));
    let site = site.strip_prefix("*.").unwrap_or(&site);
    let before = own.strip_suffix(site).unwrap_or_else(|| panic!("{pattern} and {origin}"));
    assert!(before.is_empty() || before.ends_with('.'), "{pattern} and {origin}");
}
