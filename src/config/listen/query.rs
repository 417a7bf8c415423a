//! What a listening address says behind its `?`.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::Scheme::{self, Http, HttpUnix, Https};
use super::{ListenError, decoded};

/// A path in a sentence.
const FILE: &str = "must be the path of a file";

/// What https needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, and those that lead to its authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities whose clients' certificates are good; `None` asks no client for one.
    pub ca: Option<PathBuf>,
    /// Whether a client needs a certificate.
    pub verify: Verify,
}

/// What a client without a certificate is told. One with a bad certificate is never let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// It is not even asked.
    None,
    /// It may come in, as in the original.
    #[default]
    Optional,
    /// It may not.
    Required,
}

/// All that a query can say.
#[derive(Debug, Default)]
pub(super) struct Query {
    /// `reuse=1`.
    pub(super) reuse: bool,
    /// `proxy=1`.
    pub(super) proxied: bool,
    /// `mode=660`.
    pub(super) mode: Option<u32>,
    /// https's, which it must have.
    pub(super) tls: Option<Tls>,
}

/// A query that may have only some of what it needs.
#[derive(Debug, Default)]
struct Draft {
    query: Query,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    ca: Option<PathBuf>,
    verify: Option<Verify>,
}

/// One thing that a query can say.
struct Parameter {
    name: &'static str,
    schemes: &'static [Scheme],
    /// Takes the value over, or says what it must be.
    set: fn(&mut Draft, &OsStr) -> Result<(), &'static str>,
}

const PARAMETERS: [Parameter; 7] = [
    Parameter {
        name: "reuse",
        schemes: &[Http, Https],
        set: |draft, value| switch(value).map(|is_on| draft.query.reuse = is_on),
    },
    Parameter {
        name: "proxy",
        schemes: &[Http, Https, HttpUnix],
        set: |draft, value| switch(value).map(|is_on| draft.query.proxied = is_on),
    },
    Parameter {
        name: "mode",
        schemes: &[HttpUnix],
        set: |draft, value| permissions(value).map(|mode| draft.query.mode = Some(mode)),
    },
    Parameter {
        name: "cert",
        schemes: &[Https],
        set: |draft, value| file(value).map(|path| draft.cert = Some(path)),
    },
    Parameter {
        name: "key",
        schemes: &[Https],
        set: |draft, value| file(value).map(|path| draft.key = Some(path)),
    },
    Parameter {
        name: "ca",
        schemes: &[Https],
        set: |draft, value| file(value).map(|path| draft.ca = Some(path)),
    },
    Parameter {
        name: "verify",
        schemes: &[Https],
        set: |draft, value| Verify::parse(value).map(|verify| draft.verify = Some(verify)),
    },
];

impl Query {
    /// Reads `name=value&name=value`.
    pub(super) fn parse(scheme: Scheme, query: &str) -> Result<Self, ListenError> {
        let mut draft = Draft::default();
        let mut seen = vec![];
        for text in query.split('&').filter(|text| !text.is_empty()) {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            let parameter = Parameter::find(scheme, name)?;
            let name = parameter.name;
            if seen.contains(&name) {
                return Err(ListenError::ParameterTwice(name));
            }
            seen.push(name);
            (parameter.set)(&mut draft, &decoded(value)?).map_err(|must| {
                ListenError::ParameterValue { name, value: value.to_owned(), must }
            })?;
        }
        draft.settle(scheme)
    }
}

impl Draft {
    fn settle(self, scheme: Scheme) -> Result<Query, ListenError> {
        let Self { mut query, cert, key, ca, verify } = self;
        if scheme == Https {
            if verify.is_some_and(|verify| verify != Verify::None) && ca.is_none() {
                return Err(ListenError::AuthorityMissing);
            }
            query.tls = Some(Tls {
                cert: cert.ok_or(ListenError::CertificateMissing("cert"))?,
                key: key.ok_or(ListenError::CertificateMissing("key"))?,
                verify: verify.unwrap_or_default(),
                ca,
            });
        }
        Ok(query)
    }
}

impl Parameter {
    fn find(scheme: Scheme, name: &str) -> Result<&'static Self, ListenError> {
        let names = |schemes: &[Scheme]| {
            schemes.iter().map(|scheme| scheme.name()).collect::<Vec<_>>().join(" and ")
        };
        match PARAMETERS.iter().find(|parameter| parameter.name == name) {
            Some(parameter) if parameter.schemes.contains(&scheme) => Ok(parameter),
            Some(Self { name, schemes, .. }) => {
                Err(ListenError::ParameterElsewhere { name, schemes: names(schemes) })
            }
            None => {
                let known = PARAMETERS.iter().filter(|known| known.schemes.contains(&scheme));
                Err(ListenError::ParameterUnknown {
                    name: name.to_owned(),
                    scheme: scheme.name(),
                    known: known.map(|known| known.name).collect::<Vec<_>>().join(", "),
                })
            }
        }
    }
}

impl Verify {
    /// As the original's library for TLS counts it.
    fn parse(value: &OsStr) -> Result<Self, &'static str> {
        match value.to_str() {
            Some("0" | "0x00") => Ok(Self::None),
            Some("1" | "0x01") => Ok(Self::Optional),
            Some("3" | "0x03") => Ok(Self::Required),
            _ => Err("is 0 (no client certificate), 1 (if it has one) or 3 (required)"),
        }
    }
}

fn switch(value: &OsStr) -> Result<bool, &'static str> {
    match value.to_str() {
        Some("1") => Ok(true),
        Some("0") => Ok(false),
        _ => Err("is 1 or 0"),
    }
}

/// Permissions of a socket's file, of which connecting needs the one to write (unix(7)).
fn permissions(value: &OsStr) -> Result<u32, &'static str> {
    let digits = value.to_str().filter(|digits| matches!(digits.len(), 3 | 4));
    let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let mode = digits.and_then(|digits| u32::from_str_radix(digits, 8).ok());
    match mode.filter(|mode| *mode <= 0o777) {
        Some(mode) if mode & 0o222 == 0 => Err("lets nobody write, so nobody could connect"),
        Some(mode) => Ok(mode),
        None => Err("is permissions in octal, like 660"),
    }
}

fn file(value: &OsStr) -> Result<PathBuf, &'static str> {
    if value.is_empty() { Err(FILE) } else { Ok(value.into()) }
}
