//! PROXY headers: one that is whole was unfinished before, ends at the same byte whatever follows,
//! and a wrong one stays wrong.

#![cfg_attr(feature = "libfuzzer", no_main)]

use mercury::fuzz::proxy_header;
use mercury::limits::{PROXY_HEADER_BYTES_MAX, PROXY_LINE_BYTES_MAX};

mercury_fuzz::target!(check);

fn check(input: &[u8]) {
    let most = input.len().min(PROXY_HEADER_BYTES_MAX + 1);
    let decided = (0..=most).find_map(|came| match proxy_header(&input[..came]) {
        Ok(None) => None,
        result => Some((came, result)),
    });
    let Some((came, first)) = decided else {
        assert!(input.len() < PROXY_HEADER_BYTES_MAX, "it has no end");
        return;
    };
    match (first, proxy_header(input)) {
        (Ok(Some((length, client))), Ok(Some(whole))) => {
            assert_eq!((came, &whole), (length, &(length, client.clone())), "{input:?}");
            ends(&input[..length]);
            if let Some(client) = client {
                client.parse::<std::net::SocketAddr>().expect("an address and a port");
            }
        }
        (Err(_), Err(_)) => {}
        (first, whole) => panic!("{first:?} at {came}, {whole:?} in all: {input:?}"),
    }
}

/// A header ends where its length or its line does.
fn ends(header: &[u8]) {
    if header.starts_with(b"PROXY ") {
        assert!(header.len() <= PROXY_LINE_BYTES_MAX && header.ends_with(b"\r\n"), "{header:?}");
        assert_eq!(header.windows(2).filter(|pair| *pair == b"\r\n").count(), 1);
    } else {
        assert!(header.starts_with(b"\r\n\r\n\0\r\nQUIT\n"), "{header:?}");
        let length = u16::from_be_bytes([header[14], header[15]]);
        assert_eq!(header.len(), 16 + usize::from(length));
    }
}
