//! The header of the PROXY protocol, which a proxy sends ahead of what its client says: version 1
//! is a line, version 2 binary.

use ppp::{v1, v2};

use crate::grouped::Grouped;
use crate::limits::{PROXY_HEADER_BYTES_MAX, PROXY_LINE_BYTES_MAX};
use crate::socket::PeerAddress;

/// How a line begins.
const LINE: &[u8] = b"PROXY ";
/// One that says that it does not know for whom; what it says besides is to be ignored.
const UNKNOWN: &[u8] = b"PROXY UNKNOWN";
/// What comes before the length in version 2, and the length.
const HEAD: usize = 16;

/// The bytes that have come of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// All of them are the header's, and more must come.
    Part,
    /// It is whole.
    Whole {
        /// How many of the bytes it is.
        length: usize,
        /// Whose connection the proxy passes on. `None` is the proxy's own, as when it looks
        /// whether we live, or of somebody that has no IP address or TCP port.
        client: Option<PeerAddress>,
    },
}

/// Bytes that are no header.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum HeaderError {
    /// A client that was not sent by a proxy, mostly.
    #[error("the connection does not begin with a PROXY header")]
    None,
    /// A line without an end.
    #[error("the PROXY header is more than {} bytes", Grouped(PROXY_LINE_BYTES_MAX))]
    LongLine,
    /// Version 2 with much about the client besides its address.
    #[error(
        "the PROXY header is {} bytes, more than {}",
        Grouped(*.0), Grouped(PROXY_HEADER_BYTES_MAX)
    )]
    Long(usize),
    /// Version 1.
    #[error("the PROXY header is wrong: {0}")]
    Line(v1::BinaryParseError),
    /// Version 2.
    #[error("the PROXY header is wrong: {0}")]
    Binary(v2::ParseError),
}

impl Header {
    /// Reads what has come so far.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, HeaderError> {
        if LINE.starts_with(bytes) || bytes.starts_with(LINE) {
            Self::read_line(bytes)
        } else {
            Self::read_binary(bytes)
        }
    }

    /// Version 1. The library takes some unfinished lines for wrong ones, so it sees whole ones.
    fn read_line(bytes: &[u8]) -> Result<Self, HeaderError> {
        let most = &bytes[..bytes.len().min(PROXY_LINE_BYTES_MAX)];
        let Some(end) = most.windows(2).position(|pair| pair == b"\r\n") else {
            let has_room = bytes.len() < PROXY_LINE_BYTES_MAX;
            return if has_room { Ok(Self::Part) } else { Err(HeaderError::LongLine) };
        };
        let length = end + 2;
        let is_unknown = bytes[..end]
            .strip_prefix(UNKNOWN)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b" "));
        if is_unknown {
            return Ok(Self::Whole { length, client: None });
        }
        let line = v1::Header::try_from(&bytes[..length]).map_err(HeaderError::Line)?;
        let client = match line.addresses {
            v1::Addresses::Tcp4(ends) => client(ends.source_address, ends.source_port),
            v1::Addresses::Tcp6(ends) => client(ends.source_address, ends.source_port),
            v1::Addresses::Unknown => None,
        };
        Ok(Self::Whole { length, client })
    }

    /// Version 2. What stands behind the addresses is not looked at, the checksum included: what
    /// comes over TCP has one.
    fn read_binary(bytes: &[u8]) -> Result<Self, HeaderError> {
        if let Some(&[high, low]) = bytes.get(HEAD - 2..HEAD)
            && bytes.starts_with(v2::PROTOCOL_PREFIX)
        {
            let length = HEAD + usize::from(u16::from_be_bytes([high, low]));
            if length > PROXY_HEADER_BYTES_MAX {
                return Err(HeaderError::Long(length));
            }
        }
        let header = match v2::Header::try_from(bytes) {
            Ok(header) => header,
            Err(v2::ParseError::Incomplete(_) | v2::ParseError::Partial(..)) => {
                return Ok(Self::Part);
            }
            Err(v2::ParseError::Prefix) => return Err(HeaderError::None),
            Err(error) => return Err(HeaderError::Binary(error)),
        };
        let is_known =
            header.command == v2::Command::Proxy && header.protocol == v2::Protocol::Stream;
        let client = match header.addresses {
            v2::Addresses::IPv4(ends) if is_known => client(ends.source_address, ends.source_port),
            v2::Addresses::IPv6(ends) if is_known => client(ends.source_address, ends.source_port),
            _ => None,
        };
        Ok(Self::Whole { length: header.len(), client })
    }
}

/// A client that a header names.
#[expect(clippy::unnecessary_wraps, reason = "the arms beside it know nobody")]
fn client(address: impl Into<std::net::IpAddr>, port: u16) -> Option<PeerAddress> {
    Some(PeerAddress::new(address.into(), Some(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of version 2: command and version, family and protocol, what follows the length.
    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &length, rest].concat()
    }

    const TCP4: [u8; 12] = [203, 0, 113, 7, 10, 0, 0, 1, 0xd4, 0x31, 0, 80];

    fn tcp6() -> Vec<u8> {
        let source = "2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets();
        [&source[..], &[0; 16], &[0, 80, 0, 81]].concat()
    }

    fn mapped() -> Vec<u8> {
        let source = "::ffff:203.0.113.7".parse::<std::net::Ipv6Addr>().unwrap().octets();
        [&source[..], &[0; 16], &[0, 80, 0, 81]].concat()
    }

    /// Reads a header with more behind it, whole and in parts of every length.
    fn read(header: &[u8]) -> Option<String> {
        let packet = [header, b"GET / HTTP/1.1\r\n\r\n"].concat();
        for came in 0..header.len() {
            assert_eq!(Header::read(&packet[..came]), Ok(Header::Part), "{came} of {header:?}");
        }
        let Ok(Header::Whole { length, client }) = Header::read(&packet) else {
            panic!("{header:?}: {:?}", Header::read(&packet));
        };
        assert_eq!(length, header.len(), "{header:?}");
        assert_eq!(Header::read(header), Header::read(&packet));
        client.map(|client| client.to_string())
    }

    #[test]
    fn a_header_names_the_client_and_ends_where_it_ends() {
        let known: [(&[u8], &str); 6] = [
            (b"PROXY TCP4 203.0.113.7 10.0.0.1 54321 80\r\n", "203.0.113.7:54321"),
            (b"PROXY TCP6 2001:db8::7 ::1 80 81\r\n", "[2001:db8::7]:80"),
            (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 80 81\r\n", "203.0.113.7:80"),
            (&binary(0x21, 0x11, &TCP4), "203.0.113.7:54321"),
            (&binary(0x21, 0x21, &tcp6()), "[2001:db8::7]:80"),
            (&binary(0x21, 0x21, &mapped()), "203.0.113.7:80"),
        ];
        for (header, client) in known {
            assert_eq!(read(header).as_deref(), Some(client));
        }
        // with more about the client behind its address
        let more = [&TCP4[..], &[0x02, 0, 4], b"host", &[0x04, 0, 1, 0]].concat();
        assert_eq!(read(&binary(0x21, 0x11, &more)).as_deref(), Some("203.0.113.7:54321"));
    }

    #[test]
    fn a_header_may_name_nobody() {
        let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(PROXY_LINE_BYTES_MAX - 16));
        let nobody: [&[u8]; 9] = [
            b"PROXY UNKNOWN\r\n",
            b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
            b"PROXY UNKNOWN a b c d e f g\r\n",
            longest.as_bytes(),
            // LOCAL, with an address or without
            &binary(0x20, 0x00, &[]),
            &binary(0x20, 0x11, &TCP4),
            // no address, a socket file, datagrams
            &binary(0x21, 0x00, &[1, 2, 3]),
            &binary(0x21, 0x31, &[b'/'; 216]),
            &binary(0x21, 0x12, &TCP4),
        ];
        for header in nobody {
            assert_eq!(read(header), None);
        }
    }

    fn error(bytes: &[u8]) -> String {
        Header::read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_header_is_known_by_its_first_bytes() {
        let none = "the connection does not begin with a PROXY header";
        for bytes in ["G", "GET / HTTP/1.1\r\n", "PROX\r", "PROXY\r\n", "proxy ", "\r\n\r\n\r"] {
            assert_eq!(error(bytes.as_bytes()), none, "{bytes:?}");
        }
        // a TLS handshake
        assert_eq!(error(&[22, 3, 1]), none);
    }

    #[test]
    fn a_wrong_header_is_refused() {
        for line in [
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP5 203.0.113.7 10.0.0.1 1 2\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 1\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 1 2 3\r\n",
            "PROXY TCP4 203.0.113.256 10.0.0.1 1 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 203.0.113.7 10.0.0.1 1 2\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 65536 2\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 1\r 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY TCP4  203.0.113.7 10.0.0.1 1 2\r\n",
        ] {
            assert!(error(line.as_bytes()).starts_with("the PROXY header is wrong: "), "{line}");
        }
        for (command, family, rest) in [
            // version, command, family, protocol, too short for its addresses
            (0x11, 0x11, &TCP4[..]),
            (0x22, 0x11, &TCP4),
            (0x21, 0x41, &TCP4),
            (0x21, 0x13, &TCP4),
            (0x21, 0x11, &TCP4[1..]),
            (0x21, 0x21, &TCP4),
        ] {
            let wrong = error(&binary(command, family, rest));
            assert!(wrong.starts_with("the PROXY header is wrong: "), "{wrong}");
        }
    }

    #[test]
    fn a_header_is_bounded() {
        let endless = format!("PROXY UNKNOWN {}", "f".repeat(PROXY_LINE_BYTES_MAX));
        let (line, long) = endless.as_bytes().split_at(PROXY_LINE_BYTES_MAX - 1);
        assert_eq!(Header::read(line), Ok(Header::Part));
        assert_eq!(error(&[line, &long[..1]].concat()), "the PROXY header is more than 107 bytes");
        assert_eq!(error(&[line, b"\r\n"].concat()), "the PROXY header is more than 107 bytes");
        let most = vec![0; PROXY_HEADER_BYTES_MAX - HEAD];
        assert_eq!(read(&binary(0x21, 0x11, &most)).as_deref(), Some("0.0.0.0:0"));
        let more = binary(0x21, 0x11, &[&most[..], &[0]].concat());
        // its length is enough to know
        assert_eq!(error(&more[..HEAD]), "the PROXY header is 4,097 bytes, more than 4,096");
    }
}
