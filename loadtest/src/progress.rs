//! One line on the terminal that says how a load goes; nothing where there is no terminal.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::load::Load;
use crate::report::{Unit, float, shown};
use crate::tally::{Board, Tally};

/// How often the line changes.
const REFRESH: Duration = Duration::from_millis(500);
/// What is known first, and the bar in what is left of the line.
const LINE: &str = "{prefix} {msg} {wide_bar}";

/// The line of one load.
pub(crate) struct Progress {
    /// The library's part.
    bar: ProgressBar,
    /// The last change, in ns of the load's clock.
    at: u64,
    /// What had happened until then: deliveries, connections or pings.
    count: u64,
    /// Where the threads of a crew write, and which of them this is.
    seat: Option<(Arc<Board>, usize)>,
}

/// What the line is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Load that is not measured, for so long.
    WarmUp(Duration),
    /// Load that is, for so long.
    Measured(Duration),
    /// All of so many messages.
    Messages(u64),
    /// What is under way still comes.
    Rest,
    /// So many connect.
    Connecting(u64),
    /// Of so many, some were cut and come back.
    Reconnecting(u64),
    /// All are held, for so long.
    Holding(Duration),
}

impl Progress {
    /// A line, or nothing if it is not wanted or standard error is no terminal.
    pub(crate) fn new(wanted: bool) -> Self {
        let target =
            if wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let style = ProgressStyle::with_template(LINE).expect("the template is sound");
        bar.set_style(style.progress_chars("━╸─"));
        Self { bar, at: 0, count: 0, seat: None }
    }

    /// The line of all threads that write on `board`, drawn by the first.
    pub(crate) fn of_crew(board: &Arc<Board>, number: usize) -> Self {
        Self { seat: Some((Arc::clone(board), number)), ..Self::new(number == 0) }
    }

    /// Another part begins.
    pub(crate) fn begin(&mut self, part: Part, load: &Load) {
        let (name, length) = self.name_and_length(part);
        self.bar.set_prefix(name);
        self.bar.set_message("");
        self.bar.set_length(length);
        self.bar.set_position(0);
        (self.at, self.count) = (load.now(), count(part, &self.tally(load), load));
    }

    /// Shows what the books say, if it is time to; `since` is how long the part is on.
    pub(crate) fn show(&mut self, part: Part, since: Duration, load: &Load) {
        let now = load.now();
        let elapsed = Duration::from_nanos(now.saturating_sub(self.at));
        if elapsed < REFRESH || (self.bar.is_hidden() && self.seat.is_none()) {
            return;
        }
        let tally = self.tally(load);
        let (_, length) = self.name_and_length(part);
        let (position, time) = match part {
            Part::WarmUp(time) | Part::Measured(time) | Part::Holding(time) => {
                let left = time.saturating_sub(since);
                let left = format!("{} s, {} s left", since.as_secs(), left.as_secs_f64().ceil());
                (millis(since), left)
            }
            Part::Messages(_) => (tally.published, format!("{} s", since.as_secs())),
            Part::Connecting(_) | Part::Reconnecting(_) => {
                (load.open() as u64, format!("{} s", since.as_secs()))
            }
            Part::Rest => (0, format!("{} s", since.as_secs())),
        };
        self.bar.set_position(position.min(length));
        let count = count(part, &tally, load);
        let rate = float(count.saturating_sub(self.count)) / elapsed.as_secs_f64();
        let news = news(part, &shown(Unit::PerSecond, rate), &tally, load);
        self.bar.set_message(format!("{time}, {news}"));
        (self.at, self.count) = (now, count);
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// What has happened so far; of a crew, to all.
    fn tally(&self, load: &Load) -> Tally {
        let own = Tally::of(&mut load.ledger.borrow_mut());
        match &self.seat {
            None => own,
            Some((board, number)) => {
                board.write(*number, own);
                board.sum()
            }
        }
    }

    /// What the line begins with, and where its bar ends.
    fn name_and_length(&self, part: Part) -> (&'static str, u64) {
        match part {
            Part::WarmUp(time) => ("warming up", millis(time)),
            Part::Measured(time) => ("measuring", millis(time)),
            Part::Messages(messages) => {
                ("sending", self.seat.as_ref().map_or(messages, |(board, _)| board.messages))
            }
            Part::Rest => ("waiting", 1),
            Part::Connecting(connections) => ("connecting", connections),
            Part::Reconnecting(connections) => ("storming", connections),
            Part::Holding(time) => ("holding", millis(time)),
        }
    }
}

/// What happens in `part`, so far.
fn count(part: Part, tally: &Tally, load: &Load) -> u64 {
    match part {
        Part::Connecting(_) => load.open() as u64,
        Part::Holding(_) => load.ledger.borrow().pings.seen,
        _ => tally.deliveries,
    }
}

/// What happened since the last change of the line, at this `rate`.
fn news(part: Part, rate: &str, tally: &Tally, load: &Load) -> String {
    match part {
        Part::Connecting(connections) => {
            format!("{} of {connections}, {rate} connections/s", load.open())
        }
        Part::Holding(_) => format!("{} connections, {rate} pings/s", load.open()),
        Part::Reconnecting(connections) => {
            format!("{} of {connections} connected, {rate} deliveries/s", load.open())
        }
        _ => {
            let latency = if tally.p99 == 0 {
                String::new()
            } else {
                let p99 = Duration::from_nanos(tally.p99);
                format!(", p99 {} µs", shown(Unit::Microseconds, p99.as_secs_f64() * 1e6))
            };
            format!("{rate} deliveries/s{latency}, {} under way", tally.outstanding)
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
