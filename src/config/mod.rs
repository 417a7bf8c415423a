//! What an operator can set, already parsed and checked.
//!
//! The errors of this folder read on from the value that they are about: `'x' is not a size`.

mod admin;
pub mod conf;
pub mod cores;
pub mod file;
mod listen;
mod log;
pub mod memory;
mod origin;
mod pin;
mod proxies;
mod size;
mod terminal;
mod top;
mod way;

use std::fmt;
use std::num::NonZeroUsize;

use crate::limits::Limits;

pub use admin::{Admin, AdminError, HostError};
pub use listen::{Endpoint, Listen, ListenError, Tls, Verify};
pub use log::{Log, LogFilter, LogFilterError, LogFormat};
pub use origin::{OriginError, Origins, Pattern};
pub use pin::{Pin, PinError};
pub use proxies::{ForwardedField, Network, NetworkError, Proxies};
pub use size::{Size, SizeError};
pub use terminal::{
    Address, AddressError, Form, Input, Output, Reconnect, Route, Supply, Terminal,
};
pub use top::{Target, TargetError, Top};
pub use way::Way;

/// All settings of one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen; every one gets its start-up line.
    pub listen: Vec<Listen>,
    /// Nobody named where: sockets that a service manager passes to us come first.
    pub listen_is_default: bool,
    /// Development shows the page at `/`.
    pub mode: Mode,
    /// Connections that the kernel queues before we accept; `None` is the system's maximum.
    pub accept_backlog: Option<u32>,
    /// The sites that may connect; `None` is all, an empty list nobody.
    pub allow_origin: Option<Origins>,
    /// What is believed of proxies in front.
    pub proxies: Proxies,
    /// Shard threads.
    pub shards: NonZeroUsize,
    /// Acceptor threads.
    pub acceptors: NonZeroUsize,
    /// Which CPU each shard runs on.
    pub pin: Pin,
    /// Where those who run it look at it.
    pub admin: Admin,
    /// Every bound that can be set.
    pub limits: Limits,
}

/// The original's modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The page at `/` is served.
    Development,
    /// It is not.
    Production,
}

impl Mode {
    /// The mode of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "development" => Some(Self::Development),
            "production" => Some(Self::Production),
            _ => None,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Development => "development",
            Self::Production => "production",
        })
    }
}
