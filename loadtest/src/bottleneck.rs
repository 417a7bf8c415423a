//! Who kept a load from being more: the server, which is what one wants to know, or its client.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cost::ThreadCost;

/// A thread that runs or waits to run for more than this part of the time has none to spare.
const SATURATED: f64 = 0.9;
/// A thread that is kept from running for more than this part of the time has to share its CPU.
const CROWDED: f64 = 0.1;
/// An open loop that sends less than this many per cent of what is due is behind.
const KEPT_UP: u64 = 99;

/// The answer, with its reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bottleneck {
    /// Who.
    pub(crate) limit: Limit,
    /// Why, with figures, when the figures are not the server's alone.
    pub(crate) sentence: Option<String>,
}

/// Who had no time to spare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Limit {
    /// Nobody: a larger window or rate would be more load.
    #[default]
    Neither,
    /// The server, or one thread of it.
    Server,
    /// A thread of the client.
    Client,
    /// A thread of each.
    Both,
    /// A CPU that threads of both had to run on.
    SharedCpu,
}

/// What is known of one measured time.
#[derive(Debug)]
pub(crate) struct Sides<'a> {
    /// Its length.
    pub(crate) duration: Duration,
    /// The client's threads.
    pub(crate) clients: &'a [ThreadCost],
    /// The server's threads; none when nobody said which process it is.
    pub(crate) server: Option<&'a [ThreadCost]>,
    /// In an open loop, messages that were due and that were sent.
    pub(crate) due_and_sent: Option<(u64, u64)>,
}

/// The busiest thread of a side.
struct Thread<'a> {
    /// It.
    cost: &'a ThreadCost,
    /// The part of the time that it ran.
    busy: f64,
    /// The part of the time that it was kept from running.
    waiting: f64,
}

impl Bottleneck {
    /// Compares the busiest thread of each side.
    pub(crate) fn find(sides: &Sides<'_>) -> Self {
        let Some(client) = Thread::busiest(sides.clients, sides.duration) else {
            return Self { limit: Limit::Neither, sentence: None };
        };
        let server = Thread::busiest(sides.server.unwrap_or_default(), sides.duration);
        let behind = sides.due_and_sent.filter(|(due, sent)| *sent + 1 < due * KEPT_UP / 100);
        let client_is = client.is_saturated() || behind.is_some();
        let server_is = server.as_ref().is_some_and(Thread::is_saturated);
        let shared = server.as_ref().and_then(|server| client.shares_with(server));
        let limit = match (client_is, server_is) {
            _ if shared.is_some() => Limit::SharedCpu,
            (true, true) => Limit::Both,
            (true, false) => Limit::Client,
            (false, true) => Limit::Server,
            (false, false) => Limit::Neither,
        };
        let verdict = match (limit, shared) {
            (Limit::Neither | Limit::Server, _) => return Self { limit, sentence: None },
            (Limit::SharedCpu, Some(cpus)) => cpus,
            (Limit::Client, _) if server.is_none() => {
                "the client may have been the bottleneck, and --pid would tell".to_owned()
            }
            (Limit::Client, _) => "the client was the bottleneck, not the server".to_owned(),
            _ => "the client was as much the bottleneck as the server".to_owned(),
        };
        let mut sentence = format!("{verdict}: the client's busiest thread {}", client.describe());
        if let Some(server) = server {
            let (name, described) = (&server.cost.name, server.describe());
            write!(sentence, ", the server's, {name}, {described}").expect("a String takes all");
        }
        if let Some((due, sent)) = behind {
            write!(sentence, "; {sent} of the {due} messages that were due were sent")
                .expect("a String takes all");
        }
        Self { limit, sentence: Some(sentence) }
    }
}

impl<'a> Thread<'a> {
    fn busiest(threads: &'a [ThreadCost], duration: Duration) -> Option<Self> {
        let seconds = duration.as_secs_f64().max(1e-9);
        let part = |ns| Duration::from_nanos(ns).as_secs_f64() / seconds;
        let threads = threads.iter().map(|cost| Self {
            cost,
            busy: part(cost.cpu_ns()),
            waiting: part(cost.waiting_ns),
        });
        threads.max_by(|one, other| one.wanted().total_cmp(&other.wanted()))
    }

    /// The part of the time that it would have run on a CPU of its own.
    fn wanted(&self) -> f64 {
        self.busy + self.waiting
    }

    fn is_saturated(&self) -> bool {
        self.wanted() > SATURATED
    }

    /// Says which CPUs it shares with `other`: both can go nowhere else, or one had to wait and the
    /// other ran long enough to be a reason.
    fn shares_with(&self, other: &Self) -> Option<String> {
        let (mine, theirs) = (&self.cost.cpus, &other.cost.cpus);
        let common: Vec<String> =
            mine.iter().filter(|cpu| theirs.contains(cpu)).map(ToString::to_string).collect();
        let is_one = mine.len() == 1 && mine == theirs;
        let waits_for =
            |one: &Self, other: &Self| one.waiting > CROWDED && other.busy > one.waiting / 2.0;
        let common = common.join(", ");
        if is_one {
            Some(format!("client and server share CPU {common}"))
        } else if !common.is_empty() && (waits_for(self, other) || waits_for(other, self)) {
            Some(format!("client and server got in each other's way on CPU {common}"))
        } else {
            None
        }
    }

    fn describe(&self) -> String {
        let (busy, waiting) = (self.busy * 100.0, self.waiting * 100.0);
        let mut text = format!("ran {busy:.0} % of the time");
        if self.waiting > CROWDED {
            write!(text, " and waited {waiting:.0} % for a CPU").expect("a String takes all");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread that ran and waited for so many per cent of a second.
    fn thread(name: &str, busy: u64, waiting: u64, cpus: &[usize]) -> ThreadCost {
        ThreadCost {
            name: name.to_owned(),
            user_ns: busy * 4_000_000,
            system_ns: busy * 6_000_000,
            waiting_ns: waiting * 10_000_000,
            cpus: cpus.to_vec(),
            ..ThreadCost::default()
        }
    }

    fn find(
        client: ThreadCost,
        server: Option<ThreadCost>,
        due_and_sent: Option<(u64, u64)>,
    ) -> (Limit, String) {
        let idle = thread("shard-1", 3, 0, &[0]);
        let server = server.map(|busy| [idle, busy]);
        let found = Bottleneck::find(&Sides {
            duration: Duration::from_secs(1),
            clients: &[thread("client-1", 5, 0, &[1]), client],
            server: server.as_ref().map(<[ThreadCost; 2]>::as_slice),
            due_and_sent,
        });
        (found.limit, found.sentence.unwrap_or_default())
    }

    #[test]
    fn whoever_has_no_time_to_spare_is_it() {
        let client = |busy| thread("client-0", busy, 0, &[1]);
        let server = |busy| Some(thread("shard-0", busy, 0, &[0]));
        assert_eq!(find(client(50), server(60), None), (Limit::Neither, String::new()));
        assert_eq!(find(client(50), server(97), None), (Limit::Server, String::new()));
        assert_eq!(
            find(client(97), server(61), None),
            (
                Limit::Client,
                "the client was the bottleneck, not the server: the client's busiest thread ran \
                 97 % of the time, the server's, shard-0, ran 61 % of the time"
                    .to_owned()
            )
        );
        let (limit, sentence) = find(client(98), server(99), None);
        assert_eq!(limit, Limit::Both);
        assert!(sentence.starts_with("the client was as much the bottleneck as"), "{sentence}");
        let (limit, sentence) = find(client(98), None, None);
        assert_eq!(limit, Limit::Client);
        assert!(sentence.contains("--pid would tell"), "{sentence}");
    }

    #[test]
    fn a_rate_that_is_not_kept_is_the_clients_fault() {
        let client = || thread("client-0", 70, 0, &[1]);
        let server = || Some(thread("shard-0", 60, 0, &[0]));
        assert_eq!(find(client(), server(), Some((1000, 995))).0, Limit::Neither);
        let (limit, sentence) = find(client(), server(), Some((1000, 900)));
        assert_eq!(limit, Limit::Client);
        assert!(
            sentence.ends_with("; 900 of the 1000 messages that were due were sent"),
            "{sentence}"
        );
    }

    #[test]
    fn a_cpu_that_both_run_on_is_told() {
        let server = |waiting, cpus| Some(thread("shard-0", 45, waiting, cpus));
        let (limit, sentence) = find(thread("c", 50, 4, &[1]), server(4, &[1]), None);
        assert_eq!(limit, Limit::SharedCpu);
        assert!(sentence.starts_with("client and server share CPU 1: "), "{sentence}");
        let (limit, sentence) = find(thread("c", 50, 44, &[0, 1]), server(30, &[0]), None);
        assert_eq!(limit, Limit::SharedCpu);
        assert!(sentence.starts_with("client and server got in each other's way on CPU 0: "));
        assert!(sentence.contains("waited 44 % for a CPU"), "{sentence}");
        // Two CPUs are enough for two threads that need not wait.
        assert_eq!(find(thread("c", 50, 1, &[0, 1]), server(1, &[0]), None).0, Limit::Neither);
        // It waits for somebody else's process.
        let (limit, sentence) = find(thread("c", 60, 35, &[1]), server(1, &[0]), None);
        assert_eq!(limit, Limit::Client);
        assert!(sentence.contains("ran 60 % of the time and waited 35 % for a CPU"), "{sentence}");
    }
}
