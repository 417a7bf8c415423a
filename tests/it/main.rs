//! The broker through its front door, and its core against a model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bus;
mod model;
mod readme;
mod server;
