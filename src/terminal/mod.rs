//! `mercury sub`, `pub`, `bus`, `push` and `pull`: the broker's five sockets on a terminal, or
//! between pipes.
//!
//! One thread, and on it a few futures that live as long as the command: `line` keeps a
//! connection, `feed` reads what is to be sent, `printer` or `crew` take what comes. Between them
//! are two belts.

mod backoff;
mod belt;
mod connection;
mod crew;
mod desk;
mod ear;
mod feed;
mod handshake;
mod ledger;
mod line;
mod message;
mod printer;
mod reader;
mod status;
mod writer;

use std::future::pending;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::signal::unix::SignalKind;
use tokio::time::{Instant, sleep_until};

use self::desk::Desk;
use self::status::{DONE, Failure, say};
use crate::config::{Form, Terminal};
use crate::signals::Signals;
use crate::{cause, tls};

/// How long who leaves waits for the broker.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(5);

/// Does what it is told; returns the exit status, once all is said.
pub(crate) fn run(terminal: &Terminal) -> u8 {
    let failure = match start(terminal) {
        Ok(()) => return DONE,
        Err(failure) => failure,
    };
    failure.say();
    failure.status()
}

fn start(terminal: &Terminal) -> Result<(), Failure> {
    let own = |error: io::Error| Failure::Own(cause::words(&error));
    let tls = terminal.address.is_tls.then(|| tls::client_config(terminal.ca.as_deref()));
    let tls = tls.transpose().map_err(|error| Failure::Own(error.to_string()))?;
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().build_local(LocalOptions::default()).map_err(own)?;
    let end = runtime.block_on(async {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        let signals = Signals::new(&kinds).map_err(own)?;
        let desk = Desk::new(terminal);
        let end = act(terminal, line::hold(terminal, tls.as_ref(), &desk), signals, &desk).await;
        account(terminal, &desk, end)
    });
    // a read of standard input may go on forever
    runtime.shutdown_background();
    end
}

/// What else is to be said in the end.
fn account(terminal: &Terminal, desk: &Desk, end: Result<(), Failure>) -> Result<(), Failure> {
    let (dropped, ledger) = (desk.incoming.discarded(), desk.ledger.borrow());
    let has_jobs = terminal.output.is_some() && terminal.route.is_job();
    if has_jobs && dropped > 0 {
        let jobs = if dropped == 1 { "job" } else { "jobs" };
        say(&format!("{dropped} more {jobs} had come and will not be done"));
    }
    end?;
    if ledger.doubtful() > 0 {
        let (doubtful, sent) = (ledger.doubtful(), ledger.sent());
        return Err(Failure::Lost(format!("{doubtful} of {sent} messages may not have arrived")));
    }
    Ok(())
}

/// Lets all of it happen until the connection has served its purpose, and what came is taken.
async fn act(
    terminal: &Terminal,
    holding: impl Future<Output = Result<(), Failure>>,
    mut signals: Signals,
    desk: &Desk,
) -> Result<(), Failure> {
    let (mut holding, mut giving) = (pin!(holding), pin!(give(terminal, desk)));
    let mut taking = pin!(take(terminal, desk));
    let (mut held, mut given) = (None, None);
    let mut taken = terminal.output.is_none().then_some(Ok(()));
    // a job that came is nobody else's
    let is_job = terminal.route.is_job();
    // no command runs longer than a year
    let ever = Instant::now() + Duration::from_hours(365 * 24);
    let end = terminal.timeout.map_or(ever, |timeout| Instant::now() + timeout);
    let (mut late, mut gone, mut is_told) = (None, ever, false);
    while held.is_none() || taken.is_none() {
        tokio::select! {
            biased;
            signal = signals.next() => {
                // we may be leaving for other reasons, with jobs at work
                if std::mem::replace(&mut is_told, true) {
                    crew::stop(desk);
                    std::process::exit(128 + signal.as_raw_value());
                }
                desk.leave();
            }
            result = &mut taking, if taken.is_none() => {
                taken = Some(result);
                desk.enough();
            }
            result = &mut holding, if held.is_none() => {
                held = Some(result);
                desk.incoming.close();
            }
            result = &mut giving, if given.is_none() && !desk.is_leaving() => {
                match &result {
                    Ok(()) if terminal.input.as_ref().is_some_and(|input| input.stays) => {}
                    Err(_) if desk.outgoing.is_empty() => desk.leave(),
                    // what was read before is sent
                    _ => desk.outgoing.close(),
                }
                given = Some(result);
            }
            () = sleep_until(end), if late.is_none() && !desk.is_leaving() => {
                late = lateness(terminal);
                desk.leave();
            }
            () = sleep_until(gone), if held.is_none() || taken.is_none() && !is_job => {
                held = held.or_else(|| Some(unanswered(desk)));
                desk.incoming.close();
                // who reads what we print may not go on, and nobody else would get it
                taken = taken.or((!is_job).then_some(Ok(())));
            }
        }
        if desk.is_leaving() && gone == ever {
            gone = Instant::now() + LEAVE_WAIT_MAX;
        }
    }
    let (taken, held) = (taken.unwrap_or(Ok(())), held.unwrap_or(Ok(())));
    let (given, late) = (given.unwrap_or(Ok(())), late.map_or(Ok(()), Err));
    if let (Err(_), Err(also)) = (&given, &held) {
        also.say();
    }
    match taken {
        // each of them was said; that the broker is gone is the news
        Err(Failure::Jobs(_)) => held.and(late).and(taken),
        taken => taken.and(given).and(late).and(held),
    }
}

/// What is sent.
async fn give(terminal: &Terminal, desk: &Desk) -> Result<(), Failure> {
    match &terminal.input {
        Some(input) => feed::feed(terminal, input, desk).await,
        None => pending().await,
    }
}

/// What becomes of what comes.
async fn take(terminal: &Terminal, desk: &Desk) -> Result<(), Failure> {
    let Some(output) = &terminal.output else { return Ok(()) };
    match &output.form {
        Form::Exec { command, parallel } => {
            crew::work(terminal, output, (command, *parallel), desk).await
        }
        _ => printer::print(terminal, output, desk).await,
    }
}

/// That the time is over is what who only listens was told; all others had something to do.
fn lateness(terminal: &Terminal) -> Option<Failure> {
    let is_listening = terminal.output.as_ref().is_some_and(|output| output.count.is_none());
    let timeout = terminal.timeout.unwrap_or_default();
    (!is_listening).then(|| {
        Failure::Late(format!("out of time after {}", humantime::format_duration(timeout)))
    })
}

/// The broker does not answer our Close.
fn unanswered(desk: &Desk) -> Result<(), Failure> {
    line::doubt(desk, None);
    if desk.outgoing.is_empty() {
        return Ok(());
    }
    Err(Failure::Lost("the broker did not take all in time".to_owned()))
}
