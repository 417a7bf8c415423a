//! Frames against RFC 6455 or over a limit: design section 4.

use crate::frames::{
    BINARY, CLOSE, CONTINUATION, EIGHT_BYTES, FIN, Line, PING, PONG, TEXT, TWO_BYTES, close, frame,
    head,
};
use crate::server::{Client, TestServer};
use mercury::grouped::Grouped;

/// Far more than is read at a time.
const BEHIND_BYTES: usize = 1024 * 1024;

/// Two peers of a topic who do nothing wrong, and a broker where somebody else does.
struct Scene {
    fry: Client,
    leela: Client,
    /// Dropped last: it waits for them.
    server: TestServer,
}

impl Scene {
    async fn set(server: TestServer) -> Self {
        let fry = server.connect("/bus/planet").await;
        let leela = server.connect("/bus/planet").await;
        Self { fry, leela, server }
    }

    async fn start() -> Self {
        Self::set(TestServer::start()).await
    }

    /// Sends a message, these bytes and much behind them; code and reason of the broker's only
    /// Close. The message arrives, nothing of what is behind does, and the others go on.
    async fn offend(&mut self, offence: &[u8]) -> (u16, String) {
        let late = frame(TEXT, "late");
        let late = late.repeat(BEHIND_BYTES / late.len());
        let mut offender = Line::open(&self.server, "/bus/planet").await;
        offender.send([&frame(TEXT, "before"), offence, &late].concat()).await;
        let closed = offender.closed().await;
        for peer in [&mut self.fry, &mut self.leela] {
            assert_eq!(peer.text().await, "before");
        }
        self.fry.send("still here").await;
        assert_eq!(self.leela.text().await, "still here");
        assert_ne!(closed.1, "", "a Close says why");
        closed
    }

    /// Each offence is answered with this code and its sentence.
    async fn offend_all(&mut self, code: u16, offences: &[(Vec<u8>, String)]) {
        for (offence, sentence) in offences {
            let expected = (code, sentence.clone());
            assert_eq!(self.offend(offence).await, expected, "{:x?}", &offence[..2]);
        }
    }
}

fn offence(bytes: impl Into<Vec<u8>>, sentence: impl Into<String>) -> (Vec<u8>, String) {
    (bytes.into(), sentence.into())
}

#[tokio::test]
async fn a_head_against_the_standard_is_a_1002() {
    let mut scene = Scene::start().await;
    let mut offences = vec![
        offence(*b"\x81\x02hi", "frame-not-masked: frame is not masked"),
        offence(*b"\x88\x00", "frame-not-masked: frame is not masked"),
    ];
    for bits in [0x40, 0x20, 0x10, 0x70] {
        let sentence = format!("reserved-bits: reserved bits are set: 0x{bits:02x}");
        offences.push(offence(frame(TEXT | bits, "hi"), sentence));
    }
    offences.push(offence(frame(PING | 0x40, ""), "reserved-bits: reserved bits are set: 0x40"));
    for op_code in (0x3..=0x7).chain(0xb..=0xf) {
        let sentence = format!("reserved-op-code: op code {op_code} is reserved");
        offences.push(offence(frame(FIN | op_code, ""), sentence));
    }
    scene.offend_all(1002, &offences).await;
    scene.server.until(|c| &c.protocol_errors, offences.len() as u64).await;
}

#[tokio::test]
async fn a_length_against_the_standard_is_a_1002() {
    let mut scene = Scene::start().await;
    let two = |length: u16| [&[BINARY, TWO_BYTES], &length.to_be_bytes()[..], &[0; 4]].concat();
    let eight = |length: u64| [&[BINARY, EIGHT_BYTES], &length.to_be_bytes()[..], &[0; 4]].concat();
    let mut offences = vec![];
    for bytes in [two(0), two(125), eight(0), eight(126), eight(0xffff)] {
        let length = if bytes.len() == 8 { &bytes[2..4] } else { &bytes[2..10] };
        let length = length.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        offences.push(offence(
            bytes,
            format!("frame-length: length {length} is not in its shortest form"),
        ));
    }
    offences.push(offence(eight(1 << 63), "frame-length: length has its top bit set"));
    offences.push(offence(eight(u64::MAX), "frame-length: length has its top bit set"));
    scene.offend_all(1002, &offences).await;
    scene.server.until(|c| &c.protocol_errors, offences.len() as u64).await;
}

#[tokio::test]
async fn an_unmasked_frame_is_refused_though_its_two_bytes_come_apart() {
    let mut scene = Scene::start().await;
    let mut offender = Line::open(&scene.server, "/bus/planet").await;
    offender.send([&frame(TEXT, "before")[..], &[CLOSE]].concat()).await;
    assert_eq!(scene.fry.text().await, "before");
    offender.send([0]).await;
    assert_eq!(offender.closed().await, (1002, "frame-not-masked: frame is not masked".to_owned()));
}

#[tokio::test]
async fn a_control_frame_too_long_or_fragmented_is_a_1002() {
    let mut scene = Scene::start().await;
    let mut offences = vec![];
    for control in [CLOSE, PING, PONG] {
        let too_long = "control-frame: control frame has more than 125 bytes";
        offences.push(offence(frame(control, [b'x'; 126]), too_long));
        offences.push(offence(head(control, 70_000), too_long));
        offences
            .push(offence(frame(control & !FIN, ""), "control-frame: control frame is fragmented"));
    }
    scene.offend_all(1002, &offences).await;
    scene.server.until(|c| &c.protocol_errors, offences.len() as u64).await;
}

#[tokio::test]
async fn fragments_out_of_order_are_a_1002() {
    let mut scene = Scene::start().await;
    let orphan = "fragment-order: continuation frame without a message to continue";
    let inside = "fragment-order: new message inside an unfinished one";
    let begun = frame(TEXT & !FIN, "a");
    let whole = [&begun[..], &frame(FIN | CONTINUATION, "")].concat();
    let offences = [
        offence(frame(FIN | CONTINUATION, "x"), orphan),
        offence(frame(CONTINUATION, "x"), orphan),
        offence([&begun[..], &frame(TEXT, "b")].concat(), inside),
        offence([&begun[..], &frame(BINARY & !FIN, "b")].concat(), inside),
    ];
    scene.offend_all(1002, &offences).await;
    // behind a message that ended there is nothing to continue either
    let mut offender = Line::open(&scene.server, "/bus/planet").await;
    offender.send([&whole[..], &frame(FIN | CONTINUATION, "x")].concat()).await;
    assert_eq!(offender.closed().await, (1002, orphan.to_owned()));
    assert_eq!(scene.fry.text().await, "a");
    scene.server.until(|c| &c.protocol_errors, offences.len() as u64 + 1).await;
}

#[tokio::test]
async fn a_close_that_must_not_be_sent_is_never_echoed() {
    let mut scene = Scene::start().await;
    let mut offences =
        vec![offence(frame(CLOSE, [3]), "close-frame: close frame has a body of 1 byte")];
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        let sentence = format!("close-frame: close code {code} must not be sent");
        offences.push(offence(close(code, b"bye"), sentence));
    }
    scene.offend_all(1002, &offences).await;
    scene.server.until(|c| &c.protocol_errors, offences.len() as u64).await;
    let bad_reason = offence(close(1000, b"\xff"), "not-utf8: close reason is not UTF-8");
    scene.offend_all(1007, &[bad_reason]).await;
    scene.server.until(|c| &c.text_not_utf8, 1).await;
}

#[tokio::test]
async fn a_close_that_may_be_sent_is_echoed_once() {
    let server = TestServer::start();
    for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
        let mut line = Line::open(&server, "/bus/planet").await;
        let bye = close(code, "adiós".as_bytes());
        line.send([bye.clone(), frame(TEXT, "late"), bye].concat()).await;
        assert_eq!(line.closed().await, (code, "adiós".to_owned()));
    }
    let mut line = Line::open(&server, "/bus/planet").await;
    line.send(frame(CLOSE, "")).await;
    assert_eq!(line.frame().await, Some((CLOSE, vec![])));
    assert_eq!(line.frame().await, None);
    assert_eq!(server.count(|c| &c.messages_in), 0);
}

#[tokio::test]
async fn text_that_is_not_utf8_is_a_1007() {
    let mut scene = Scene::start().await;
    let euro = "€".as_bytes();
    let start = |bytes: &[u8]| frame(TEXT & !FIN, bytes);
    let end = |bytes: &[u8]| frame(FIN | CONTINUATION, bytes);
    let offences = [
        frame(TEXT, b"\xff"),
        frame(TEXT, b"a\xed\xa0\x80"),
        frame(TEXT, &euro[..2]),
        start(b"a\xc0"),
        [start(&euro[..1]), frame(CONTINUATION, b"x")].concat(),
        [start(&euro[..2]), end(b"")].concat(),
        [start(b"a"), frame(PING, ""), end(b"\xf4\x90\x80\x80")].concat(),
    ];
    for (number, offence) in offences.iter().enumerate() {
        let mut offender = Line::open(&scene.server, "/bus/planet").await;
        offender.send(offence).await;
        let (first, payload) = offender.next().await;
        let payload = if first == PONG { offender.next().await.1 } else { payload };
        assert_eq!(payload, b"\x03\xefnot-utf8: text message is not UTF-8", "{number}");
        assert_eq!(offender.frame().await, None);
    }
    scene.server.until(|c| &c.text_not_utf8, offences.len() as u64).await;
    scene.fry.send("still here").await;
    assert_eq!(scene.leela.text().await, "still here");
}

#[tokio::test]
async fn a_message_over_the_limit_is_a_1009_and_one_at_it_arrives() {
    let mut scene = Scene::set(TestServer::limited(|limits| limits.message_bytes_max = 1000)).await;
    let mut zoidberg = Line::open(&scene.server, "/bus/planet").await;
    zoidberg.send(frame(BINARY, [1; 1000])).await;
    assert_eq!(scene.fry.binary().await, vec![1; 1000]);
    assert_eq!(scene.leela.binary().await, vec![1; 1000]);
    let fragments = |sizes: &[usize]| -> Vec<u8> {
        let mut bytes = frame(BINARY & !FIN, vec![2; sizes[0]]);
        sizes[1..].iter().for_each(|size| bytes.extend(frame(CONTINUATION, vec![2; *size])));
        bytes
    };
    let whole = [fragments(&[400, 300, 300]), frame(FIN | CONTINUATION, "")].concat();
    zoidberg.send(whole).await;
    assert_eq!(scene.fry.binary().await, vec![2; 1000]);
    assert_eq!(scene.leela.binary().await, vec![2; 1000]);
    drop(zoidberg);
    let over = |bytes| {
        format!("message-too-long: message is at least {} bytes, more than 1,000", Grouped(bytes))
    };
    let offences = [
        offence(frame(TEXT, [b'x'; 1001]), over(1001)),
        offence(fragments(&[400, 300, 301]), over(1001)),
        offence([fragments(&[1000]), head(CONTINUATION, 70_000)].concat(), over(71_000)),
        offence(head(BINARY, 1 << 40), over(1 << 40)),
    ];
    scene.offend_all(1009, &offences).await;
    scene.server.until(|c| &c.message_too_long, offences.len() as u64).await;
}

#[tokio::test]
async fn a_message_too_long_is_refused_by_its_head_alone() {
    let server = TestServer::start();
    for bytes in [head(TEXT, 256 * 1024 + 1), head(BINARY & !FIN, 1 << 62)] {
        let mut offender = Line::open(&server, "/pub/planet").await;
        offender.send(bytes).await;
        assert_eq!(offender.closed().await.0, 1009);
    }
}

#[tokio::test]
async fn empty_fragments_are_a_1008_from_the_1025th_on() {
    let mut scene = Scene::start().await;
    let empty =
        |count: usize| [frame(TEXT & !FIN, ""), frame(CONTINUATION, "").repeat(count - 1)].concat();
    let mut zoidberg = Line::open(&scene.server, "/bus/planet").await;
    zoidberg.send([empty(1024), frame(FIN | CONTINUATION, "end")].concat()).await;
    assert_eq!(scene.fry.text().await, "end");
    assert_eq!(scene.leela.text().await, "end");
    drop(zoidberg);
    let sentence = "empty-fragments: message has more than 1,024 empty fragments";
    scene.offend_all(1008, &[offence(empty(1025), sentence)]).await;
    scene.server.until(|c| &c.message_unfinished, 1).await;
}

#[tokio::test]
async fn an_announced_length_is_not_reserved() {
    const ABSURD_BYTES: usize = 1 << 60;
    let server = TestServer::limited(|limits| {
        limits.message_bytes_max = ABSURD_BYTES;
        limits.outbound_bytes_max = 2 * ABSURD_BYTES;
        limits.backlog_bytes_max = ABSURD_BYTES;
        limits.backlogs_bytes_max = ABSURD_BYTES;
    });
    let mut scene = Scene::set(server).await;
    let mut announcers = vec![];
    for first in [BINARY, TEXT & !FIN] {
        let mut announcer = Line::open(&scene.server, "/bus/planet").await;
        // the message before says that the head behind it was seen
        announcer
            .send([frame(TEXT, "before"), head(first, ABSURD_BYTES), vec![0; 9]].concat())
            .await;
        assert_eq!(scene.fry.text().await, "before");
        announcer.send(vec![0; 100_000]).await;
        announcers.push(announcer);
    }
    scene.fry.send("still here").await;
    for expected in ["before", "before", "still here"] {
        assert_eq!(scene.leela.text().await, expected);
    }
}
