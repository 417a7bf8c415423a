//! Who answers those who run the broker: sorts their requests, and shows each to its route.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Method, Request};

use super::super::answer::{self, Answer, Denial, excerpt};
use super::super::framing;
use super::super::wire::Progress;
use super::route::{ROUTES, Route};
use super::{Desk, exposition, health, host, shards, survey};
use crate::code::RefusalCode;

/// Serves the requests of one HTTP connection.
pub(super) struct Clerk {
    /// What all connections share.
    pub(super) desk: Rc<Desk>,
    /// What the connection's deadline looks at.
    pub(super) progress: Rc<Progress>,
}

impl Service<Request<Incoming>> for Clerk {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let has_length = self.progress.begin();
        let (desk, progress) = (Rc::clone(&self.desk), Rc::clone(&self.progress));
        Box::pin(async move {
            let json = answer::wants_json(request.headers());
            // behind a tunnel or a body that nobody wants may stand anything
            let is_last = !request.body().is_end_stream() || *request.method() == Method::CONNECT;
            let served = match sort(&desk, &request, has_length) {
                Ok(route) => serve(&desk, route, request.uri().query(), json).await,
                Err(denial) => {
                    denial.refusal.count(&desk.counters);
                    Err(denial)
                }
            };
            let mut answer = served.unwrap_or_else(|denial| denial.answer(json));
            if is_last || answer.status() == 400 {
                answer::close_after(&mut answer);
            }
            progress.end();
            Ok(answer)
        })
    }
}

/// Finds out what a request asks for, and whether it may.
fn sort<'request, B>(
    desk: &Desk,
    request: &'request Request<B>,
    has_length: bool,
) -> Result<Route<'request>, Denial> {
    framing::check(request, has_length)?;
    host::check(request, &desk.hosts)?;
    let path = request.uri().path();
    let route = Route::find(path).ok_or_else(|| no_such_route(path))?;
    let (method, methods) = (request.method(), route.methods());
    if methods.split(", ").any(|known| known == method.as_str()) {
        return Ok(route);
    }
    Err(Denial::method(method, path, methods))
}

/// Does what was asked for. What is not well is no refusal, and not counted as one.
async fn serve(
    desk: &Desk,
    route: Route<'_>,
    query: Option<&str>,
    json: bool,
) -> Result<Answer, Denial> {
    let served = match route {
        Route::Live => return Ok(health::live(json)),
        Route::Ready => return health::ready(desk, json),
        Route::Metrics => return Ok(exposition::answer(&desk.watch)),
        Route::Shards => return Ok(shards::answer(desk)),
        Route::Topics => survey::topics(desk, query).await,
        Route::Connections => survey::connections(desk, query).await,
        Route::Connection(id) => survey::hang_up(desk, id).await,
    };
    served.inspect_err(|denial| denial.refusal.count(&desk.counters))
}

/// A path that leads nowhere; the sentence names those that do.
fn no_such_route(path: &str) -> Denial {
    let shown = excerpt(path);
    Denial::new(RefusalCode::NoSuchRoute, format!("{shown} is no route: there are {ROUTES}"))
}
