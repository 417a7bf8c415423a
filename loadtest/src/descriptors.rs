//! A connection is a descriptor, and the limit of a login shell is often 1,024.

use std::io::Error;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Beside the connections: what this process has open itself, and what a broker under the same
/// limit keeps for itself.
const RESERVED: u64 = 128;

/// Raises the limit as far as we may, and sees that `connections` fit; the error is a sentence that
/// says what to do.
pub(crate) fn provide(connections: usize) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("the descriptor limit: {}", Error::from(error)))?;
    match raised.current {
        Some(most) => fits(connections as u64, most),
        None => Ok(()),
    }
}

fn fits(connections: u64, most: u64) -> Result<(), String> {
    let needed = connections + RESERVED;
    if needed <= most {
        return Ok(());
    }
    Err(format!(
        "{connections} connections need {needed} descriptors, and the hard limit is {most}: raise \
         it as root with `ulimit -n {needed}` in this shell, or with LimitNOFILE={needed} in a \
         systemd unit or nofile in /etc/security/limits.conf"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_a_reserve_fit() {
        assert_eq!(fits(872, 1000), Ok(()));
        let error = fits(873, 1000).unwrap_err();
        assert!(error.starts_with("873 connections need 1001 descriptors, and the hard limit is"));
        assert!(error.contains("ulimit -n 1001") && error.contains("LimitNOFILE=1001"), "{error}");
    }
}
