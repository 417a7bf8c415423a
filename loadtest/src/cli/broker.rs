//! Options that say which broker is loaded: one that runs already, or one that is spawned.

use clap::Args;
use mercury::config::Pin;

use super::value::{count, process};
use crate::connection::Target;
use crate::tunnel::Trust;

/// Where a broker listens when only its process is given.
const URL_DEFAULT: &str = "http://127.0.0.1:3000";
/// Shards that a broker may be asked for: more than any machine has cores.
pub(super) const SHARDS_MAX: usize = 1024;

/// Which broker.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct BrokerArgs {
    /// Where a broker listens that runs already; without it one is spawned for the run
    #[arg(long, value_parser = Target::parse)]
    pub(crate) url: Option<Target>,
    /// Certificates that vouch for that broker's, PEM, where the URL begins with https
    #[arg(long, value_name = "FILE", requires = "url", conflicts_with = "insecure")]
    #[arg(value_parser = Trust::from_file)]
    pub(crate) ca: Option<Trust>,
    /// Believe that broker's certificate, whoever made it
    #[arg(long, requires = "url")]
    pub(crate) insecure: bool,
    /// That broker's process, to measure what it costs
    #[arg(long, value_parser = process)]
    pub(crate) pid: Option<u32>,
    /// Spawn a broker of this build, which is the default
    #[arg(long, conflicts_with_all = ["url", "pid"])]
    pub(crate) spawn: bool,
    /// Shards of the spawned broker; one per CPU that it gets when left out
    #[arg(long, value_name = "N", conflicts_with_all = ["url", "pid"])]
    #[arg(value_parser = count(SHARDS_MAX))]
    pub(crate) shards: Option<u32>,
    /// CPUs of its shards: auto, none or a list like 0,2-3
    #[arg(long, value_name = "CPUS", conflicts_with_all = ["url", "pid"], value_parser = pin)]
    pub(crate) pin: Option<String>,
    /// More flags for it, like "--max-outbound 8MiB"
    #[arg(long, value_name = "FLAGS", conflicts_with_all = ["url", "pid"])]
    #[arg(allow_hyphen_values = true)]
    pub(crate) broker: Vec<String>,
    /// Leave it to the kernel where broker and client run, instead of giving each CPUs of its own
    #[arg(long, conflicts_with_all = ["url", "pid"])]
    pub(crate) no_placement: bool,
}

impl BrokerArgs {
    /// Where the broker listens that runs already; none if one is to be spawned.
    pub(crate) fn running(&self) -> Option<Target> {
        let parse = |url| Target::parse(url).expect("the default is a URL");
        let target = self.url.clone().or_else(|| self.pid.map(|_| parse(URL_DEFAULT)))?;
        let trust = self.ca.clone().or_else(|| self.insecure.then(Trust::blind));
        Some(target.trusting(trust))
    }

    /// The words of the spawned broker's command line that these options stand for.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = vec![];
        if let Some(shards) = self.shards {
            flags.extend(["--shards".to_owned(), shards.to_string()]);
        }
        if let Some(pin) = &self.pin {
            flags.extend(["--pin".to_owned(), pin.clone()]);
        }
        flags.extend(self.broker.iter().flat_map(|flags| flags.split_whitespace()).map(Into::into));
        flags
    }
}

/// Checked here, where it costs no start; the broker parses it again.
fn pin(text: &str) -> Result<String, String> {
    match Pin::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("'{text}' {error}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        broker: BrokerArgs,
    }

    fn parse(words: &[&str]) -> Result<BrokerArgs, clap::Error> {
        Words::try_parse_from([&["loadtest"], words].concat()).map(|words| words.broker)
    }

    #[test]
    fn spawns_unless_one_runs() {
        let url = |words: &[&str]| parse(words).unwrap().running().map(|url| url.to_string());
        assert_eq!(url(&[]), None);
        assert_eq!(url(&["--spawn"]), None);
        assert_eq!(url(&["--url", "ws://broker"]).as_deref(), Some("broker:80"));
        let own = std::process::id().to_string();
        assert_eq!(url(&["--pid", &own]).as_deref(), Some("127.0.0.1:3000"));
        for words in ["--spawn", "--shards=2", "--pin=0", "--broker=-v", "--no-placement"] {
            assert!(parse(&[words, "--url", "ws://broker"]).is_err(), "{words}");
            assert!(parse(&[words]).is_ok(), "{words}");
        }
        assert!(parse(&["--pin", "7-4"]).is_err() && parse(&["--shards", "0"]).is_err());
    }

    #[test]
    fn flags_are_words() {
        let words = ["--shards", "2", "--pin", "0,1", "--broker", "--max-outbound 8MiB -i 0"];
        let flags = parse(&words).unwrap().flags();
        let expected = ["--shards", "2", "--pin", "0,1", "--max-outbound", "8MiB", "-i", "0"];
        assert_eq!(flags, expected);
    }
}
