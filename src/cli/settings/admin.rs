//! The settings of the listener for operators.

use crate::cli::setting::{Setting, Value};
use crate::cli::written::Written;
use crate::config::{Admin, Listen};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::one(
        "admin",
        "URL",
        "Where to answer those who run the broker: health and metrics, http://127.0.0.1:3001",
        |draft, url| {
            let listen = Listen::parse(&url.text).map_err(|error| url.wrong(error))?;
            if listen.tls.is_some() {
                return Err(url.wrong("is https, and --admin speaks http alone"));
            }
            if listen.proxied {
                return Err(url.wrong("has proxy=1, and --admin takes no PROXY header"));
            }
            draft.config.admin.listen = Some(listen);
            Ok(())
        },
        |config, _| match &config.admin.listen {
            None => Value::Unset,
            Some(listen) => Value::Text(listen.url.clone()),
        },
    )
    .default("nowhere"),
    Setting::switch(
        "admin-public",
        "Let --admin be an address that others can reach: there is no login",
        |draft, is_on| draft.config.admin.is_public = is_on,
        |config, _| Value::Switch(config.admin.is_public),
    )
    .default("off"),
    Setting::many(
        "admin-host",
        "NAME",
        "What a request may call the host of --admin, once for each name, besides localhost and \
         IP addresses",
        |draft, names| {
            let parse = |name: &Written| Admin::host(&name.text).map_err(|error| name.wrong(error));
            draft.config.admin.hosts = names.iter().map(parse).collect::<Result<_, _>>()?;
            Ok(())
        },
        |config, _| Value::List(config.admin.hosts.clone()),
    )
    .default("none")
    .or_nothing(),
];
