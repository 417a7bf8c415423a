//! The broker through its front door, and its core against a model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod back_pressure;
mod backlogs;
mod bounds;
mod breaches;
mod bus;
mod frames;
mod keepalive;
mod model;
mod pieces;
mod pongs;
mod server;
mod slow_consumers;
