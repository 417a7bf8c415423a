//! The broker through its front door, and its core against a model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bus;
mod command_line;
mod draining;
mod faults;
mod joining;
mod model;
mod process;
mod readme;
mod server;
mod shards;
mod socket;
mod stopping;
