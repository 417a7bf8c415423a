//! TLS by rustls: what a listener shows of itself, and one connection's records. Nothing here does
//! IO, but for reading the files of certificates.

mod pair;
mod session;
#[cfg(test)]
mod tests;
mod trust;
mod watch;

pub use self::pair::{FilesError, Why, server_config};
pub use self::session::{Broken, Session, WIRE_BYTES};
pub use self::trust::{TrustError, client_config};
pub use self::watch::Watch;
