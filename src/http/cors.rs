//! What lets a browser's script on another site POST and read the answer: the CORS protocol of the
//! Fetch standard. Every site is admitted, or those on the operator's list.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, Request, Response, StatusCode};

use super::answer::Answer;
use super::origin::Standing;
use crate::limits::PREFLIGHT_AGE_SECONDS;
use crate::refusal::CODE_FIELD;

/// Whether a browser asks if a script may send what it wants to.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    let is_options = *request.method() == Method::OPTIONS;
    is_options && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether a script POSTs: it reads no answer that does not admit it.
pub(super) fn is_scripted<B>(request: &Request<B>) -> bool {
    *request.method() == Method::POST && request.headers().contains_key(ORIGIN)
}

/// Lets a script read an answer, code and sentence of a refusal as well, if its site may come in.
pub(super) fn admit(answer: &mut Answer, standing: &Standing) {
    let origin = match standing {
        Standing::Open => HeaderValue::from_static("*"),
        Standing::Listed(Some(origin)) => {
            vary(answer);
            origin.clone()
        }
        Standing::Listed(None) | Standing::Unlisted => return vary(answer),
    };
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if headers.contains_key(CODE_FIELD) {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(CODE_FIELD));
    }
}

/// Where there is a list, another site is told something else (RFC 9110 12.5.5).
fn vary(answer: &mut Answer) {
    answer.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
}

/// What a preflight is told: a POST may come, its body of any type. A site that is not on the list
/// is not named, which is how it learns that it may not.
pub(super) fn preflighted(standing: &Standing) -> Answer {
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    admit(&mut answer, standing);
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_SECONDS.into());
    answer
}
