//! The broker through its front door, and its core against a model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod back_pressure;
mod backlog;
mod backlogs;
mod bounds;
mod breaches;
mod bus;
mod closing;
mod command_line;
mod descriptors;
mod draining;
mod dropping;
mod faults;
mod floods;
mod frames;
mod handshakes;
mod heads;
mod joining;
mod keepalive;
mod many_topics;
mod memory;
mod messages;
mod model;
mod panics;
mod pieces;
mod pongs;
mod posts;
mod process;
mod pubsub;
mod pushpull;
mod readme;
mod resets;
mod routes;
mod server;
mod shards;
mod slow_consumers;
mod slow_requests;
mod smuggling;
mod socket;
mod stopping;
mod tiny_floods;
mod topics;
mod trouble;
mod turnstile;
mod wire;
