//! A request turned down: status, stable code, one sentence.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use crate::code::RefusalCode;
use crate::grouped::Grouped;
use crate::limits::RETRY_AFTER_SECONDS;
use crate::metrics::Counters;
use crate::rate::Rate;

/// Target of the lines about refusals.
const LOG: &str = "mercury::http";

/// The field of a refusal's head that carries its code, whatever its body is.
pub const CODE_FIELD: &str = "mercury-code";

/// Why a request gets a 4xx or 5xx. Rendered by the door, or by a shard that refuses a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs; the status comes with it.
    pub code: RefusalCode,
    /// What was wrong and with which value, for people.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with a fixed or formatted sentence.
    pub fn new(code: RefusalCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// RFC 9110 15.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.code.number()
    }

    /// Counts it, on the thread that answers with it: by its code, and where it has one, by the
    /// limit at which an operator may turn.
    pub fn count(&self, counters: &Counters) {
        counters.refusals.of(self.code as usize).add(1);
        if let Some(tally) = &self.code.entry().counter {
            (tally.of)(counters).add(1);
        }
    }

    /// The broker is going down.
    #[must_use]
    pub const fn draining() -> Self {
        let message = Cow::Borrowed("the broker is shutting down");
        Self { code: RefusalCode::Draining, message }
    }

    /// `--clients` is used up.
    #[must_use]
    pub fn connections_full(max: usize) -> Self {
        let message = format!("all {} connections that --clients allows are open", Grouped(max));
        Self::new(RefusalCode::ConnectionsFull, message)
    }

    /// `--connections-per-ip` is used up by one client; `block` names its addresses.
    #[must_use]
    pub fn address_full(block: impl Display, max: usize) -> Self {
        let max = Grouped(max);
        let message =
            format!("{block} has as many open connections as --connections-per-ip allows, {max}");
        Self::new(RefusalCode::AddressFull, message)
    }

    /// A listener of `?proxy=1` serves trusted proxies alone.
    #[must_use]
    pub fn proxy_untrusted(peer: impl Display) -> Self {
        let message =
            format!("{peer} is no proxy that --trusted-proxy names, and others are refused");
        Self::new(RefusalCode::ProxyUntrusted, message)
    }

    /// Connections come faster than `--accept-rate`.
    #[must_use]
    pub fn accept_rate(max: Rate) -> Self {
        let message = format!("new connections come faster than --accept-rate allows, {max}");
        Self::new(RefusalCode::AcceptRate, message)
    }

    /// `--max-topics` is used up.
    #[must_use]
    pub const fn topics_full() -> Self {
        let message = Cow::Borrowed("there are as many topics as --max-topics allows");
        Self { code: RefusalCode::TopicsFull, message }
    }

    /// `--memory-max` is nearly used up.
    #[must_use]
    pub const fn memory_full() -> Self {
        let message = Cow::Borrowed("as much waits to be sent as --memory-max allows");
        Self { code: RefusalCode::MemoryFull, message }
    }

    /// Logs it at debug; the sentence may hold what a client wrote, and is a field for that.
    pub fn log(&self, peer: impl Display) {
        let (status, code, sentence) = (self.status(), self.code.name(), &*self.message);
        tracing::debug!(target: LOG, %peer, status, code, sentence, "refused");
    }

    /// Whether [`Refusal::log`] logs anything.
    #[must_use]
    pub fn is_logged() -> bool {
        tracing::enabled!(target: LOG, tracing::Level::DEBUG)
    }

    /// Whether the same request may succeed a little later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self.status(), 429 | 503)
    }

    /// The body, one line: text, or JSON for who asked for it.
    #[must_use]
    pub fn body(&self, json: bool) -> String {
        if !json {
            return format!("{}\n", self.message);
        }
        let mut escaped = String::with_capacity(self.message.len());
        for character in self.message.chars() {
            match character {
                '"' | '\\' => escaped.extend(['\\', character]),
                control if control.is_control() => {
                    write!(escaped, "\\u{:04x}", u32::from(control)).expect("a String takes all");
                }
                other => escaped.push(other),
            }
        }
        format!("{{\"code\":\"{}\",\"message\":\"{escaped}\"}}\n", self.code.name())
    }

    /// The media type of [`Refusal::body`].
    #[must_use]
    pub const fn content_type(json: bool) -> &'static str {
        if json { "application/json" } else { "text/plain; charset=utf-8" }
    }

    /// The whole response, for a socket that hyper no longer drives (RFC 9112 4); it closes.
    #[must_use]
    pub fn response(&self, json: bool) -> Vec<u8> {
        let reason = match self.status() {
            400 => "Bad Request",
            403 => "Forbidden",
            408 => "Request Timeout",
            414 => "URI Too Long",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            505 => "HTTP Version Not Supported",
            _ => "",
        };
        let body = self.body(json);
        let mut head = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\
             {CODE_FIELD}: {}\r\nconnection: close\r\n",
            self.status(),
            Self::content_type(json),
            body.len(),
            self.code.name(),
        );
        if self.is_temporary() {
            write!(head, "retry-after: {RETRY_AFTER_SECONDS}\r\n").expect("a String takes all");
        }
        format!("{head}\r\n{body}").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_escapes_what_a_topic_may_hold() {
        let refusal = Refusal::new(RefusalCode::Host, "a \"b\" \\ \u{1}\n");
        let expected = "{\"code\":\"host\",\"message\":\"a \\\"b\\\" \\\\ \\u0001\\u000a\"}\n";
        assert_eq!(refusal.body(true), expected);
    }
}
