//! Who meets each request at the door: shows it to its route, or turns it down.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;

use hyper::body::{Body, Incoming};
use hyper::header::HeaderMap;
use hyper::service::Service;
use hyper::{Method, Request, Uri};

use super::Door;
use super::answer::{self, Answer, Denial, excerpt};
use super::cors;
use super::forwarded;
use super::framing;
use super::origin::Standing;
use super::publish::publish;
use super::route::{self, Route};
use super::upgrade::{self, Upgrade};
use super::wire::Progress;
use crate::broker::Role;
use crate::broker::topic::Topic;
use crate::code::RefusalCode;
use crate::handover::Place;
use crate::refusal::Refusal;
use crate::socket::PeerAddress;

/// Serves the requests of one HTTP connection.
#[derive(Clone)]
pub(super) struct Porter {
    /// What all connections of the acceptor share.
    pub(super) door: Rc<Door>,
    /// What the connection's visit looks at.
    pub(super) progress: Rc<Progress>,
    /// Who sends them: a client, or a proxy for many.
    pub(super) peer: PeerAddress,
    /// Whether TLS is between.
    pub(super) is_tls: bool,
}

impl Porter {
    /// Whose a request is.
    fn client(&self, headers: &HeaderMap) -> PeerAddress {
        let proxies = &self.door.proxies;
        let is_proxy = proxies.believe(self.peer.address());
        if is_proxy { forwarded::client(proxies, self.peer, headers) } else { self.peer }
    }

    /// Whose a request is. One that came through a proxy takes a place for its client, for as long
    /// as it is under way or a WebSocket; for others, the connection has done so.
    fn seat(&self, headers: &HeaderMap) -> Result<(PeerAddress, Option<Place>), Refusal> {
        let Door { proxies, turnstile, .. } = &*self.door;
        let client = self.client(headers);
        let counted = client.counted().filter(|_| proxies.believe(self.peer.address()));
        let place = counted.map_or(Ok(None), |client| turnstile.place(client))?;
        Ok((client, place))
    }
}

/// What a request asks for, once it is known to be in order.
enum Errand {
    /// Publish the body; the place is the client's meanwhile.
    Publish(Role, Topic, Option<Place>),
    /// Nothing more: to see the page, or to learn whether a script may publish.
    Answered(Box<Answer>),
    /// Become a WebSocket.
    Upgrade(Box<Upgrade>),
}

impl Service<Request<Incoming>> for Porter {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let has_length = self.progress.begin();
        let porter = self.clone();
        Box::pin(async move {
            let mut answer = attend(&porter, request, has_length).await;
            if porter.door.shutdown.has_begun() {
                answer::close_after(&mut answer);
            }
            porter.progress.end();
            Ok(answer)
        })
    }
}

/// Serves one request. Never ends when it is a handshake: the visit takes the socket, and a
/// shard answers.
async fn attend(porter: &Porter, mut request: Request<Incoming>, has_length: bool) -> Answer {
    let Porter { door, progress, .. } = porter;
    let json = answer::wants_json(request.headers());
    let is_scripted = cors::is_scripted(&request);
    let standing = Standing::of(request.headers(), door.live.now().origins.as_ref());
    // behind a tunnel or a body that nobody wants may stand anything
    let is_last = !request.body().is_end_stream() || *request.method() == Method::CONNECT;
    let client = Refusal::is_logged().then(|| porter.client(request.headers()));
    let result = match sort(porter, &mut request, &standing, has_length, json) {
        Ok(Errand::Upgrade(upgrade)) => {
            progress.park(upgrade);
            return pending().await;
        }
        Ok(Errand::Publish(role, topic, _place)) => {
            let (head, body) = request.into_parts();
            publish(door, progress, role.pattern(), topic, &head.headers, body).await
        }
        Ok(Errand::Answered(mut answer)) => {
            if is_last {
                answer::close_after(&mut answer);
            }
            return *answer;
        }
        Err(denial) => Err(denial),
    };
    let mut answer = match result {
        Ok(()) => answer::accepted(),
        Err(denial) => {
            denial.refusal.count(&door.counters);
            if let Some(client) = client {
                denial.refusal.log(client);
            }
            let mut answer = denial.answer(json);
            if is_last || denial.refusal.status() == 400 {
                answer::close_after(&mut answer);
            }
            answer
        }
    };
    if is_scripted {
        cors::admit(&mut answer, &standing);
    }
    answer
}

/// Finds out what a request asks for, and whether its head is in order.
fn sort(
    porter: &Porter,
    request: &mut Request<Incoming>,
    standing: &Standing,
    has_length: bool,
    json: bool,
) -> Result<Errand, Denial> {
    let door = &porter.door;
    framing::check(request, has_length)?;
    let path = request.uri().path();
    let (role, name) = match Route::find(path) {
        Route::Socket(role, name) => (role, name),
        Route::Unknown => {
            let shown = door.demo.as_ref().and_then(|demo| demo.show(request));
            let answer = shown.unwrap_or_else(|| Err(no_such_route(request.uri())))?;
            return Ok(Errand::Answered(Box::new(answer)));
        }
    };
    let posts = match *request.method() {
        Method::GET => false,
        Method::POST if role.sends() => true,
        // whatever the topic: a script is told why its POST was refused, never why a preflight was
        Method::OPTIONS if role.sends() && cors::is_preflight(request) => {
            return Ok(Errand::Answered(Box::new(cors::preflighted(standing))));
        }
        _ => {
            let (path, methods) = (role.route(), route::methods(role));
            return Err(Denial::method(request.method(), path, methods));
        }
    };
    let asked = posts || upgrade::is_asked(request.headers());
    if asked {
        standing.check(request.headers())?;
    }
    if asked && door.shutdown.has_begun() {
        return Err(Refusal::draining().into());
    }
    let topic = Topic::parse(name, door.live.now().limits.topic_bytes_max)?;
    if !asked {
        return Err(upgrade::required(role, path, request.headers(), porter.is_tls));
    }
    if posts {
        let (_, place) = porter.seat(request.headers())?;
        return Ok(Errand::Publish(role, topic, place));
    }
    let echo = route::echo(request.uri().query());
    let accept = upgrade::check(request)?;
    let (client, place) = porter.seat(request.headers())?;
    Ok(Errand::Upgrade(Box::new(Upgrade { role, topic, echo, accept, json, client, place })))
}

/// A target that leads nowhere; the sentence names those that do.
fn no_such_route(target: &Uri) -> Denial {
    let path = match target.path() {
        "" => target.to_string(),
        path => path.to_owned(),
    };
    let shown = excerpt(&path);
    let message = format!(
        "{shown} is no route: there are /bus/*topic, /pub/*topic, /sub/*topic, /push/*topic \
         and /pull/*topic"
    );
    Denial::new(RefusalCode::NoSuchRoute, message)
}
