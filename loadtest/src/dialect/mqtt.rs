//! MQTT 3.1.1 without acknowledgements: packets with a length in front (OASIS, October 2014).

use super::{Envelope, ITEM_BYTES_MAX, Part, Said};

/// MQTT 3.14.
pub(super) const DISCONNECT: &[u8] = &[0xe0, 0];

/// MQTT 3.1: protocol and level, a clean session, no keep-alive: we come to send, and the
/// server should not hang up on who only listens.
const CONNECT_BODY: &[u8] = &[0, 4, b'M', b'Q', b'T', b'T', 4, 0x02, 0, 0];
/// MQTT 3.12.
const PINGREQ: &[u8] = &[0xc0, 0];
/// MQTT 2.3.1: of our only SUBSCRIBE.
const PACKET_ID: [u8; 2] = [0, 1];

/// MQTT 3.3.1: a first delivery at `QoS` 0, not retained.
const PUBLISH: u8 = 0x30;
const CONNACK: u8 = 0x20;
const SUBACK: u8 = 0x90;
const PINGRESP: u8 = 0xd0;

/// CONNECT, the SUBSCRIBE of a receiver, and a PINGREQ whose answer says that both were heard.
pub(super) fn opening(part: Part<'_>) -> Vec<u8> {
    let mut bytes = packet(0x10, &[CONNECT_BODY, &string(part.name)]);
    if part.receives {
        bytes.extend(packet(0x82, &[&PACKET_ID, &string(part.topic), &[0]]));
    }
    bytes.extend_from_slice(PINGREQ);
    bytes
}

/// The head of a PUBLISH (MQTT 3.3).
pub(super) fn envelope(topic: &str, size: usize) -> Envelope {
    let topic = string(topic);
    let mut head = vec![PUBLISH];
    put_length(topic.len() + size, &mut head);
    head.extend(topic);
    Envelope { head, tail: &[] }
}

/// Takes one packet from the front.
pub(super) fn item(bytes: &[u8], each: &mut impl FnMut(Said<'_>)) -> Result<Option<usize>, String> {
    let Some((size, length)) = head(bytes)? else { return Ok(None) };
    let Some(packet) = bytes.get(..size + length) else { return Ok(None) };
    take(packet[0], &packet[size..], each)?;
    Ok(Some(packet.len()))
}

/// The size of a packet's fixed head and of what follows it (MQTT 2.2.3), once they are there.
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let mut length = 0;
    for (at, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            if length > ITEM_BYTES_MAX {
                return Err(format!("mqtt: a packet of {length} bytes"));
            }
            return Ok(Some((at + 2, length)));
        }
    }
    if bytes.len() > 4 { Err("mqtt: a length of more than 4 bytes".to_owned()) } else { Ok(None) }
}

/// One packet.
fn take(first: u8, body: &[u8], each: &mut impl FnMut(Said<'_>)) -> Result<(), String> {
    match (first, body) {
        (PUBLISH, &[high, low, ref rest @ ..]) => {
            let topic = usize::from(u16::from_be_bytes([high, low]));
            let message = rest.get(topic..).ok_or("mqtt: a topic ends beyond its packet")?;
            each(Said::Message(message));
        }
        (CONNACK, [_, 0]) | (SUBACK, [0, 1, 0]) => {}
        (CONNACK, [_, code]) => return Err(format!("mqtt: refused with code {code}")),
        (SUBACK, [0, 1, code]) => {
            return Err(format!("mqtt: the subscription was answered with {code:#04x}"));
        }
        (PINGRESP, []) => each(Said::Welcome),
        (first, body) => {
            let length = body.len();
            return Err(format!("mqtt: unexpected packet {first:#04x} of {length} bytes"));
        }
    }
    Ok(())
}

/// A packet of `parts`.
fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut bytes = vec![first];
    put_length(body.len(), &mut bytes);
    bytes.extend(body);
    bytes
}

/// Seven bits a byte, the least significant first (MQTT 2.2.3).
fn put_length(mut length: usize, into: &mut Vec<u8>) {
    loop {
        let [digit, ..] = length.to_le_bytes();
        length >>= 7;
        if length == 0 {
            return into.push(digit);
        }
        into.push(digit | 0x80);
    }
}

/// A length and as many bytes (MQTT 1.5.3).
fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("our names and topics are short");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::Dialect::Mqtt;
    use super::super::tests::{expect_at_every_split, heard};
    use super::*;
    use crate::scenario::Pattern;

    #[test]
    fn split_at_every_byte() {
        let long = vec![b'l'; 20_000];
        let bytes = [
            &[CONNACK, 2, 0, 0, SUBACK, 3, 0, 1, 0, PINGRESP, 0][..],
            &[PUBLISH, 6, 0, 1, b't', b'o', b'n', b'e', PUBLISH, 3, 0, 1, b't'],
            &packet(PUBLISH, &[&[0, 1, b't'], &[b's'; 300]]),
        ]
        .concat();
        let short = format!("message {}", "s".repeat(300));
        expect_at_every_split(Mqtt, &bytes, &["welcome", "message one", "message ", &short]);
        let bytes = packet(PUBLISH, &[&[0, 1, b't'], &long]);
        let pieces: Vec<&[u8]> = bytes.chunks(4096).collect();
        assert_eq!(heard(Mqtt, &pieces).unwrap()[0].len(), 20_008);
    }

    #[test]
    fn refusals_and_nonsense_end_it() {
        for bytes in [
            &[CONNACK, 2, 0, 5][..],
            &[SUBACK, 3, 0, 1, 0x80],
            &[SUBACK, 3, 0, 1, 1],               // QoS 1
            &[PUBLISH | 1, 3, 0, 1, b't'],       // retained
            &[PUBLISH | 2, 5, 0, 1, b't', 0, 1], // QoS 1
            &[PUBLISH, 3, 0, 2, b't'],           // a topic beyond the packet
            &[PUBLISH, 1, 0],                    // no topic
            &[PUBLISH, 0x80, 0x80, 0x80, 0x80],  // an endless length
            &[PUBLISH, 0xff, 0xff, 0xff, 0x7f],  // 256 MiB
        ] {
            assert!(heard(Mqtt, &[bytes]).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn openings() {
        let part = |receives| Part { pattern: Pattern::PubSub, receives, topic: "t", name: "n" };
        let connect = [&[0x10, 13][..], CONNECT_BODY, &[0, 1, b'n']].concat();
        assert_eq!(opening(part(false)), [&connect[..], PINGREQ].concat());
        let subscribe = [0x82, 6, 0, 1, 0, 1, b't', 0];
        assert_eq!(opening(part(true)), [&connect[..], &subscribe, PINGREQ].concat());
    }

    #[test]
    fn what_we_publish_can_be_read() {
        for size in [0, 1, 122, 123, 124, 125, 16_380, 16_381, 2_097_149] {
            let bytes = [&envelope("t", size).head[..], &vec![b'x'; size]].concat();
            assert_eq!(heard(Mqtt, &[&bytes]).unwrap()[0].len(), 8 + size, "{size} bytes");
        }
    }
}
