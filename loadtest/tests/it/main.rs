//! The load tester through its front door.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod comparing;
mod idle;
mod integrity;
mod many_connections;
mod peer;
mod program;
mod readers;
mod reports;
mod scenarios;
mod spawning;
mod storm;
mod sweeping;
mod threads;
