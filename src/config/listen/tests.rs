//! URLs to listen on, right ones and wrong ones.

use super::*;

fn tcp(url: &str) -> (SocketAddr, bool) {
    match Listen::parse(url).unwrap().endpoint {
        Endpoint::Tcp { address, dual_stack } => (address, dual_stack),
        other @ Endpoint::Unix { .. } => panic!("{url}: {other:?}"),
    }
}

#[test]
fn the_urls_of_the_original_are_read() {
    let cases = [
        ("http://*:3000", "[::]:3000", true, "http://*:9"),
        ("http://*", "[::]:3000", true, "http://*:9"),
        ("HTTP://*:0/", "[::]:0", true, "http://*:9"),
        ("http://[::]:8081", "[::]:8081", true, "http://[::]:9"),
        ("http://0.0.0.0:80", "0.0.0.0:80", false, "http://0.0.0.0:9"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", false, "http://127.0.0.1:9"),
        ("http://[::1]:80", "[::1]:80", false, "http://[::1]:9"),
        ("http://[::1]?", "[::1]:3000", false, "http://[::1]:9"),
        ("http://localhost:65535", "127.0.0.1:65535", false, "http://127.0.0.1:9"),
        ("HTTP://LOCALHOST:0", "127.0.0.1:0", false, "http://127.0.0.1:9"),
        ("http://*:80?reuse=1", "[::]:80", true, "http://*:9"),
        ("https://*:443?cert=a&key=b", "[::]:443", true, "https://*:9"),
        ("https://[::]:8081?cert=a&key=b", "[::]:8081", true, "https://[::]:9"),
    ];
    for (url, address, dual_stack, bound) in cases {
        assert_eq!(tcp(url), (address.parse().unwrap(), dual_stack), "{url}");
        let listen = Listen::parse(url).unwrap();
        assert_eq!(listen.bound(Some(9)), bound, "{url}");
        assert_eq!(listen.url, url);
        assert_eq!(listen.reuse, url.contains("reuse=1"), "{url}");
    }
}

#[test]
fn socket_files_are_read() {
    let cases: [(&str, &[u8], _, &str); 5] = [
        ("http+unix://%2Frun%2Fm.sock", b"/run/m.sock", None, "http+unix://%2Frun%2Fm.sock"),
        ("HTTP+UNIX://m.sock/", b"m.sock", None, "HTTP+UNIX://m.sock"),
        ("http+unix://%2fa%20b?mode=660", b"/a b", Some(0o660), "http+unix://%2fa%20b"),
        ("http+unix://%FF%40?&mode=0602&", b"\xff@", Some(0o602), "http+unix://%FF%40"),
        ("http+unix://a@b%25%3A", b"a@b%:", None, "http+unix://a@b%25%3A"),
    ];
    for (url, path, mode, bound) in cases {
        let listen = Listen::parse(url).unwrap();
        let path = PathBuf::from(OsString::from_vec(path.to_vec()));
        assert_eq!(listen.endpoint, Endpoint::Unix { path, mode }, "{url}");
        assert_eq!(listen.bound(None), bound);
    }
}

#[test]
fn certificates_are_read() {
    let url = "https://*:443?cert=./server.crt&key=%2Fetc%2Ftls/a+b.key";
    let tls = Listen::parse(url).unwrap().tls.unwrap();
    assert_eq!(tls.cert, PathBuf::from("./server.crt"));
    assert_eq!(tls.key, PathBuf::from("/etc/tls/a+b.key"));
    assert_eq!((tls.ca, tls.verify), (None, Verify::Optional));
    for (value, verify) in [
        ("0x00", Verify::None),
        ("1", Verify::Optional),
        ("0x01", Verify::Optional),
        ("3", Verify::Required),
    ] {
        let url = format!("https://*?cert=a&key=b&ca=c&verify={value}&reuse=0");
        let tls = Listen::parse(&url).unwrap().tls.unwrap();
        assert_eq!((tls.ca, tls.verify), (Some("c".into()), verify));
    }
}

#[test]
fn every_scheme_may_take_proxy_headers() {
    for (url, proxied) in [
        ("http://*?proxy=1", true),
        ("http+unix://m?proxy=1&mode=660", true),
        ("https://*?cert=a&key=b&proxy=1", true),
        ("http://*?proxy=0", false),
        ("http://*", false),
    ] {
        assert_eq!(Listen::parse(url).unwrap().proxied, proxied, "{url}");
    }
}

#[test]
fn each_error_of_an_address_says_what_is_wrong() {
    let cases = [
        ("", "has no scheme, say http://*:3000"),
        ("*:3000", "has no scheme, say http://*:3000"),
        ("ftp://*", "has the unknown scheme 'ftp', say http, https or http+unix"),
        ("http://", "has no host, say * for every address"),
        ("http://:80", "has no host, say * for every address"),
        (
            "http://me:secret@*:80",
            "has user information before an '@', which a listening address cannot have",
        ),
        ("http://*:80/sub", "has the path '/sub', which a listening address cannot have"),
        ("http://*:80#x", "has a '#', which a listening address cannot have"),
        ("http://::1", "has the port ':1', which is not a number from 0 to 65535"),
        ("http://[::1", "has the port ':1', which is not a number from 0 to 65535"),
        ("http://[x]:80", "has the host '[x]', which is not an IPv6 address in brackets"),
        ("http://[::1]80", "has the host '[::1]80', which is not an IPv6 address in brackets"),
        (
            "http://a.example:80",
            "has the host 'a.example', which is not an IP address, localhost or *",
        ),
        ("http://1.2.3:80", "has the host '1.2.3', which is not an IP address, localhost or *"),
        ("http://*:", "has the port '', which is not a number from 0 to 65535"),
        ("http://*:+80", "has the port '+80', which is not a number from 0 to 65535"),
        ("http://*:65536", "has the port '65536', which is not a number from 0 to 65535"),
        ("http+unix://", "has no socket file, say http+unix://%2Frun%2Fmercury.sock"),
        ("http+unix:///?mode=660", "has no socket file, say http+unix://%2Frun%2Fmercury.sock"),
        (
            "http+unix:///run/m.sock",
            "has a '/' in the path of its socket file, which is written %2F",
        ),
        ("http+unix://%2Frun%2", "has a '%' without two hexadecimal digits behind it"),
        ("http+unix://%+1", "has a '%' without two hexadecimal digits behind it"),
        ("http+unix://a%00", "has a zero byte in it"),
        (
            "http+unix://m.sock:80",
            "has a ':' in the path of its socket file, which has no port, and else is written %3A",
        ),
    ];
    for (url, reason) in cases {
        assert_eq!(Listen::parse(url).unwrap_err().to_string(), reason, "{url}");
    }
    let url = |bytes| format!("http+unix://{}", "m".repeat(bytes));
    assert!(Listen::parse(&url(107)).is_ok());
    let error = Listen::parse(&url(108)).unwrap_err().to_string();
    assert_eq!(error, "has a socket file whose path is 108 bytes, more than 107");
}

#[test]
fn each_error_of_a_query_says_what_is_wrong() {
    let cases = [
        ("http://*?&backlog", "has the unknown parameter 'backlog', http has reuse, proxy"),
        ("http+unix://m?fd=3", "has the unknown parameter 'fd', http+unix has proxy, mode"),
        (
            "https://*?ciphers=x",
            "has the unknown parameter 'ciphers', https has reuse, proxy, cert, key, ca, verify",
        ),
        ("http://*:80?cert=x", "has the parameter 'cert', which is for https"),
        ("http+unix://m?reuse=1", "has the parameter 'reuse', which is for http and https"),
        ("http://*?mode=660", "has the parameter 'mode', which is for http+unix"),
        ("http://*?proxy=x", "has 'x' for proxy, which is 1 or 0"),
        ("http://*?reuse=1&reuse=1", "has the parameter 'reuse' twice"),
        ("http://*?reuse", "has '' for reuse, which is 1 or 0"),
        ("http://*?reuse=yes", "has 'yes' for reuse, which is 1 or 0"),
        ("http+unix://m?mode=66", "has '66' for mode, which is permissions in octal, like 660"),
        ("http+unix://m?mode=668", "has '668' for mode, which is permissions in octal, like 660"),
        ("http+unix://m?mode=+60", "has '+60' for mode, which is permissions in octal, like 660"),
        ("http+unix://m?mode=1777", "has '1777' for mode, which is permissions in octal, like 660"),
        (
            "http+unix://m?mode=444",
            "has '444' for mode, which lets nobody write, so nobody could connect",
        ),
        ("https://*:443", "has no cert, say https://*:443?cert=server.crt&key=server.key"),
        ("https://*?cert=a", "has no key, say https://*:443?cert=server.crt&key=server.key"),
        ("https://*?cert=&key=b", "has '' for cert, which must be the path of a file"),
        ("https://*?cert=%0&key=b", "has a '%' without two hexadecimal digits behind it"),
        (
            "https://*?cert=a&key=b&verify=1",
            "has verify and no ca, so no client certificate could be verified",
        ),
        (
            "https://*?cert=a&key=b&ca=c&verify=2",
            "has '2' for verify, which is 0 (no client certificate), 1 (if it has one) or 3 \
             (required)",
        ),
    ];
    for (url, reason) in cases {
        assert_eq!(Listen::parse(url).unwrap_err().to_string(), reason, "{url}");
    }
}

#[test]
fn two_listeners_need_two_addresses() {
    let check = |one: &str, other: &str| {
        let (one, other) = (Listen::parse(one).unwrap(), Listen::parse(other).unwrap());
        let (there, back) = (one.check_beside(&other), other.check_beside(&one));
        assert_eq!(there.is_ok(), back.is_ok());
        there
    };
    let apart = [
        ("http://*:1", "http://*:2"),
        ("http://*:0", "http://*:0"),
        ("http://127.0.0.1:1", "http://127.0.0.2:1"),
        ("http://127.0.0.1:1", "http://[::1]:1"),
        ("http://0.0.0.0:1", "http://[::1]:1"),
        ("http://*:1?reuse=1", "http://*:1?reuse=1"),
        ("http+unix://a", "http+unix://b"),
        ("http+unix://a", "http://*:1"),
    ];
    for (one, other) in apart {
        assert_eq!(check(one, other), Ok(()), "{one} {other}");
    }
    let together = [
        ("http://*:1", "http://*:1"),
        ("http://*:1", "http://[::]:1"),
        ("http://*:1", "http://127.0.0.1:1"),
        ("http://*:3000", "https://[::1]?cert=a&key=b"),
        ("http://0.0.0.0:1", "http://localhost:1"),
        ("http://127.0.0.1:1", "http://[::ffff:127.0.0.1]:1"),
        ("http://*:1?reuse=1", "http://*:1"),
    ];
    for (one, other) in together {
        let error = check(one, other).unwrap_err().to_string();
        let reason =
            format!("is the same address as '{other}', which only ?reuse=1 on both allows");
        assert_eq!(error, reason);
    }
    let error = check("http+unix://%61", "http+unix://a?mode=660").unwrap_err().to_string();
    assert_eq!(error, "is the same socket file as 'http+unix://a?mode=660'");
}
