//! The messages in a client's bytes: frames decoded in place, fragments put together.

use std::borrow::Cow;

use super::{Breach, Head, Kind, OpCode, unmask};
use crate::close;
use crate::limits::MESSAGE_EMPTY_FRAGMENTS_MAX;

/// Assembles one connection's messages. Small while no message is unfinished.
#[derive(Debug)]
pub struct Decoder {
    /// The message whose last fragment has not come.
    unfinished: Option<Box<Unfinished>>,
    /// `--max-message`.
    message_bytes_max: usize,
}

/// Fragments so far.
#[derive(Debug)]
struct Unfinished {
    kind: Kind,
    payload: Vec<u8>,
    /// Up to here the payload is UTF-8; at most three bytes of a character may follow.
    checked: usize,
    empty_fragments: u32,
}

/// What the bytes so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A whole frame.
    Whole(Head),
    /// At least so many bytes are needed, counted from the start of the frame.
    Needs(usize),
}

/// What a frame brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message.
    Message(Kind, Cow<'a, [u8]>),
    /// A fragment; its message goes on.
    Fragment,
    /// To be answered with the same payload.
    Ping(&'a [u8]),
    /// A sign of life.
    Pong,
    /// A valid Close, to be echoed: empty, or code and reason.
    Close(&'a [u8]),
}

impl Decoder {
    /// For one connection.
    #[must_use]
    pub const fn new(message_bytes_max: usize) -> Self {
        Self { unfinished: None, message_bytes_max }
    }

    /// Whether a fragmented message has begun and not ended.
    #[must_use]
    pub const fn is_inside_message(&self) -> bool {
        self.unfinished.is_some()
    }

    /// What it takes to hold an unfinished message, bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.unfinished
            .as_ref()
            .map_or(0, |unfinished| size_of::<Unfinished>() + unfinished.payload.capacity())
    }

    /// Looks at the frame at the start of `bytes` without changing anything. What its head alone
    /// shows to be wrong is said before its payload has come.
    #[inline]
    pub fn look(&self, bytes: &[u8]) -> Result<Progress, Breach> {
        let Some(head) = Head::read(bytes)? else {
            // any byte of a head may show what is wrong, and no more may come
            return Ok(Progress::Needs(bytes.len() + 1));
        };
        if head.is_data() {
            match (head.op_code, &self.unfinished) {
                (OpCode::Continuation, None) => return Err(Breach::NothingToContinue),
                (OpCode::Text | OpCode::Binary, Some(_)) => {
                    return Err(Breach::MessageInsideMessage);
                }
                _ => {}
            }
            let bytes = self.message_bytes(&head);
            if bytes > self.message_bytes_max {
                let max = self.message_bytes_max;
                return Err(Breach::MessageTooLong { bytes, max });
            }
        }
        let whole = head.size.saturating_add(head.payload);
        Ok(if bytes.len() < whole { Progress::Needs(whole) } else { Progress::Whole(head) })
    }

    /// The size of the message that this frame is part of, as far as it has come.
    #[must_use]
    pub fn message_bytes(&self, head: &Head) -> usize {
        let before = self.unfinished.as_ref().map_or(0, |unfinished| unfinished.payload.len());
        before.saturating_add(head.payload)
    }

    /// Takes the whole frame that [`Decoder::look`] found at the start of `bytes`, unmasking it
    /// in place.
    #[inline]
    pub fn take<'a>(&mut self, head: &Head, bytes: &'a mut [u8]) -> Result<Event<'a>, Breach> {
        let payload = &mut bytes[head.size..head.size + head.payload];
        unmask(payload, head.mask);
        let payload = &*payload;
        match head.op_code {
            OpCode::Text if head.fin => {
                simdutf8::basic::from_utf8(payload).map_err(|_| Breach::NotUtf8("text message"))?;
                Ok(Event::Message(Kind::Text, Cow::Borrowed(payload)))
            }
            OpCode::Binary if head.fin => Ok(Event::Message(Kind::Binary, Cow::Borrowed(payload))),
            OpCode::Text => self.begin(Kind::Text, payload),
            OpCode::Binary => self.begin(Kind::Binary, payload),
            OpCode::Continuation => self.proceed(head.fin, payload),
            OpCode::Ping => Ok(Event::Ping(payload)),
            OpCode::Pong => Ok(Event::Pong),
            OpCode::Close => check_close(payload).map(|()| Event::Close(payload)),
        }
    }

    #[cold]
    fn begin(&mut self, kind: Kind, payload: &[u8]) -> Result<Event<'static>, Breach> {
        let empty = Unfinished { kind, payload: vec![], checked: 0, empty_fragments: 0 };
        self.unfinished = Some(Box::new(empty));
        self.proceed(false, payload)
    }

    #[cold]
    fn proceed(&mut self, fin: bool, payload: &[u8]) -> Result<Event<'static>, Breach> {
        let unfinished = self.unfinished.as_mut().expect("look() saw a message to continue");
        unfinished.add(payload, fin)?;
        if !fin {
            return Ok(Event::Fragment);
        }
        let Unfinished { kind, payload, .. } = *self.unfinished.take().expect("seen above");
        Ok(Event::Message(kind, Cow::Owned(payload)))
    }
}

impl Unfinished {
    fn add(&mut self, fragment: &[u8], last: bool) -> Result<(), Breach> {
        if fragment.is_empty() && !last {
            self.empty_fragments += 1;
            if self.empty_fragments > MESSAGE_EMPTY_FRAGMENTS_MAX {
                return Err(Breach::EmptyFragments(MESSAGE_EMPTY_FRAGMENTS_MAX));
            }
        }
        self.payload.extend_from_slice(fragment);
        if self.kind == Kind::Binary {
            return Ok(());
        }
        match std::str::from_utf8(&self.payload[self.checked..]) {
            Ok(_) => self.checked = self.payload.len(),
            Err(error) if error.error_len().is_none() && !last => {
                self.checked += error.valid_up_to();
            }
            Err(_) => return Err(Breach::NotUtf8("text message")),
        }
        Ok(())
    }
}

/// RFC 6455 5.5.1: empty, or a code that may be sent and a reason in UTF-8.
fn check_close(payload: &[u8]) -> Result<(), Breach> {
    match payload {
        [] => Ok(()),
        [_] => Err(Breach::CloseBody),
        [a, b, reason @ ..] => {
            let code = u16::from_be_bytes([*a, *b]);
            if !close::may_be_sent(code) {
                return Err(Breach::CloseCode(code));
            }
            std::str::from_utf8(reason).map_err(|_| Breach::NotUtf8("close reason"))?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame, masked.
    fn frame(fin: bool, op_code: OpCode, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut frame =
            fastwebsockets::Frame::new(fin, op_code, Some(mask), payload.to_vec().into());
        frame.unmask();
        let mut out = vec![];
        frame.write(&mut out).to_vec()
    }

    /// Decodes all of `bytes`; the messages, or the first breach.
    fn decode(max: usize, bytes: &[u8]) -> Result<Vec<(Kind, Vec<u8>)>, Breach> {
        let mut decoder = Decoder::new(max);
        let (mut bytes, mut at, mut messages) = (bytes.to_vec(), 0, vec![]);
        while let Progress::Whole(head) = decoder.look(&bytes[at..])? {
            if let Event::Message(kind, payload) = decoder.take(&head, &mut bytes[at..])? {
                messages.push((kind, payload.into_owned()));
            }
            at += head.size + head.payload;
        }
        Ok(messages)
    }

    #[test]
    fn fragments_make_one_message_with_control_frames_between() {
        let bytes = [
            frame(false, OpCode::Text, b"a"),
            frame(true, OpCode::Ping, b"p"),
            frame(false, OpCode::Continuation, b""),
            frame(true, OpCode::Continuation, b"bc"),
            frame(true, OpCode::Binary, b"\xff"),
        ];
        let expected = vec![(Kind::Text, b"abc".to_vec()), (Kind::Binary, b"\xff".to_vec())];
        assert_eq!(decode(3, &bytes.concat()), Ok(expected));
    }

    #[test]
    fn the_limit_is_inclusive_and_over_all_fragments() {
        let whole = |size| frame(true, OpCode::Binary, &vec![0; size]);
        assert!(decode(10, &whole(10)).is_ok());
        let too_long = |bytes| Err(Breach::MessageTooLong { bytes, max: 10 });
        assert_eq!(decode(10, &whole(11)), too_long(11));
        let (first, rest) = (vec![0; 6], vec![0; 5]);
        let bytes =
            [frame(false, OpCode::Binary, &first), frame(true, OpCode::Continuation, &rest)];
        assert_eq!(decode(10, &bytes.concat()), too_long(11));
    }

    #[test]
    fn a_message_too_long_is_refused_by_its_head_alone() {
        let bytes = frame(true, OpCode::Binary, &vec![0; 70_000]);
        let decoder = Decoder::new(10);
        let expected = Breach::MessageTooLong { bytes: 70_000, max: 10 };
        assert_eq!(decoder.look(&bytes[..14]), Err(expected));
    }

    #[test]
    fn an_absurd_length_is_refused_without_overflow() {
        let bytes = [&[0x82, 0xff, 0x7f], &[0xff; 7][..], &[0; 4]].concat();
        assert!(matches!(Decoder::new(10).look(&bytes), Err(Breach::MessageTooLong { .. })));
        assert!(matches!(Decoder::new(usize::MAX).look(&bytes), Ok(Progress::Needs(_))));
    }

    #[test]
    fn text_is_checked_at_each_fragment_and_may_split_a_character() {
        let euro = "€".as_bytes();
        for cut in 0..=euro.len() {
            let bytes = [
                frame(false, OpCode::Text, &euro[..cut]),
                frame(true, OpCode::Continuation, &euro[cut..]),
            ];
            assert!(decode(10, &bytes.concat()).is_ok(), "{cut}");
        }
        let not_text = Err(Breach::NotUtf8("text message"));
        assert_eq!(decode(10, &frame(false, OpCode::Text, b"\xff")), not_text);
        let ends_inside =
            [frame(false, OpCode::Text, &euro[..2]), frame(true, OpCode::Continuation, b"")];
        assert_eq!(decode(10, &ends_inside.concat()), not_text);
        assert_eq!(decode(10, &frame(true, OpCode::Text, &euro[..2])), not_text);
    }

    #[test]
    fn the_order_of_fragments_is_kept() {
        let orphan = frame(true, OpCode::Continuation, b"");
        assert_eq!(decode(10, &orphan), Err(Breach::NothingToContinue));
        let twice = [frame(false, OpCode::Text, b"a"), frame(true, OpCode::Text, b"b")].concat();
        assert_eq!(decode(10, &twice), Err(Breach::MessageInsideMessage));
    }

    #[test]
    fn empty_fragments_are_bounded() {
        let mut bytes = frame(false, OpCode::Text, b"");
        for _ in 1..MESSAGE_EMPTY_FRAGMENTS_MAX {
            bytes.extend(frame(false, OpCode::Continuation, b""));
        }
        assert!(decode(10, &bytes).is_ok());
        bytes.extend(frame(false, OpCode::Continuation, b""));
        let expected = Err(Breach::EmptyFragments(MESSAGE_EMPTY_FRAGMENTS_MAX));
        assert_eq!(decode(10, &bytes), expected);
    }

    #[test]
    fn a_close_is_checked_before_it_is_echoed() {
        let close = |payload: &[u8]| decode(10, &frame(true, OpCode::Close, payload)).map(|_| ());
        assert_eq!(close(b""), Ok(()));
        assert_eq!(close(&[3, 232]), Ok(()));
        assert_eq!(close(&[3]), Err(Breach::CloseBody));
        assert_eq!(close(&[3, 237]), Err(Breach::CloseCode(1005)));
        assert_eq!(close(&[3, 232, 0xff]), Err(Breach::NotUtf8("close reason")));
    }
}
