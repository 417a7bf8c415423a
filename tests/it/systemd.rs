//! What the broker tells the service manager that started it.

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::configuration::Folder;
use crate::process::Process;
use crate::server::PATIENCE;
use crate::socket::{Socket, TEXT};

/// The end of a service manager that listens to its services.
struct Manager {
    socket: UnixDatagram,
    folder: Folder,
}

impl Manager {
    fn new() -> Self {
        let folder = Folder::with(&[]);
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// Starts a broker with a shard, in the folder, that listens on 127.0.0.1.
    async fn start(&self, flags: &[&str], variables: &[(&str, &str)]) -> Process {
        let first = ["broker", "-l", "http://127.0.0.1:0", "--pin", "none", "--shards", "1"];
        let arguments = [&first[..], flags].concat();
        let path = self.path();
        let variables = [variables, &[("NOTIFY_SOCKET", path.to_str().unwrap())]].concat();
        Process::start_in(self.folder.path(), &arguments, &variables).await
    }

    /// What it is told next.
    async fn told(&self) -> String {
        let mut bytes = [0; 4096];
        let told = timeout(PATIENCE, self.socket.recv(&mut bytes)).await;
        let length = told.expect("it is told in time").unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// Listens for ever.
    async fn listen(&self) -> Infallible {
        let mut bytes = [0; 4096];
        loop {
            self.socket.recv(&mut bytes).await.unwrap();
        }
    }

    /// A reload from its beginning to its end, behind which `systemctl status` shows this.
    async fn reload(&self, status: &str) {
        let reloading = self.told().await;
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(time.trim_end().parse::<u64>().unwrap() > 0, "{reloading}");
        assert_eq!(self.told().await, format!("READY=1\nSTATUS={status}\n"));
    }
}

#[tokio::test]
async fn the_manager_hears_of_the_start_of_each_reload_and_of_the_end() {
    let manager = Manager::new();
    let mut broker = manager.start(&["--drain-timeout", "4s"], &[]).await;
    let url = format!("http://127.0.0.1:{}", broker.port());
    assert_eq!(manager.told().await, format!("READY=1\nSTATUS=listening on {url}\n"));
    let mut socket = Socket::join(broker.port(), "/sub/fry").await;
    broker.signal(Signal::HUP);
    let listening = format!("listening on {url}");
    manager.reload(&listening).await;
    let file = manager.folder.path().join("mercury.toml");
    fs::write(&file, "max_mesage = 1").unwrap();
    broker.signal(Signal::HUP);
    broker.line_with("not reloaded").await;
    let reason = "mercury.toml:1: unknown key 'max_mesage', did you mean max_message";
    manager.reload(&format!("not reloaded, nothing changes: {reason}")).await;
    fs::remove_file(&file).unwrap();
    broker.signal(Signal::HUP);
    manager.reload(&listening).await;
    broker.signal(Signal::TERM);
    let stopping = "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=10000000\n";
    assert_eq!(manager.told().await, stopping);
    assert_eq!(socket.until_close().await.1, 1001);
    assert_eq!(broker.ended().await.status, Some(0));
}

#[tokio::test]
async fn the_watchdog_is_fed_but_not_while_a_shard_is_stuck() {
    const ALIVE: &str = "WATCHDOG=1\n";
    let manager = Manager::new();
    let broker = manager.start(&[], &[("WATCHDOG_USEC", "200000")]).await;
    assert!(manager.told().await.starts_with("READY=1\n"));
    for _ in 0..3 {
        assert_eq!(manager.told().await, ALIVE);
    }
    let mut socket = Socket::join(broker.port(), "/bus/x?echo=1").await;
    socket.send(TEXT, b"faults: be stuck").await.unwrap();
    let stuck = loop {
        match manager.told().await {
            told if told == ALIVE => {}
            told => break told,
        }
    };
    assert_eq!(stuck, "STATUS=shard 0 is stuck\n");
    assert_eq!(manager.told().await, "WATCHDOG=1\nSTATUS=all shards answer\n");
    assert_eq!(manager.told().await, ALIVE);
    assert_eq!(socket.text().await, "faults: be stuck");
}

#[tokio::test]
async fn a_drain_is_alive_to_its_end() {
    let manager = Manager::new();
    let flags = ["--drain-timeout", "1h"];
    let broker = manager.start(&flags, &[("WATCHDOG_USEC", "20000")]).await;
    assert!(manager.told().await.starts_with("READY=1\n"));
    let mut socket = Socket::join(broker.port(), "/sub/fry").await;
    broker.signal(Signal::TERM);
    while !manager.told().await.starts_with("STOPPING=1\n") {}
    // it is not answered, so the drain goes on
    assert_eq!(socket.until_close().await.1, 1001);
    for _ in 0..3 {
        assert_eq!(manager.told().await, "WATCHDOG=1\n");
    }
    drop(socket);
    // a manager that stops listening would hold the broker up
    tokio::select! {
        ended = broker.ended() => assert_eq!(ended.status, Some(0)),
        never = manager.listen() => match never {},
    }
}

#[tokio::test]
async fn a_manager_that_is_gone_is_missed_in_the_log_and_nowhere_else() {
    let manager = Manager::new();
    fs::remove_file(manager.path()).unwrap();
    let mut broker = manager.start(&[], &[]).await;
    broker.line_with("cannot tell the service manager").await;
    let mut poster = Socket::open(broker.port()).await;
    assert_eq!(poster.post("/pub/fry", "hi").await, Some(200));
    drop(poster);
    assert_eq!(broker.stop().await.status, Some(0));
}
