//! Patterns and Origins, one by one and at random.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::*;

fn admits(pattern: &str, origin: &str) -> bool {
    Origins::new(vec![Pattern::parse(pattern).unwrap()]).admit(origin.as_bytes())
}

#[test]
fn each_form_of_a_pattern_admits_what_it_says() {
    for (pattern, admitted, refused) in [
        (
            "example.com",
            &[
                "http://example.com",
                "https://www.example.com:3000",
                "HTTP://A.B.Example.COM",
                "x-y.z+1://example.com:0",
            ][..],
            &[
                "http://example.com.evil.net",
                "http://evil.net/example.com",
                "http://evilexample.com",
                "http://example.com@evil.net",
                "http://example.co",
                "http://.example.com",
                "http://a..example.com",
                "http://example.com.",
                "http://example.com:",
                "http://example.com:x",
                "http://example.com:65536",
                "http://example.com/",
                "http://example.com http://example.com",
                "http://a b.example.com",
                "http://example.com#",
                "//example.com",
                "1://example.com",
                "example.com",
                "null",
                "",
            ][..],
        ),
        (
            "https://example.com",
            &["https://example.com", "HTTPS://EXAMPLE.com:1"],
            &["http://example.com", "https://www.example.com", "httpss://example.com"],
        ),
        (
            "*://example.com",
            &["http://example.com", "x://example.com:9"],
            &["http://a.example.com"],
        ),
        (
            "*.example.com",
            &["http://a.example.com", "http://a.b.example.com:1"],
            &["http://example.com", "http://aexample.com", "http://.example.com"],
        ),
        ("https://*.example.com", &["https://a.example.com"], &["http://a.example.com"]),
        (
            "example.com:8080",
            &["http://example.com:8080", "https://a.example.com:8080"],
            &["http://example.com", "http://example.com:808"],
        ),
        (
            "http://example.com:80",
            &["http://example.com", "http://example.com:80"],
            &["http://example.com:443"],
        ),
        ("example.com:443", &["https://example.com", "wss://example.com"], &["x://example.com"]),
        (
            "example.com:*",
            &["http://example.com:1", "http://a.example.com:80"],
            &["http://example.com"],
        ),
        (
            "bücher.example",
            &["http://xn--bcher-kva.example", "http://a.XN--BCHER-KVA.example"],
            &["http://bcher.example"],
        ),
        ("BÜCHER.example", &["http://xn--bcher-kva.example"], &["http://bucher.example"]),
        ("127.0.0.1", &["http://127.0.0.1:3000"], &["http://a.127.0.0.1", "http://127.0.0.2"]),
        ("[::1]:3000", &["http://[0:0::1]:3000"], &["http://[::2]:3000", "http://[::1]"]),
        ("http://[::1]", &["http://[::1]"], &["http://[::1", "http://::1"]),
        ("localhost", &["http://localhost:3000", "http://a.localhost"], &["http://localhos"]),
        ("*", &["http://a", "null", "?"], &[""]),
        ("null", &["null"], &["http://null", "NULL", "", "http://a"]),
        ("none", &[], &["none", "http://none", "null", ""]),
    ] {
        for origin in admitted {
            assert!(admits(pattern, origin), "{pattern} admits {origin}");
        }
        for origin in refused {
            assert!(!admits(pattern, origin), "{pattern} does not admit {origin}");
        }
    }
    assert!(!Origins::new(vec![Pattern::parse("*").unwrap()]).admit_none());
    assert!(Origins::new(vec![Pattern::parse("none").unwrap()]).admit_none());
    assert!(!Origins::default().admit(b"http://a") && !Origins::default().admit_none());
    assert!(!admits("example.com", "http://\u{fc}.example.com"));
}

#[test]
fn what_is_no_pattern_says_why() {
    let star = "has a * where none can stand: *.example.com is all below a host, \
                *://example.com any scheme, example.com:* any port, and * alone every Origin";
    for (pattern, reason) in [
        ("", "has no host"),
        ("https://", "has no host"),
        (":80", "has no host"),
        ("1://a", "has the scheme '1', which is none"),
        ("://a", "has the scheme '', which is none"),
        ("http*://a", "has the scheme 'http*', which is none"),
        ("http://*", star),
        ("*:80", star),
        ("exam*ple.com", star),
        ("*.*.com", star),
        ("example.*", star),
        ("*.", "has the host '*.', which is neither a name nor an address"),
        ("a..b", "has the host 'a..b', which is neither a name nor an address"),
        ("a.", "has the host 'a.', which is neither a name nor an address"),
        ("a b", "has the host 'a b', which is neither a name nor an address"),
        ("[::1", "has the host '[:', which is neither a name nor an address"),
        ("[x]", "has the host '[x]', which is neither a name nor an address"),
        ("*.1.2.3.4", "has the host '*.1.2.3.4', which is neither a name nor an address"),
        ("a:", "has the port '', which is neither * nor a number from 0 to 65535"),
        ("a:+1", "has the port '+1', which is neither * nor a number from 0 to 65535"),
        ("a:65536", "has the port '65536', which is neither * nor a number from 0 to 65535"),
        ("http://a/", "has '/' behind the host, where an Origin has nothing"),
        ("a/b?c", "has '/b?c' behind the host, where an Origin has nothing"),
        ("http://u:p@a", "has an '@', which no Origin has"),
        ("a,b", "has the host 'a,b', which is neither a name nor an address"),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap_err().to_string(), reason, "{pattern}");
    }
}

const SCHEMES: [&str; 3] = ["http", "https", "x"];
const LABELS: [&str; 5] = ["a", "b", "aa", "com", "xn--bcher-kva"];
const NUMBERS: [u16; 4] = [80, 443, 8, 8080];

fn labels(random: &mut StdRng) -> Vec<&'static str> {
    (0..random.random_range(1..4)).map(|_| *LABELS.choose(random).unwrap()).collect()
}

fn cased(random: &mut StdRng, text: &str) -> String {
    let upper = random.random();
    if upper { text.to_uppercase() } else { text.to_owned() }
}

/// Parts are drawn, so what a pattern should admit is known without reading any text.
#[test]
fn random_patterns_admit_what_their_parts_say() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut admitted, rounds) = (0, 200_000);
    for _ in 0..rounds {
        let host = labels(&mut random);
        let scheme =
            *[None, Some("*"), Some(SCHEMES[0]), Some(SCHEMES[1])].choose(&mut random).unwrap();
        let is_below = random.random_bool(0.3);
        let port = *[None, Some(None), Some(Some(80)), Some(Some(8))].choose(&mut random).unwrap();
        let text = format!(
            "{}{}{}{}",
            scheme.map_or_else(String::new, |scheme| format!("{scheme}://")),
            if is_below { "*." } else { "" },
            host.join("."),
            match port {
                None => String::new(),
                Some(None) => ":*".to_owned(),
                Some(Some(number)) => format!(":{number}"),
            },
        );
        let text = cased(&mut random, &text);
        let theirs = labels(&mut random);
        let their_scheme = *SCHEMES.choose(&mut random).unwrap();
        let their_port = random.random_bool(0.5).then(|| *NUMBERS.choose(&mut random).unwrap());
        let origin = format!("{their_scheme}://{}", theirs.join("."));
        let origin = their_port.map_or(origin.clone(), |port| format!("{origin}:{port}"));
        let origin = cased(&mut random, &origin);

        let is_scheme = scheme.is_none_or(|scheme| scheme == "*" || scheme == their_scheme);
        let is_itself = theirs == host;
        let is_under = theirs.len() > host.len() && theirs.ends_with(&host);
        let is_host = match (is_below, scheme) {
            (true, _) => is_under,
            (false, Some(_)) => is_itself,
            (false, None) => is_itself || is_under,
        };
        let usual = match their_scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let is_port = match port {
            None => true,
            Some(None) => their_port.is_some(),
            Some(number) => their_port.or(usual) == number,
        };
        let expected = is_scheme && is_host && is_port;
        assert_eq!(admits(&text, &origin), expected, "{text} and {origin}, seed {seed}");
        admitted += u32::from(expected);
    }
    assert!(admitted > rounds / 100, "only {admitted} were admitted, seed {seed}");
}
