//! Where each setting is found: its flag, else the environment, else its default.

use std::num::NonZeroUsize;

use crate::cli::environment::{self, Environment};
use crate::cli::options::{
    BrokerOptions, LimitOptions, LogOptions, OriginalOptions, ShardOptions, TimeoutOptions,
};
use crate::cli::setting::Setting;
use crate::cli::{Exit, LISTEN_DEFAULT};
use crate::config::{Config, Listen, Log, LogFilter, LogFormat, Mode, Pin, Size, cores, memory};
use crate::limits::{HEAD_BYTES_MAX, Limits, SHARDS_PER_ACCEPTOR};
use crate::slow_consumer::SlowConsumer;

/// Threads of one kind: far more than any machine has cores.
const THREADS_MAX: usize = 1024;
/// Connections, topics, jobs: more than memory has room for.
const COUNT_MAX: usize = 1_000_000_000;
/// `listen(2)` takes an `int`.
const ACCEPT_BACKLOG_MAX: usize = 0x7fff_ffff;
/// Percent-encoding triples a topic, and it shares the head with other fields.
const TOPIC_MAX: Size = Size(HEAD_BYTES_MAX / 4);
/// What [`Size`] reads at most, so it bounds nothing more.
const SIZE_MAX: Size = Size(usize::MAX);

/// Everything that was set outside the flags.
pub(super) struct Sources<'a> {
    /// Behind every flag.
    pub(super) environment: Environment<'a>,
}

impl Sources<'_> {
    /// All settings, checked one by one and against each other.
    pub(super) fn settle(&self, options: BrokerOptions) -> Result<(Config, Log), Exit> {
        let BrokerOptions { original, shards, limits, timeouts, logs } = options;
        let mut bounds = Limits::default();
        let memory = limits.memory_max.clone();
        self.set_limits(&mut bounds, limits)?;
        self.set_timeouts(&mut bounds, timeouts)?;
        bounds.check().map_err(Exit::usage)?;
        let log = self.log(logs)?;
        let mut config = self.config(original, shards, bounds)?;
        self.set_memory(&mut config, memory)?;
        Ok((config, log))
    }

    /// The settings that are not limits.
    fn config(
        &self,
        original: OriginalOptions,
        threads: ShardOptions,
        limits: Limits,
    ) -> Result<Config, Exit> {
        let listen = self.listen(original.listen)?;
        let mode = self.find("mode", original.mode, |mode| {
            Mode::parse(&mode.text).ok_or_else(|| mode.wrong("is not development or production"))
        })?;
        let backlog = |setting: &Setting| setting.count(ACCEPT_BACKLOG_MAX);
        let accept_backlog = self.find("backlog", original.backlog, backlog)?;
        let proxy = original.proxy || self.find("proxy", None, Setting::switch)?.unwrap_or(false);
        let count = |setting: &Setting| setting.count(THREADS_MAX);
        let shards = self.find("shards", threads.shards, count)?.unwrap_or_else(cores::usable);
        let acceptors = self.find("acceptors", threads.acceptors, count)?;
        let enough = NonZeroUsize::new(shards.get() / SHARDS_PER_ACCEPTOR);
        let pin = self.find("pin", threads.pin, |pin| {
            Pin::parse(&pin.text).map_err(|error| pin.wrong(error))
        })?;
        Ok(Config {
            listen,
            mode: mode.unwrap_or(Mode::Development),
            accept_backlog: accept_backlog.and_then(|number| u32::try_from(number.get()).ok()),
            proxy,
            shards,
            acceptors: acceptors.or(enough).unwrap_or(NonZeroUsize::MIN),
            pin: pin.unwrap_or(Pin::Auto),
            limits,
        })
    }

    /// A flag names one address, a variable as many as there are between its commas.
    fn listen(&self, given: Vec<String>) -> Result<Vec<Listen>, Exit> {
        let parse =
            |setting: &Setting| Listen::parse(&setting.text).map_err(|error| setting.wrong(error));
        let flag = |text| Setting { source: "--listen".to_owned(), text };
        let mut settings: Vec<_> = given.into_iter().map(flag).collect();
        if settings.is_empty()
            && let Some(Setting { source, text }) = environment::setting(self.environment, "listen")
        {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let variable = |part: &str| Setting { source: source.clone(), text: part.to_owned() };
            settings.extend(parts.map(variable));
            if settings.is_empty() {
                return Err(Setting { source, text }.wrong("names no address"));
            }
        }
        if settings.is_empty() {
            settings.push(flag(LISTEN_DEFAULT.to_owned()));
        }
        settings.iter().map(parse).collect()
    }

    /// Sizes and counts.
    fn set_limits(&self, limits: &mut Limits, options: LimitOptions) -> Result<(), Exit> {
        let size = |setting: &Setting| setting.size(SIZE_MAX);
        let topic = |setting: &Setting| setting.size(TOPIC_MAX);
        let count = |setting: &Setting| setting.count(COUNT_MAX).map(NonZeroUsize::get);
        let or_unlimited = |setting: &Setting| setting.count_or_unlimited(COUNT_MAX);
        let jobs = &mut limits.backlog_messages_max;
        self.set("max-backlog-messages", options.max_backlog_messages, count, jobs)?;
        self.set("clients", options.clients, or_unlimited, &mut limits.connections_max)?;
        let per_ip = &mut limits.address_connections_max;
        self.set("connections-per-ip", options.connections_per_ip, or_unlimited, per_ip)?;
        let rate = Setting::rate_or_unlimited;
        self.set("accept-rate", options.accept_rate, rate, &mut limits.accept_rate_max)?;
        self.set("max-message", options.max_message, size, &mut limits.message_bytes_max)?;
        self.set("max-body", options.max_body, size, &mut limits.body_bytes_max)?;
        limits.make_room();
        self.set("max-bodies", options.max_bodies, size, &mut limits.bodies_bytes_max)?;
        self.set("max-topic", options.max_topic, topic, &mut limits.topic_bytes_max)?;
        self.set("max-topics", options.max_topics, count, &mut limits.topics_max)?;
        self.set("max-outbound", options.max_outbound, size, &mut limits.outbound_bytes_max)?;
        self.set_slow_consumer(&mut limits.slow_consumer, options.slow_consumer)?;
        self.set("max-batch", options.max_batch, size, &mut limits.batch_bytes_max)?;
        self.set("max-backlog", options.max_backlog, size, &mut limits.backlog_bytes_max)?;
        self.set("max-backlogs", options.max_backlogs, size, &mut limits.backlogs_bytes_max)
    }

    /// What is not set holds at least what it must.
    fn set_memory(&self, config: &mut Config, given: Option<String>) -> Result<(), Exit> {
        let threads = config.shards.get() + config.acceptors.get();
        let limits = &mut config.limits;
        limits.memory_bytes_max = memory::half().max(limits.memory_least(threads));
        let size = |setting: &Setting| setting.size(SIZE_MAX);
        self.set("memory-max", given, size, &mut limits.memory_bytes_max)?;
        limits.check_memory(threads).map_err(Exit::usage)
    }

    /// The flag may come several times, each for another pattern.
    fn set_slow_consumer(
        &self,
        policies: &mut SlowConsumer,
        given: Vec<String>,
    ) -> Result<(), Exit> {
        let flag = |text| Setting { source: "--slow-consumer".to_owned(), text };
        let mut settings: Vec<_> = given.into_iter().map(flag).collect();
        if settings.is_empty() {
            settings.extend(environment::setting(self.environment, "slow-consumer"));
        }
        settings.iter().try_for_each(|setting| {
            policies.set(&setting.text).map_err(|error| setting.wrong(error))
        })
    }

    /// Durations.
    fn set_timeouts(&self, limits: &mut Limits, options: TimeoutOptions) -> Result<(), Exit> {
        let length = Setting::duration;
        let or_never = Setting::duration_or_never;
        let at_once = |drain: &Setting| drain.duration_or_never().map(Option::unwrap_or_default);
        let idle = &mut limits.inactivity_max;
        self.set("inactivity-timeout", options.inactivity_timeout, or_never, idle)?;
        self.set("write-timeout", options.write_timeout, length, &mut limits.write_stall_max)?;
        self.set("ping-interval", options.ping_interval, or_never, &mut limits.ping_interval)?;
        self.set("pong-timeout", options.pong_timeout, length, &mut limits.pong_wait_max)?;
        let pull = &mut limits.pull_pong_wait_max;
        self.set("pull-pong-timeout", options.pull_pong_timeout, length, pull)?;
        self.set("drain-timeout", options.drain_timeout, at_once, &mut limits.drain_max)
    }

    /// How and what to log.
    fn log(&self, options: LogOptions) -> Result<Log, Exit> {
        let format = self.find("log-format", options.log_format, |format| {
            LogFormat::parse(&format.text).ok_or_else(|| format.wrong("is not text or json"))
        })?;
        let filter = self.find("log-level", options.log_level, |level| {
            LogFilter::parse(&level.text).map_err(|error| level.wrong(error))
        })?;
        Ok(Log { format: format.unwrap_or(LogFormat::Text), filter: filter.unwrap_or_default() })
    }

    /// Replaces a default by what was set.
    fn set<T>(
        &self,
        flag: &str,
        given: Option<String>,
        parse: impl FnOnce(&Setting) -> Result<T, Exit>,
        place: &mut T,
    ) -> Result<(), Exit> {
        if let Some(value) = self.find(flag, given, parse)? {
            *place = value;
        }
        Ok(())
    }

    /// The value of the flag, else of its strongest variable.
    fn find<T>(
        &self,
        flag: &str,
        given: Option<String>,
        parse: impl FnOnce(&Setting) -> Result<T, Exit>,
    ) -> Result<Option<T>, Exit> {
        let setting = match given {
            Some(text) => Some(Setting { source: format!("--{flag}"), text }),
            None => environment::setting(self.environment, flag),
        };
        setting.as_ref().map(parse).transpose()
    }
}
