//! Where those who run the broker look at it: a listener of their own.

use super::{Endpoint, Listen};

/// The listener for operators, and who may reach it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens; `None` is nowhere.
    pub listen: Option<Listen>,
    /// Whether others than this machine may reach it.
    pub is_public: bool,
    /// Names that a request may call it by, besides `localhost` and addresses: lower case.
    pub hosts: Vec<String>,
}

/// Others could reach it, and nobody said that they may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "--admin is {url}, which others can reach, and there is no login: --admin-public allows it"
)]
pub struct AdminError {
    /// Where it was to listen.
    pub url: String,
}

/// Not a name by which a host is called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a host's name like mercury.example, without a port")]
pub struct HostError;

impl Admin {
    /// Whether nobody can reach it who should not.
    pub fn check(&self) -> Result<(), AdminError> {
        let Some(Listen { url, endpoint, .. }) = &self.listen else { return Ok(()) };
        match endpoint {
            Endpoint::Tcp { address, .. } if !self.is_public && !address.ip().is_loopback() => {
                Err(AdminError { url: url.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Reads a name for [`Admin::hosts`].
    pub fn host(text: &str) -> Result<String, HostError> {
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if text.split('.').all(is_label) { Ok(text.to_ascii_lowercase()) } else { Err(HostError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(url: &str, is_public: bool) -> Admin {
        Admin { listen: Some(Listen::parse(url).unwrap()), is_public, hosts: vec![] }
    }

    #[test]
    fn others_reach_it_only_where_somebody_said_so() {
        for url in [
            "http://127.0.0.1:1",
            "http://127.9.9.9:1",
            "http://localhost:1",
            "http://[::1]:1",
            "http+unix://m",
        ] {
            assert_eq!(admin(url, false).check(), Ok(()), "{url}");
        }
        for url in ["http://*:1", "http://0.0.0.0:1", "http://[::]:1", "http://192.0.2.1:1"] {
            assert_eq!(admin(url, false).check(), Err(AdminError { url: url.to_owned() }));
            assert_eq!(admin(url, true).check(), Ok(()), "{url}");
        }
        assert_eq!(Admin::default().check(), Ok(()));
    }

    #[test]
    fn a_host_is_a_name_alone() {
        assert_eq!(Admin::host("Mercury.Example").as_deref(), Ok("mercury.example"));
        assert_eq!(Admin::host("node-1").as_deref(), Ok("node-1"));
        for wrong in ["", ".", "a.", "a:80", "http://a", "a/b", "*", "[::1]", "bücher.example"] {
            assert_eq!(Admin::host(wrong), Err(HostError), "{wrong}");
        }
    }
}
