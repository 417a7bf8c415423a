//! Logs and start-up lines, all on standard error: standard output stays empty.

mod lines;

use std::io::{IsTerminal as _, Write, stderr};
use std::{panic, thread};

use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, error, info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, reload};

use self::lines::Lines;
use crate::config::cores::Plan;
use crate::config::{Config, Log, LogFilter, LogFormat, Origins, Proxies, Size};
use crate::limits::Limits;

/// Target of the start-up lines: scripts wait for them, so no log level hides them.
const START: &str = "mercury::start";

/// Target of panics, which no log level hides either.
const PANIC: &str = "mercury::panic";

/// Which events are logged, to be changed while the broker runs.
#[derive(Debug)]
pub struct Level(reload::Handle<Targets, Registry>);

impl Level {
    /// From here on this filter holds.
    pub fn set(&self, filter: &LogFilter) {
        if let Err(error) = self.0.reload(targets(filter)) {
            error!(%error, "cannot change the log level");
        }
    }
}

/// Sends events to standard error from here on; a second call changes nothing.
pub fn start(log: &Log) -> Level {
    // https://no-color.org
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let ansi = stderr().is_terminal() && !plain;
    let (subscriber, level) = subscriber(log, ansi, stderr);
    // Only tests, which share a thread of execution, start twice.
    subscriber.try_init().ok();
    if log.format == LogFormat::Json {
        panic::set_hook(Box::new(say_panic));
    }
    level
}

/// A panic as an event: what Rust writes of one by itself is several lines, and no JSON.
fn say_panic(panic: &panic::PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no words");
    let location = panic.location().map(ToString::to_string);
    let current = thread::current();
    error!(target: PANIC, thread = current.name(), location, "panicked: {message}");
}

/// Says why the broker could not start, as an event.
pub fn announce_failure(reason: &str) {
    error!(target: START, "{reason}");
}

/// What is known once the broker listens.
#[derive(Debug, Clone, Copy)]
pub struct Announcement<'a> {
    /// One per listener, with the port that was really bound.
    pub urls: &'a [String],
    /// The listener for operators, likewise.
    pub admin: Option<&'a str>,
    /// Threads and limits.
    pub config: &'a Config,
    /// Where the shards run.
    pub pins: &'a Plan,
    /// Sockets that clients may open.
    pub descriptors: usize,
}

/// Says where the broker listens, one line each, then with what.
pub fn announce(format: LogFormat, announcement: &Announcement<'_>) {
    announce_to(&mut stderr(), format, announcement);
}

/// The plain lines go to `lines`, the events to whoever subscribes.
fn announce_to(lines: &mut impl Write, format: LogFormat, announcement: &Announcement<'_>) {
    let Announcement { urls, admin, config, pins, descriptors } = announcement;
    for url in *urls {
        match format {
            // In one write, so that who waits for the line never reads half of it. Nobody may be
            // reading at all; the broker runs all the same.
            LogFormat::Text => drop(lines.write_all(format!("listening on {url}\n").as_bytes())),
            LogFormat::Json => info!(target: START, url, "listening on {url}"),
        }
    }
    if let Some(admin) = admin {
        match format {
            LogFormat::Text => drop(lines.write_all(format!("admin at {admin}\n").as_bytes())),
            LogFormat::Json => info!(target: START, admin, "admin at {admin}"),
        }
    }
    if config.allow_origin.as_ref().is_some_and(Origins::is_empty) {
        warn!(target: START, "allow_origin is an empty list: nobody may connect");
    }
    let proxies = &config.proxies;
    let has_headers = config.listen.iter().any(|listen| listen.proxied);
    let trusted = (proxies.are_believed || has_headers).then(|| proxies.names());
    if trusted.is_none() && proxies.networks != Proxies::DEFAULT_NETWORKS {
        warn!(target: START, "trusted_proxy changes nothing without proxy or ?proxy=1");
    }
    let limits = &config.limits;
    let Limits { message_bytes_max, body_bytes_max, outbound_bytes_max, .. } = *limits;
    let connections = connections(limits.connections_max, *descriptors);
    let memory_max = match limits.memory_bytes_max {
        usize::MAX => "none".to_owned(),
        bytes => Size(bytes).rounded(),
    };
    info!(
        target: START,
        shards = config.shards,
        pins = pins.to_string(),
        acceptors = config.acceptors,
        connections,
        max_message = %Size(message_bytes_max),
        max_body = %Size(body_bytes_max),
        max_outbound = %Size(outbound_bytes_max),
        memory_max = %memory_max,
        worst_case = %Size(limits.worst_case(connections)).rounded(),
        trusted_proxies = trusted,
        proxy_header = proxies.are_believed.then(|| proxies.field.name()),
        "started"
    );
}

/// How many connections fit: what was asked for, as far as descriptors reach.
fn connections(asked: Option<usize>, descriptors: usize) -> usize {
    asked.map_or(descriptors, |asked| asked.min(descriptors))
}

/// Formats what the filter lets through.
fn subscriber<W>(log: &Log, ansi: bool, writer: W) -> (impl Subscriber + Send + Sync, Level)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // its lock is taken where an event is seen for the first time, and when the level changes
    let (filter, handle) = reload::Layer::new(targets(&log.filter));
    // A failed write would be reported to standard error, and panic where that is what failed.
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(ansi)
        .with_writer(Lines { make: writer, format: log.format, ansi })
        .log_internal_errors(false);
    let layer = match log.format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    (tracing_subscriber::registry().with(filter).with(layer), Level(handle))
}

/// What a filter lets through.
fn targets(filter: &LogFilter) -> Targets {
    Targets::new()
        .with_default(filter.level)
        .with_targets(filter.directives.iter().cloned())
        .with_target(START, LevelFilter::INFO)
        .with_target(PANIC, LevelFilter::ERROR)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::num::NonZeroUsize;
    use std::sync::mpsc;

    use super::*;
    use crate::config::{Admin, Mode, Network, Pin, cores};

    /// Sends every line to the test.
    struct Lines(mpsc::SyncSender<String>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8_lossy(bytes).into_owned()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged while `work` runs, and what it writes itself.
    fn logged(format: LogFormat, filter: &str, work: impl FnOnce(&mut Lines)) -> Vec<String> {
        let (sender, receiver) = mpsc::sync_channel(100);
        let mut direct = Lines(sender.clone());
        let log = Log { format, filter: LogFilter::parse(filter).unwrap() };
        let (subscriber, _) = subscriber(&log, false, move || Lines(sender.clone()));
        tracing::subscriber::with_default(subscriber, || work(&mut direct));
        receiver.try_iter().collect()
    }

    fn announced(format: LogFormat, filter: &str) -> Vec<String> {
        announced_with(format, filter, Proxies::default())
    }

    fn announced_with(format: LogFormat, filter: &str, proxies: Proxies) -> Vec<String> {
        let two = NonZeroUsize::new(2).unwrap();
        let config = Config {
            listen: Vec::new(),
            listen_is_default: false,
            mode: Mode::Development,
            accept_backlog: None,
            allow_origin: None,
            proxies,
            shards: two,
            acceptors: NonZeroUsize::MIN,
            pin: Pin::List(vec![5, 7]),
            admin: Admin::default(),
            limits: Limits::default(),
        };
        let urls = ["http://*:3000".to_owned(), "http://127.0.0.1:80".to_owned()];
        let pins = cores::plan(&config.pin, two);
        logged(format, filter, |lines| {
            let announcement = Announcement {
                urls: &urls,
                admin: Some("http://127.0.0.1:3001"),
                config: &config,
                pins: &pins,
                descriptors: 1000,
            };
            announce_to(lines, format, &announcement);
        })
    }

    #[test]
    fn text_names_each_url_on_a_plain_line_at_any_level() {
        for filter in ["info", "off"] {
            let lines = announced(LogFormat::Text, filter);
            assert_eq!(lines[0], "listening on http://*:3000\n");
            assert_eq!(lines[1], "listening on http://127.0.0.1:80\n");
            assert_eq!(lines[2], "admin at http://127.0.0.1:3001\n");
            let expected = "INFO mercury::start: started shards=2 pins=\"5,7\" acceptors=1 \
                            connections=1000 max_message=256KiB max_body=16MiB max_outbound=4MiB \
                            memory_max=none worst_case=5.7GiB\n";
            assert!(lines[3].ends_with(expected), "{}", lines[3]);
            assert_eq!(lines.len(), 4);
        }
    }

    #[test]
    fn json_has_the_url_as_a_field_at_any_level() {
        for filter in ["info", "off"] {
            let lines = announced(LogFormat::Json, filter);
            assert!(lines[0].contains(r#""url":"http://*:3000""#), "{}", lines[0]);
            assert!(lines[1].contains(r#""url":"http://127.0.0.1:80""#), "{}", lines[1]);
            assert!(lines[2].contains(r#""admin":"http://127.0.0.1:3001""#), "{}", lines[2]);
            assert!(lines[3].contains(r#""shards":2"#), "{}", lines[3]);
            assert!(lines[3].contains(r#""pins":"5,7""#), "{}", lines[3]);
            assert!(lines.iter().all(|line| line.starts_with('{') && line.ends_with("}\n")));
            assert_eq!(lines.len(), 4);
        }
    }

    #[test]
    fn proxies_are_named_where_they_are_believed() {
        let proxies = Proxies { are_believed: true, ..Proxies::default() };
        let lines = announced_with(LogFormat::Text, "info", proxies);
        let expected = " trusted_proxies=\"loopback, private\" proxy_header=\"x-forwarded-for\"\n";
        assert!(lines.last().unwrap().ends_with(expected), "{lines:?}");
        let [network] = ["10.1.0.0/16"].map(|text| Network::parse(text).unwrap());
        let proxies = Proxies { networks: vec![network], ..Proxies::default() };
        let lines = announced_with(LogFormat::Text, "info", proxies);
        let warned = lines.iter().any(|line| line.contains("WARN mercury::start: trusted_proxy"));
        assert!(warned, "{lines:?}");
        assert!(!lines.last().unwrap().contains("proxies"), "{lines:?}");
    }

    #[test]
    fn a_directive_holds_for_its_module_alone() {
        let lines = logged(LogFormat::Text, "warn,mercury::http=debug", |_| {
            tracing::debug!(target: "mercury::http::route", "shown");
            tracing::info!(target: "mercury::shard", "hidden");
            tracing::warn!(target: "mercury::shard", "shown");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().all(|line| line.contains("shown")), "{lines:?}");
    }

    #[test]
    fn connections_end_where_descriptors_end() {
        let cases = [(None, 1000, 1000), (Some(10), 1000, 10), (Some(5000), 1000, 1000)];
        for (asked, descriptors, expected) in cases {
            assert_eq!(connections(asked, descriptors), expected);
        }
    }
}
