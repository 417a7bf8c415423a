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
    /// The same of who sends
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(crate) pub_path: Option<String>,
    /// The server answers who sends; what is no message of ours is no fault there
    #[arg(long)]
    pub(crate) answers: bool,
    /// What reads the frames
    #[arg(long, value_enum, default_value_t)]
    pub(crate) client: Client,
}

impl ServerArgs {
    /// The path of a connection on `topic`, by mercury's `route`.
    pub(crate) fn path(&self, route: &str, receives: bool, topic: &str) -> String {
        match if receives { &self.sub_path } else { &self.pub_path } {
            Some(template) => template.replace("{topic}", topic),
            None if self.dialect == Dialect::Mercury => format!("/{route}/{topic}"),
            None => "/".to_owned(),
        }
    }
}

fn path(text: &str) -> Result<String, String> {
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
        let mut args = ServerArgs { pub_path: Some("/p?id={topic}".to_owned()), ..<_>::default() };
        assert_eq!(args.path("sub", true, "t-1"), "/sub/t-1");
        assert_eq!(args.path("pub", false, "t-1"), "/p?id=t-1");
        args.dialect = Dialect::Nats;
        assert_eq!(args.path("sub", true, "t-1"), "/");
        assert_eq!(args.path("pub", false, "t-1"), "/p?id=t-1");
        assert!(path("sub/{topic}").is_err() && path("/a b").is_err() && path("/").is_ok());
    }
}
