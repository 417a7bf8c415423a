//! The settings of proxies in front, beside the original's `--proxy`.

use crate::cli::setting::{Setting, Value};
use crate::cli::written::Written;
use crate::config::{ForwardedField, Network};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::many(
        "trusted-proxy",
        "NETWORK",
        "Where the proxies are that --proxy and ?proxy=1 believe, once for each: 10.0.0.0/8, an \
         address, loopback, private",
        |draft, networks| {
            let parse = |one: &Written| Network::parse(&one.text).map_err(|error| one.wrong(error));
            draft.config.proxies.networks = networks.iter().map(parse).collect::<Result<_, _>>()?;
            Ok(())
        },
        |config, _| Value::List(config.proxies.networks.iter().map(Network::to_string).collect()),
    )
    .default("loopback and private networks"),
    Setting::one(
        "proxy-header",
        "FIELD",
        "Field in which proxies say whose a request is, x-forwarded-for or forwarded; the other \
         is ignored",
        |draft, name| {
            let wrong = || name.wrong("is not x-forwarded-for or forwarded");
            draft.config.proxies.field = ForwardedField::parse(&name.text).ok_or_else(wrong)?;
            Ok(())
        },
        |config, _| Value::Text(config.proxies.field.name().to_owned()),
    ),
];
