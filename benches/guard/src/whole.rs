//! What is counted of a whole broker with sockets, as its users pay for it.
//!
//! A broker with one shard runs under callgrind; this process is its clients. They wait for each
//! other, so that the same messages take the same turns. N rounds and 3N rounds are counted, and
//! the difference is 2N rounds without the start, the handshakes and the end.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::Child;

use mercury::cli::{self, Invocation, Surroundings};
use mercury::server::Server;

use crate::callgrind::{self, CallgrindError};
use crate::client::{Client, pause};
use crate::workload::per_unit;

/// Payload of a message.
const MESSAGE_BYTES: u8 = 125;
/// A broker with one shard, somewhere.
const BROKER: [&str; 8] =
    ["mercury", "broker", "--listen", "http://127.0.0.1:0", "--shards", "1", "--pin", "none"];

/// One load on a broker.
pub(crate) struct Load {
    /// What the baseline calls it.
    pub(crate) name: &'static str,
    /// Where messages are sent, and where they come out.
    paths: [&'static str; 2],
    /// Those who get them.
    receivers: usize,
    /// Messages of one round, which are sent in one write.
    messages: usize,
    /// Whether each receiver gets all of them; else they share.
    is_fan_out: bool,
    /// N.
    rounds: usize,
}

/// All of them.
pub(crate) const ALL: [Load; 4] = [
    Load {
        name: "broker-deliver-100-batch-1",
        paths: ["/pub/t", "/sub/t"],
        receivers: 100,
        messages: 1,
        is_fan_out: true,
        rounds: 300,
    },
    Load {
        name: "broker-deliver-100-batch-16",
        paths: ["/pub/t", "/sub/t"],
        receivers: 100,
        messages: 16,
        is_fan_out: true,
        rounds: 300,
    },
    Load {
        name: "broker-publish",
        paths: ["/pub/t", "/sub/t"],
        receivers: 1,
        messages: 1,
        is_fan_out: true,
        rounds: 1000,
    },
    Load {
        name: "broker-jobs-8",
        paths: ["/push/t", "/pull/t"],
        receivers: 8,
        messages: 16,
        is_fan_out: false,
        rounds: 500,
    },
];

impl Load {
    /// Instructions of the broker for one delivery.
    pub(crate) fn count(&self) -> Result<f64, CallgrindError> {
        let few = self.run(self.rounds)?;
        let many = self.run(3 * self.rounds)?;
        let copies = if self.is_fan_out { self.receivers } else { 1 };
        Ok(per_unit(many.saturating_sub(few), 2 * self.rounds * self.messages * copies))
    }

    /// The instructions of a broker that lives for so many rounds.
    fn run(&self, rounds: usize) -> Result<u64, CallgrindError> {
        let mut broker = callgrind::start(None, &["--serve"])?;
        match self.converse(&mut broker, rounds) {
            Ok(_clients) => callgrind::end(self.name, broker),
            Err(source) => Err(callgrind::give_up(self.name, broker, &source)),
        }
    }

    /// The clients' side; they are still connected when it is done.
    fn converse(&self, broker: &mut Child, rounds: usize) -> io::Result<Vec<Client>> {
        let mut line = String::new();
        BufReader::new(broker.stdout.take().expect("it is piped")).read_line(&mut line)?;
        let url = line.trim_end().trim_start_matches("http://");
        let address: SocketAddr =
            url.parse().map_err(|_| io::Error::other(format!("it listens on '{url}'")))?;
        let connect = |_| Client::connect(address, self.paths[1]);
        let mut clients = (0..self.receivers).map(connect).collect::<io::Result<Vec<_>>>()?;
        let mut sender = Client::connect(address, self.paths[0])?;
        let share = if self.is_fan_out { self.messages } else { self.messages / self.receivers };
        for _ in 0..rounds {
            sender.send(self.messages, MESSAGE_BYTES)?;
            for client in &mut clients {
                client.receive(share, MESSAGE_BYTES)?;
            }
            pause();
        }
        clients.push(sender);
        Ok(clients)
    }
}

/// The broker's side: says where it listens, and is there until its input ends.
pub(crate) fn serve() -> Result<(), CallgrindError> {
    let broken = |source| CallgrindError::Broken { what: "the broker".to_owned(), source };
    let Ok(Invocation::Broker { config, .. }) =
        cli::parse(BROKER.map(OsString::from), &Surroundings::NONE)
    else {
        unreachable!("the options are right");
    };
    let server = Server::start(&config).map_err(|error| broken(io::Error::other(error)))?;
    println!("{}", server.urls()[0]);
    io::stdin().read_to_end(&mut vec![]).map_err(broken)?;
    // without a goodbye, which would take as many turns as it happens to
    std::process::exit(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_shared_out_evenly() {
        for load in ALL.iter().filter(|load| !load.is_fan_out) {
            assert!(load.messages.is_multiple_of(load.receivers), "{}", load.name);
        }
    }
}
