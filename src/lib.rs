//! A WebSocket message broker whose URL is its protocol.
//!
//! Modules stand in ranks, and each imports only from a lower one: `main` 8, `command` 7, `server`,
//! `cli`, `systemd`, `telemetry`, `terminal`, `top` 6, `shard` 5, `http` and `connection` 4,
//! `handover` 3, `broker` 2, `outbound` 1, and at the bottom `frame`, `close`, `refusal`, `code`,
//! `cause`, `grouped`, `rate`, `slow_consumer`, `slack`, `limits`, `metrics`, `memory`, `heap`,
//! `signals`, `config`, `contents`, `tls`, `socket`, `faults`. The picture and the reasons are in
//! `docs/architecture.md`.

pub mod broker;
mod cause;
pub mod cli;
pub mod close;
pub mod code;
pub mod command;
pub mod config;
mod connection;
mod contents;
mod faults;
pub mod frame;
pub mod grouped;
mod handover;
mod heap;
mod http;
pub mod limits;
pub mod memory;
pub mod metrics;
pub mod outbound;
pub mod rate;
pub mod refusal;
pub mod server;
mod shard;
mod signals;
mod slack;
pub mod slow_consumer;
mod socket;
pub mod systemd;
pub mod telemetry;
mod terminal;
pub mod tls;
mod top;

#[cfg(feature = "fuzz")]
pub use http::fuzz;

/// What `benches/` measures though it is nobody else's.
#[cfg(feature = "benches")]
#[doc(hidden)]
pub mod bench {
    pub use crate::broker::bench::{Names, Turns};
    pub use crate::handover::bench::{Acceptor, Answer, Shard, crossing};
}
