//! Whether a request says only one thing about where it ends and whom it is for: what two readers
//! could take differently is how requests are smuggled past the first of them.

use hyper::header::{HOST, HeaderMap, TRANSFER_ENCODING};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Version};

use super::answer::Denial;
use super::upgrade::{is_asked, shown};
use crate::code::RefusalCode;

/// Checks what stands in the head of every request, whatever it asks for.
pub(super) fn check<B>(request: &Request<B>, has_length: bool) -> Result<(), Denial> {
    let headers = request.headers();
    check_coding(headers, has_length)?;
    let is_old = request.version() < Version::HTTP_11;
    if *request.method() == Method::GET && is_asked(headers) {
        check_host(headers, RefusalCode::HandshakeHost, is_old)
    } else {
        check_host(headers, RefusalCode::Host, is_old)
    }
}

/// Chunked, once, and without a length beside it (RFC 9112 6.1). hyper has seen to it that the
/// last coding is chunked, and looks at no other.
fn check_coding(headers: &HeaderMap, has_length: bool) -> Result<(), Denial> {
    let lines = headers.get_all(TRANSFER_ENCODING).iter();
    let codings =
        lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let mut count = 0;
    for coding in codings {
        count += 1;
        if !coding.is_empty() && !is_chunked(coding) {
            let value = shown(headers, TRANSFER_ENCODING);
            let message = format!("Transfer-Encoding is {value}, and we know only chunked");
            return Err(Denial::new(RefusalCode::TransferCoding, message));
        }
    }
    if count > 1 {
        let value = shown(headers, TRANSFER_ENCODING);
        let message = format!("Transfer-Encoding is {value}, not chunked once");
        return Err(Denial::new(RefusalCode::BodyFraming, message));
    }
    if count > 0 && has_length {
        let message = "body has both a Content-Length and a Transfer-Encoding";
        return Err(Denial::new(RefusalCode::BodyFraming, message));
    }
    Ok(())
}

/// A request names its host exactly once, an old one at most once (RFC 9112 3.2).
fn check_host(headers: &HeaderMap, code: RefusalCode, is_old: bool) -> Result<(), Denial> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.count()) {
        (None, _) if is_old => Ok(()),
        (Some(host), 0) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), 0) => {
            let message = format!("Host is {}, not a host and a port", shown(headers, HOST));
            Err(Denial::new(code, message))
        }
        (first, more) => {
            let hosts = usize::from(first.is_some()) + more;
            Err(Denial::new(code, format!("request has {hosts} Host fields, not 1")))
        }
    }
}

/// Whether a value is a host, perhaps with a port (RFC 9110 7.2); one without authority is empty.
fn is_host(value: &[u8]) -> bool {
    if value.is_empty() {
        return true;
    }
    let Ok(authority) = Authority::try_from(value) else { return false };
    let Some(port) = authority.as_str().strip_prefix(authority.host()) else { return false };
    match port.strip_prefix(':') {
        // a sign would parse, too
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.is_empty() || port.parse::<u16>().is_ok()
        }
        Some(_) => false,
        None => port.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_port_at_most() {
        for good in
            ["", "x", "x.example.", "x:", "x:1", "x:65535", "127.0.0.1:80", "[::1]", "[::1]:80"]
        {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in
            ["x y", "x/", "u@x", "x:y", "x:65536", "x:+1", "x:1:2", ":1:", "::1", "[::1", "[::1]x"]
        {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
