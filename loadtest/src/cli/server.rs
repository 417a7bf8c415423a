//! Options that say what kind of server is on the other side.

use clap::Args;

use crate::dialect::Dialect;
use crate::subscriber::Client;

/// How the server is spoken to.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerArgs {
    /// Whose protocol is spoken inside the frames
    #[arg(long, value_enum, default_value_t)]
    pub(crate) dialect: Dialect,
    /// Path of who receives, with {topic} for its topic, if not mercury's or the dialect's
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(crate) sub_path: Option<String>,
    /// What reads the frames
    #[arg(long, value_enum, default_value_t)]
    pub(crate) client: Client,
}

impl ServerArgs {
    /// The path of a connection on `topic`: as `template` says, or else by mercury's `route`.
    pub(crate) fn path(&self, template: Option<&str>, route: &str, topic: &str) -> String {
        match template {
            Some(template) => template.replace("{topic}", topic),
            None if self.dialect == Dialect::Mercury => format!("/{route}/{topic}"),
            None => "/".to_owned(),
        }
    }
}

pub(super) fn path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a path begins with a slash and has no spaces".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let mut args = ServerArgs::default();
        let template = Some("/p?id={topic}");
        assert_eq!(args.path(None, "sub", "t-1"), "/sub/t-1");
        assert_eq!(args.path(template, "pub", "t-1"), "/p?id=t-1");
        args.dialect = Dialect::Nats;
        assert_eq!(args.path(None, "sub", "t-1"), "/");
        assert_eq!(args.path(template, "pub", "t-1"), "/p?id=t-1");
        assert!(path("sub/{topic}").is_err() && path("/a b").is_err() && path("/").is_ok());
    }
}
