//! A TCP proxy between a client and the broker, which chops what passes, or lets nothing pass.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the proxy's kernel takes from the broker while the proxy does not read.
const RECEIVED_BYTES: u32 = 4096;

/// How a proxy passes bytes on, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// As they come.
    Whole,
    /// One by one, each in a segment of its own.
    Chopped,
    /// Not at all: it reads nothing, and so its receive windows fall to zero.
    Stalled,
}

/// A proxy for one connection.
pub(super) struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub(super) port: u16,
    /// Where its connection to the broker comes from.
    pub(super) address: SocketAddr,
    manner: watch::Sender<Manner>,
    /// Ends when this is dropped.
    _task: JoinSet<()>,
}

impl Proxy {
    /// A proxy for one client of the broker on this port.
    pub(super) async fn start(broker: u16, manner: Manner) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(RECEIVED_BYTES).unwrap();
        let server = socket.connect((Ipv4Addr::LOCALHOST, broker).into()).await.unwrap();
        server.set_nodelay(true).unwrap();
        let address = server.local_addr().unwrap();
        let (manner, orders) = watch::channel(manner);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            client.set_nodelay(true).unwrap();
            let (client_read, client_write) = client.into_split();
            let (server_read, server_write) = server.into_split();
            tokio::join!(
                pass(client_read, server_write, orders.clone()),
                pass(server_read, client_write, orders),
            );
        });
        Self { port, address, manner, _task: task }
    }

    /// From now on, bytes pass in this manner.
    pub(super) fn pass(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }
}

/// Passes bytes on in one direction until either side hangs up.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut orders: watch::Receiver<Manner>,
) {
    let mut bytes = [0; 4096];
    loop {
        // an error: the proxy is dropped
        let Ok(manner) = orders.wait_for(|manner| *manner != Manner::Stalled).await.map(|m| *m)
        else {
            return;
        };
        let count = tokio::select! {
            count = from.read(&mut bytes) => count.unwrap_or(0),
            changed = orders.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        if count == 0 {
            return;
        }
        let piece = if manner == Manner::Chopped { 1 } else { count };
        for piece in bytes[..count].chunks(piece) {
            if to.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}
