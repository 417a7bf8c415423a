//! One subscriber in trouble, or the machine: the others lose nothing and go on, the log says who,
//! and nothing stays behind.

mod addresses;
mod cgroup;
mod crowds;
mod footprint;
mod innocents;
mod links;
mod namespace;
mod proxy;
mod quotas;
mod receivers;
mod root;
