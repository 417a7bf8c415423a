//! The page at `/` in development mode: what newcomers try the patterns on. All of it is in here.
//!
//! The page is never cached without asking. What it needs stands in a folder that is named after a
//! hash of everything, and may be kept for ever: another build has another folder.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use super::answer::{Answer, Denial, page};
use super::upgrade;
use crate::config::Mode;

/// What the page takes.
const METHODS: &str = "GET, HEAD";
/// The folder of the files, as the page's source names it.
const FOLDER: &str = "assets/";
/// What stands before the hash in its name to browsers.
const PREFIX: &str = "mercury-";

/// Scripts, styles and pictures are the page's own, none of them inline. It may talk to any broker,
/// since its reader may name another one. Nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self' http: https: ws: wss:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// What every answer says.
const FIELDS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
];

/// A file that the page needs.
struct File {
    /// Its name in the folder.
    name: &'static str,
    /// What it holds.
    body: &'static [u8],
}

/// The files of these names, embedded.
macro_rules! files {
    ($($name:literal)*) => {
        [$(File { name: $name, body: include_bytes!(concat!("page/", $name)) }),*]
    };
}

/// The page itself.
const INDEX: &str = include_str!("page/index.html");
/// All that it needs.
const FILES: [File; 17] = files!(
    "backoff.js" "composer.js" "connection.js" "copy.js" "dom.js" "frames.js" "icon.svg" "log.js"
    "main.js" "page.css" "panel.js" "patterns.js" "picture.js" "root.js" "snippets.js" "tabs.js"
    "view.js"
);

/// The page, ready to be shown. A copy shares its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Demo {
    /// The page; its links name the folder.
    index: Bytes,
    /// The folder of this build, between slashes.
    folder: String,
    /// What the page is called while it is the same.
    tag: HeaderValue,
}

impl Demo {
    /// The page, in the mode that has one.
    pub(crate) fn in_mode(mode: Mode) -> Option<Self> {
        (mode == Mode::Development).then(Self::new)
    }

    fn new() -> Self {
        let bodies = FILES.iter().flat_map(|file| [file.name.as_bytes(), file.body]);
        let hash = hash(bodies.chain([INDEX.as_bytes()]));
        let folder = format!("/{PREFIX}{hash:016x}/");
        let index = INDEX.replace(&format!("\"{FOLDER}"), &format!("\"{}", &folder[1..]));
        let tag = HeaderValue::try_from(format!("\"{hash:016x}\"")).expect("hex in quotes");
        Self { index: index.into(), folder, tag }
    }

    /// The answer to a request for the page or one of its files; `None` for every other path. A
    /// handshake finds no socket there.
    pub(super) fn show<B>(&self, request: &Request<B>) -> Option<Result<Answer, Denial>> {
        let path = request.uri().path();
        let name = path.strip_prefix(&self.folder);
        let file = name.and_then(|name| FILES.iter().find(|file| file.name == name));
        if file.is_none() && path != "/" || upgrade::is_asked(request.headers()) {
            return None;
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return Some(Err(Denial::method(request.method(), path, METHODS)));
        }
        let mut answer = match file {
            _ if self.is_known(request.headers()) => not_modified(),
            Some(file) => page(Bytes::from_static(file.body), content_type(file.name)),
            None => page(self.index.clone(), content_type("index.html")),
        };
        let headers = answer.headers_mut();
        headers.extend(FIELDS.map(|(name, value)| (name, HeaderValue::from_static(value))));
        headers.insert(ETAG, self.tag.clone());
        let caching =
            if file.is_some() { "public, max-age=31536000, immutable" } else { "no-cache" };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        Some(Ok(answer))
    }

    /// Whether a browser has it already (RFC 9110 13.1.2).
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == self.tag)
    }
}

/// A browser shows what it has.
fn not_modified() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer
}

/// What a file is, by the end of its name.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}

/// FNV-1a over all pieces: it tells builds apart, and nobody gains by making two that it does not.
fn hash<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> u64 {
    pieces.flatten().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
