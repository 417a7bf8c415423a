//! The settings that the original has, name and meaning.

use super::duration;
use crate::cli::setting::{Setting, Value};
use crate::cli::written::{AUTO, Written};
use crate::config::{Listen, Mode, Origins, Pattern};

/// `listen(2)` takes an `int`.
const ACCEPT_BACKLOG_MAX: usize = 0x7fff_ffff;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::many(
        "listen",
        "URL",
        "Where to listen, once for each address: http://HOST:PORT, HOST an IP address, localhost \
         or *; or http+unix://FILE, / in it written %2F",
        |draft, urls| {
            let parse = |url: &Written| Listen::parse(&url.text).map_err(|error| url.wrong(error));
            let listen = urls.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
            for (number, (one, url)) in listen.iter().zip(urls).enumerate() {
                for other in &listen[..number] {
                    one.check_beside(other).map_err(|error| url.wrong(error))?;
                }
            }
            draft.config.listen = listen;
            draft.config.listen_is_default = false;
            Ok(())
        },
        |config, _| Value::List(config.listen.iter().map(|listen| listen.url.clone()).collect()),
    )
    .short('l')
    .theirs(&["MOJO_LISTEN"]),
    Setting::many(
        "allow-origin",
        "PATTERN",
        "Sites that may connect, once for each: example.com, https://example.com:8080, \
         *.example.com, * for all, null, none for requests without an Origin",
        |draft, patterns| {
            let parse = |one: &Written| Pattern::parse(&one.text).map_err(|error| one.wrong(error));
            let patterns = patterns.iter().map(parse).collect::<Result<_, _>>()?;
            draft.config.allow_origin = Some(Origins::new(patterns));
            Ok(())
        },
        |config, _| match &config.allow_origin {
            None => Value::Unset,
            Some(origins) => Value::List(origins.texts().map(str::to_owned).collect()),
        },
    )
    .default("everybody may connect")
    .or_nothing()
    .live(|new, old| old.0.allow_origin.clone_from(&new.0.allow_origin)),
    Setting::one(
        "mode",
        "MODE",
        "development shows the demo page at /, production does not",
        |draft, mode| {
            let wrong = || mode.wrong("is not development or production");
            draft.config.mode = Mode::parse(&mode.text).ok_or_else(wrong)?;
            Ok(())
        },
        |config, _| Value::Text(config.mode.to_string()),
    )
    .short('m')
    .theirs(&["MOJO_MODE", "PLACK_ENV"]),
    Setting::one(
        "backlog",
        "N",
        "Connections that the kernel queues until they are accepted",
        |draft, backlog| {
            draft.config.accept_backlog = if backlog.is_auto() {
                None
            } else {
                u32::try_from(backlog.count(ACCEPT_BACKLOG_MAX)?.get()).ok()
            };
            Ok(())
        },
        |config, _| match config.accept_backlog {
            None => Value::Text(AUTO.to_owned()),
            Some(backlog) => Value::Number(backlog as usize),
        },
    )
    .short('b')
    .auto("the system's maximum"),
    Setting::switch(
        "proxy",
        "Believe trusted proxies in front when they name the client of a request",
        |draft, is_on| draft.config.proxies.are_believed = is_on,
        |config, _| Value::Switch(config.proxies.are_believed),
    )
    .short('p')
    .default("off")
    .theirs(&["MOJO_REVERSE_PROXY"]),
    Setting::one(
        "clients",
        "N",
        "WebSocket connections at once, 0 is no limit",
        |draft, clients| {
            draft.config.limits.connections_max = clients.count_or_unlimited()?;
            Ok(())
        },
        |config, _| Value::Number(config.limits.connections_max.unwrap_or(0)),
    )
    .short('c')
    .default("as many as there are descriptors"),
    Setting::one(
        "inactivity-timeout",
        "DURATION",
        "Close a connection on which nothing came and no message went for this long, 0 is never",
        |draft, idle| {
            draft.config.limits.inactivity_max = idle.duration_or_never()?;
            Ok(())
        },
        |config, _| duration(config.limits.inactivity_max),
    )
    .live(|new, old| old.0.limits.inactivity_max = new.0.limits.inactivity_max)
    .short('i'),
];
