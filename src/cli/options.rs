//! The flags as clap reads them: text only, since the environment is read by the same rules.
//!
//! The first sentence of a field is its line in the help; [`super::help`] adds default and
//! variables.

use clap::{Args, Parser, Subcommand};

/// The heading of what users of the Perl broker know.
const ORIGINAL: &str = "The original's options";

/// A WebSocket message broker: the URL is the protocol.
#[derive(Debug, Parser)]
#[command(name = "mercury", version, max_term_width = 100)]
pub(super) struct Arguments {
    /// What to do; nothing is a call for help.
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// What mercury can do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the broker until SIGTERM or SIGINT
    #[command(allow_negative_numbers = true, args_override_self = true)]
    Broker(Box<BrokerOptions>),
    /// Print the version
    Version,
}

/// Everything that `mercury broker` takes.
#[derive(Debug, Args)]
pub(super) struct BrokerOptions {
    /// Those that the Perl broker had.
    #[command(flatten)]
    pub(super) original: OriginalOptions,
    /// Threads.
    #[command(flatten)]
    pub(super) shards: ShardOptions,
    /// Sizes and counts.
    #[command(flatten)]
    pub(super) limits: LimitOptions,
    /// Durations.
    #[command(flatten)]
    pub(super) timeouts: TimeoutOptions,
    /// What goes to standard error.
    #[command(flatten)]
    pub(super) logs: LogOptions,
}

/// Name and meaning as in the original.
#[derive(Debug, Args)]
#[command(next_help_heading = ORIGINAL)]
pub(super) struct OriginalOptions {
    /// Where to listen, once for each address: http://HOST:PORT, HOST an IP address, localhost or *
    #[arg(short, long, value_name = "URL")]
    pub(super) listen: Vec<String>,
    /// development shows the demo page at /, production does not
    #[arg(short, long, value_name = "MODE")]
    pub(super) mode: Option<String>,
    /// Connections that the kernel queues until they are accepted
    #[arg(short, long, value_name = "N")]
    pub(super) backlog: Option<String>,
    /// Believe X-Forwarded-For and X-Forwarded-Proto
    #[arg(short, long)]
    pub(super) proxy: bool,
}

/// Threads and their CPUs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Shards")]
pub(super) struct ShardOptions {
    /// Threads that topics are spread over
    #[arg(long, value_name = "N")]
    pub(super) shards: Option<String>,
    /// CPUs of the shards: auto, none, or a list like 0,2,4-7
    #[arg(long, value_name = "CPUS")]
    pub(super) pin: Option<String>,
    /// Threads that accept connections and speak HTTP
    #[arg(long, value_name = "N")]
    pub(super) acceptors: Option<String>,
}

/// Sizes and counts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitOptions {
    /// WebSocket connections at once, 0 is no limit
    #[arg(short, long, help_heading = ORIGINAL, value_name = "N")]
    pub(super) clients: Option<String>,
    /// TCP connections of one client at once, an IPv4 address or an IPv6 /64, 0 is no limit
    #[arg(long, value_name = "N")]
    pub(super) connections_per_ip: Option<String>,
    /// New TCP connections of all clients: 100/s, 6000/m or a number a second, 0 is no limit
    #[arg(long, value_name = "RATE")]
    pub(super) accept_rate: Option<String>,
    /// Payload of one WebSocket message
    #[arg(long, value_name = "SIZE")]
    pub(super) max_message: Option<String>,
    /// Body of one POST
    #[arg(long, value_name = "SIZE")]
    pub(super) max_body: Option<String>,
    /// Bodies of all POSTs in flight
    #[arg(long, value_name = "SIZE")]
    pub(super) max_bodies: Option<String>,
    /// Name of a topic, decoded
    #[arg(long, value_name = "SIZE")]
    pub(super) max_topic: Option<String>,
    /// Topics at once
    #[arg(long, value_name = "N")]
    pub(super) max_topics: Option<String>,
    /// What may wait for one receiver, at least twice --max-message
    #[arg(long, value_name = "SIZE")]
    pub(super) max_outbound: Option<String>,
    /// What to do with a receiver over --max-outbound: close, drop-oldest or drop-newest, for one
    /// pattern with bus= or pubsub= in front
    #[arg(long, value_name = "POLICY")]
    pub(super) slow_consumer: Vec<String>,
    /// What all queues may hold together
    #[arg(long, value_name = "SIZE")]
    pub(super) memory_max: Option<String>,
    /// What a topic may gather before its publishers wait
    #[arg(long, value_name = "SIZE")]
    pub(super) max_batch: Option<String>,
    /// Jobs that wait in one topic for a puller, their payload
    #[arg(long, value_name = "SIZE")]
    pub(super) max_backlog: Option<String>,
    /// Jobs that wait in one topic for a puller, their number
    #[arg(long, value_name = "N")]
    pub(super) max_backlog_messages: Option<String>,
    /// Payload that waits in all backlogs
    #[arg(long, value_name = "SIZE")]
    pub(super) max_backlogs: Option<String>,
}

/// Durations.
#[derive(Debug, Args)]
#[command(next_help_heading = "Timeouts")]
pub(super) struct TimeoutOptions {
    /// Close a connection on which nothing came and no message went for this long, 0 is never
    #[arg(short, long, help_heading = ORIGINAL, value_name = "DURATION")]
    pub(super) inactivity_timeout: Option<String>,
    /// Give a receiver up when a write to it makes no progress for this long
    #[arg(long, value_name = "DURATION")]
    pub(super) write_timeout: Option<String>,
    /// Ping a connection that was silent for this long, 0 is never
    #[arg(long, value_name = "DURATION")]
    pub(super) ping_interval: Option<String>,
    /// Drop a connection that does not answer a ping for this long
    #[arg(long, value_name = "DURATION")]
    pub(super) pong_timeout: Option<String>,
    /// The same for a puller, which may be busy with a job
    #[arg(long, value_name = "DURATION")]
    pub(super) pull_pong_timeout: Option<String>,
    /// How long stopping may take, 0 cuts at once
    #[arg(long, value_name = "DURATION")]
    pub(super) drain_timeout: Option<String>,
}

/// What goes to standard error.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs")]
pub(super) struct LogOptions {
    /// text or json
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<String>,
    /// trace, debug, info, warn, error or off, and other levels for modules: warn,hyper=error
    #[arg(long, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
}
