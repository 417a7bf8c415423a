//! Whether a request means us: a script of another site that has its own name point at this
//! machine (DNS rebinding) still calls it by that name.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::Request;
use hyper::header::HOST;
use hyper::http::uri::Authority;

use super::super::answer::Denial;
use crate::code::RefusalCode;

/// A name that nobody else can have point here: an address, `localhost`, or one that was listed.
pub(super) fn check<B>(request: &Request<B>, listed: &[String]) -> Result<(), Denial> {
    // a target with a host beats the field (RFC 9112 3.2.2)
    let target = request.uri().authority().map(Authority::as_str);
    let field = request.headers().get(HOST);
    // no browser leaves it out
    let Some(host) = target.or_else(|| field.and_then(|host| host.to_str().ok())) else {
        return Ok(());
    };
    if is_ours(name(host), listed) {
        return Ok(());
    }
    let message = format!(
        "Host is {host}, not localhost, an IP address or one of --admin-host: other sites could \
         have their names point here"
    );
    Err(Denial::new(RefusalCode::HostNotAllowed, message))
}

/// The host without its port.
fn name(host: &str) -> &str {
    let behind_brackets = host.rfind(']').unwrap_or(0);
    host[behind_brackets..].find(':').map_or(host, |colon| &host[..behind_brackets + colon])
}

fn is_ours(name: &str, listed: &[String]) -> bool {
    if let Some(literal) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return literal.parse::<Ipv6Addr>().is_ok();
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    // RFC 6761 6.3
    let is_local = name == "localhost" || name.ends_with(".localhost");
    is_local || name.parse::<Ipv4Addr>().is_ok() || listed.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(host: &str) -> bool {
        is_ours(name(host), &["mercury.example".to_owned()])
    }

    #[test]
    fn addresses_loopback_names_and_listed_ones_are_ours() {
        for ours in [
            "localhost",
            "LocalHost:3001",
            "localhost.:3001",
            "broker.localhost",
            "127.0.0.1:3001",
            "192.0.2.1",
            "[::1]",
            "[::1]:3001",
            "Mercury.example:80",
        ] {
            assert!(passes(ours), "{ours}");
        }
        for theirs in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "mercury.example.evil.example",
            "evilmercury.example",
            "notlocalhost",
            "127.1",
            "0x7f.1",
            "[evil.example]",
            "[::1].evil.example",
        ] {
            assert!(!passes(theirs), "{theirs}");
        }
    }

    #[test]
    fn the_host_that_a_target_names_counts() {
        let request = |target: &str| {
            let request = Request::builder().uri(target).header(HOST, "localhost");
            request.body(()).unwrap()
        };
        assert_eq!(check(&request("/metrics"), &[]), Ok(()));
        assert_eq!(check(&request("http://127.0.0.1/metrics"), &[]), Ok(()));
        let denial = check(&request("http://evil.example/metrics"), &[]).unwrap_err();
        assert_eq!(denial.refusal.code, RefusalCode::HostNotAllowed);
    }
}
