//! Listening sockets that a service manager opened for us: systemd's socket activation
//! (`sd_listen_fds(3)`).

use std::os::unix::ffi::OsStrExt as _;
use std::{env, io, process};

use listenfd::ListenFd;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::listener::{Bound, Opened, tune};
use crate::config::{Config, Listen};
use crate::limits::{INHERITED_MAX, Limits};

/// The number of the first one.
const FIRST: usize = 3;
/// What stands in a URL as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Sockets that were inherited and serve no listener yet.
#[derive(Debug, Default)]
pub struct Inherited(Vec<Passed>);

/// One of them.
#[derive(Debug)]
struct Passed {
    /// What the service manager calls it.
    name: String,
    /// Where it listens, as plain http.
    listen: Listen,
    bound: Bound,
}

/// What was inherited is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum InheritedError {
    /// Not a number, or one that nobody means.
    #[error("LISTEN_FDS is '{0}', which is not a number from 0 to {INHERITED_MAX}")]
    Count(String),
    /// One that nobody can connect to.
    #[error("cannot listen on descriptor {number} of LISTEN_FDS, '{name}': {reason}")]
    Descriptor {
        /// Its number.
        number: usize,
        /// What the service manager calls it.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody asked for it.
    #[error("the inherited socket '{name}' listens on {url}, which no --listen names, nor --admin")]
    Unwanted {
        /// What the service manager calls it.
        name: String,
        /// Where it listens.
        url: String,
    },
}

impl Inherited {
    /// Takes all that were passed to this process, if any were. To be called once, before anything
    /// is opened that stays open: descriptors are known by number.
    pub fn take() -> Result<Self, InheritedError> {
        let variable = |name| env::var(name).unwrap_or_default();
        let count = variable("LISTEN_FDS");
        if count.is_empty() || variable("LISTEN_PID").parse() != Ok(process::id()) {
            return Ok(Self::default());
        }
        if !count.parse::<usize>().is_ok_and(|count| count <= INHERITED_MAX) {
            return Err(InheritedError::Count(count));
        }
        let names = variable("LISTEN_FDNAMES");
        let mut names = names.split(':');
        let mut descriptors = ListenFd::from_env();
        let passed = (0..descriptors.len()).map(|at| {
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown").to_owned();
            let (listen, bound) = recognize(&mut descriptors, at).map_err(|reason| {
                let name = name.clone();
                InheritedError::Descriptor { number: FIRST + at, name, reason }
            })?;
            Ok(Passed { name, listen, bound })
        });
        passed.collect::<Result<_, _>>().map(Self)
    }

    /// Where to listen: where somebody said; else on all of these, as plain http.
    pub(crate) fn listen(&self, config: &Config) -> Vec<Listen> {
        let admin = config.admin.listen.as_ref();
        let is_admin = |listen: &Listen| admin.is_some_and(|admin| admin.is_same_place(listen));
        let all = self.0.iter().map(|passed| &passed.listen);
        let listen: Vec<_> = all.filter(|listen| !is_admin(listen)).cloned().collect();
        if config.listen_is_default && !listen.is_empty() { listen } else { config.listen.clone() }
    }

    /// The inherited socket that listens there already, made ready for clients.
    pub(crate) fn claim(&mut self, listen: &Listen, limits: &Limits) -> io::Result<Option<Opened>> {
        let is_it = |passed: &Passed| passed.listen.is_same_place(listen);
        let Some(at) = self.0.iter().position(is_it) else { return Ok(None) };
        let bound = self.0.remove(at).bound;
        bound.options().set_nonblocking(true)?;
        if let Bound::Tcp(_) = bound {
            tune(&bound.options(), limits)?;
        }
        // the file of a Unix socket is the service manager's, who still listens on it
        Ok(Some(Opened { url: listen.bound(bound.port()), bound, file: None }))
    }

    /// Whether all have found their listener.
    pub(crate) fn check(&self) -> Result<(), InheritedError> {
        let Some(Passed { name, listen, .. }) = self.0.first() else { return Ok(()) };
        Err(InheritedError::Unwanted { name: name.clone(), url: listen.url.clone() })
    }
}

/// What an inherited descriptor listens on; else what is wrong with it.
fn recognize(descriptors: &mut ListenFd, at: usize) -> Result<(Listen, Bound), String> {
    let bound = match descriptors.take_tcp_listener(at) {
        Ok(taken) => taken.map(Bound::Tcp),
        Err(_) => match descriptors.take_unix_listener(at) {
            Ok(taken) => taken.map(Bound::Unix),
            Err(_) => return Err("it is no stream socket of TCP or Unix".to_owned()),
        },
    };
    let bound = bound.expect("each is taken once");
    let socket = bound.options();
    if !socket.is_listener().is_ok_and(|listens| listens) {
        return Err("it does not listen".to_owned());
    }
    let address = socket.local_addr().map_err(|error| error.to_string())?;
    let url = if let Some(address) = address.as_socket() {
        format!("http://{address}")
    } else if let Some(path) = address.as_pathname() {
        format!("http+unix://{}", percent_encode(path.as_os_str().as_bytes(), &PLAIN))
    } else {
        return Err("it is a Unix socket without a file".to_owned());
    };
    let listen = Listen::parse(&url).map_err(|error| format!("{url} {error}"))?;
    Ok((listen, bound))
}
