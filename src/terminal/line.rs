//! The line to a broker: one connection after the other, as long as another one may help.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::connection::{self, Parting};
use super::desk::Desk;
use super::handshake::{self, Unopened};
use super::status::{Failure, say};
use crate::code::CloseCode;
use crate::config::{Reconnect, Terminal};

/// A connection that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(10);
/// The broker closes since it stops, and ignores what came meanwhile.
const GOING_AWAY: u16 = CloseCode::GoingAway.number();

/// Keeps a line until it has served its purpose, or cannot.
pub(super) async fn hold(
    terminal: &Terminal,
    tls: Option<&Arc<ClientConfig>>,
    desk: &Desk,
) -> Result<(), Failure> {
    let mut backoff = Backoff::default();
    let (mut was_there, mut is_again) = (false, false);
    loop {
        let opened = tokio::select! {
            biased;
            () = desk.left() => return end(desk),
            opened = handshake::open(terminal, tls) => opened,
        };
        let trouble = match opened {
            Err(trouble) => trouble,
            Ok(stream) => {
                if is_again {
                    say("connected again");
                }
                was_there = true;
                let since = Instant::now();
                let parting = connection::run(stream, terminal, desk).await;
                if since.elapsed() >= GOOD {
                    backoff.reset();
                }
                if parting == Parting::Done {
                    desk.ledger.borrow_mut().settle();
                    return Ok(());
                }
                let is_drained = matches!(parting, Parting::Closed(Some(GOING_AWAY), _));
                doubt(desk, is_drained.then(Instant::now));
                let trouble = trouble(terminal, parting);
                if desk.is_leaving() || desk.outgoing.is_done() {
                    return leave(terminal, trouble, desk);
                }
                trouble
            }
        };
        let may_wait = match terminal.reconnect {
            Reconnect::Always => true,
            Reconnect::Later => was_there || trouble.retry_after.is_some(),
            Reconnect::Never => false,
        };
        if !trouble.is_temporary {
            return Err(Failure::Refused(trouble.sentence));
        }
        if !may_wait {
            return Err(Failure::Lost(trouble.sentence));
        }
        let wait = backoff.next(rand::random(), trouble.retry_after);
        say(&format!("{}, connecting again in {:.1} s", trouble.sentence, wait.as_secs_f64()));
        is_again = true;
        tokio::select! {
            biased;
            () = desk.left() => return end(desk),
            () = sleep(wait) => {}
        }
    }
}

/// It is over while there is no connection.
fn end(desk: &Desk) -> Result<(), Failure> {
    if desk.outgoing.is_empty() {
        return Ok(());
    }
    Err(Failure::Lost("there was no connection, so what was read last was not sent".to_owned()))
}

/// The connection ended while we were about to go: who wanted nothing more of it has lost nothing.
fn leave(terminal: &Terminal, trouble: Unopened, desk: &Desk) -> Result<(), Failure> {
    let is_lost = terminal.input.is_some()
        && (!desk.outgoing.is_empty() || desk.ledger.borrow().doubtful() > 0);
    match trouble.is_temporary {
        _ if !is_lost => Ok(()),
        true => Err(Failure::Lost(trouble.sentence)),
        false => Err(Failure::Refused(trouble.sentence)),
    }
}

/// Says which messages may not have arrived; `drained` is when the broker itself was about to stop.
pub(super) fn doubt(desk: &Desk, drained: Option<Instant>) {
    match desk.ledger.borrow_mut().part(drained).map(RangeInclusive::into_inner) {
        None => {}
        Some((first, last)) if first == last => {
            say(&format!("message {first} may not have arrived"));
        }
        Some((first, last)) => say(&format!("messages {first} to {last} may not have arrived")),
    }
}

/// What a connection's end means.
fn trouble(terminal: &Terminal, parting: Parting) -> Unopened {
    let url = &terminal.address.url;
    let (sentence, is_temporary) = match parting {
        Parting::Done => (String::new(), true),
        Parting::Lost(reason) => (format!("lost {url}: {reason}"), true),
        Parting::Breach(reason) => (format!("{url} sent {reason}"), false),
        Parting::Closed(None, _) => (format!("{url} closed without a code"), true),
        Parting::Closed(Some(code), text) => {
            let text = if text.is_empty() { text } else { format!(", {text}") };
            (format!("{url} closed with {code}{text}"), is_passing(code))
        }
    };
    Unopened { sentence, is_temporary, retry_after: None }
}

/// Whether a close code is that of a bad moment (RFC 6455 7.4.1 and the IANA registry): going
/// away, an error of the broker's, a restart, too busy, a proxy without a broker.
const fn is_passing(code: u16) -> bool {
    matches!(code, 1001 | 1011..=1014)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_whether_to_come_again() {
        for code in [1001, 1011, 1012, 1013, 1014] {
            assert!(is_passing(code), "{code}");
        }
        for code in [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000] {
            assert!(!is_passing(code), "{code}");
        }
    }
}
