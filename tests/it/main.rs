//! The broker through its front door, and its core against a model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod back_pressure;
mod backlog;
mod backlogs;
mod bounds;
mod breaches;
mod bus;
mod closing;
mod frames;
mod handshakes;
mod keepalive;
mod messages;
mod model;
mod pieces;
mod pongs;
mod posts;
mod pubsub;
mod pushpull;
mod readme;
mod routes;
mod server;
mod slow_consumers;
mod topics;
mod wire;
