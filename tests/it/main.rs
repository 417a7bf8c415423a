//! The broker's core against a model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod model;
