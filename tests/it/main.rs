//! The broker through its front door, and its core against a model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backlog;
mod bus;
mod closing;
mod handshakes;
mod messages;
mod model;
mod posts;
mod pubsub;
mod pushpull;
mod readme;
mod routes;
mod server;
mod topics;
mod wire;
