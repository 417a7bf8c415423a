//! A broker as one writes it first with axum: a broadcast channel for each topic, and each
//! subscriber's task sends what comes from it. `loadtest/versus` measures it beside mercury.
//!
//! `cargo run --release -p mercury-loadtest --example naive -- 127.0.0.1:3001`

#![expect(clippy::disallowed_types, reason = "what most would write, not what we would")]

use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};

/// Messages that a subscriber may be behind by; then the channel forgets the oldest.
const BEHIND_MAX: usize = 1024;

/// A channel for each topic that somebody ever named; none is given back.
type Topics = Arc<Mutex<HashMap<String, Sender<Message>>>>;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let routes = Router::new()
        .route("/pub/{topic}", get(publisher))
        .route("/sub/{topic}", get(subscriber))
        .with_state(Topics::default());
    let listener = TcpListener::bind(address).await?.tap_io(send_at_once);
    axum::serve(listener, routes).await
}

/// Without it, a second small message waits for the acknowledgement of the first.
fn send_at_once(stream: &mut TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        eprintln!("a connection keeps Nagle's algorithm: {error}");
    }
}

async fn publisher(
    State(topics): State<Topics>,
    Path(topic): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let sender = channel(&topics, topic);
    upgrade.on_upgrade(|socket| publish(socket, sender))
}

async fn subscriber(
    State(topics): State<Topics>,
    Path(topic): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    // before the answer, so that who sees it misses nothing
    let receiver = channel(&topics, topic).subscribe();
    upgrade.on_upgrade(|socket| deliver(socket, receiver))
}

fn channel(topics: &Topics, topic: String) -> Sender<Message> {
    let mut topics = topics.lock().expect("nobody panics while holding it");
    topics.entry(topic).or_insert_with(|| Sender::new(BEHIND_MAX)).clone()
}

async fn publish(mut socket: WebSocket, sender: Sender<Message>) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            // an error is that nobody listens, and then nothing is to be kept
            sender.send(message).ok();
        }
    }
}

/// Until the subscriber leaves, or has missed something.
async fn deliver(mut socket: WebSocket, mut receiver: Receiver<Message>) {
    loop {
        let message = tokio::select! {
            next = receiver.recv() => next,
            heard = socket.recv() => match heard {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
        };
        let message = match message {
            Ok(message) => message,
            Err(RecvError::Lagged(missed)) => farewell(missed),
            Err(RecvError::Closed) => return,
        };
        let is_last = matches!(message, Message::Close(_));
        if socket.send(message).await.is_err() || is_last {
            return;
        }
    }
}

fn farewell(missed: u64) -> Message {
    let reason = format!("missed {missed} messages").into();
    Message::Close(Some(CloseFrame { code: close_code::AGAIN, reason }))
}
