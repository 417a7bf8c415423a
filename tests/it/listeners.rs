//! Where the broker listens: several addresses, socket files, shared ports (behaviour section 8).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::configuration::Folder;
use crate::process::Process;
use crate::socket::{Socket, TEXT};

/// A folder and the file of a socket in it.
struct Place {
    _folder: Folder,
    file: PathBuf,
    url: String,
}

impl Place {
    fn new() -> Self {
        let folder = Folder::with(&[]);
        let file = folder.path().join("mercury.sock");
        let url = format!("http+unix://{}", file.to_str().unwrap().replace('/', "%2F"));
        Self { _folder: folder, file, url }
    }

    /// A broker on the file, with these flags.
    async fn broker(&self, query: &str, flags: &[&str]) -> Process {
        let url = format!("{}{query}", self.url);
        Process::start(&[&["broker", "-l", &url, "--pin", "none"], flags].concat(), &[]).await
    }

    /// The line with which a broker on the file ends at once.
    async fn refused(&self) -> String {
        let ended = Process::run(&["broker", "-l", &self.url], &[]).await;
        assert_eq!((ended.status, ended.lines.len()), (Some(1), 1), "{ended:?}");
        ended.lines[0].clone()
    }

    fn open(&self) -> Socket {
        Socket::open_file(&self.file).unwrap()
    }

    async fn join(&self, path: &str) -> Socket {
        self.open().upgrade(path).await
    }
}

#[tokio::test]
async fn messages_cross_between_a_socket_file_and_the_network() {
    let place = Place::new();
    let process = place.broker("?mode=606", &["-l", "http://127.0.0.1:0"]).await;
    assert_eq!(process.start[0], format!("listening on {}", place.url));
    assert!(process.start[1].starts_with("listening on http://127.0.0.1:"), "{:?}", process.start);
    let mode = fs::metadata(&place.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o606);
    let mut near = place.join("/sub/fry").await;
    let mut far = Socket::join(process.port(), "/sub/fry").await;
    assert_eq!(place.open().post("/pub/fry", "one").await, Some(200));
    assert_eq!(Socket::open(process.port()).await.post("/pub/fry/amy", "two").await, Some(200));
    let mut publisher = place.join("/pub/fry").await;
    publisher.send(TEXT, b"three").await.unwrap();
    for socket in [&mut near, &mut far] {
        for text in ["one", "two", "three"] {
            assert_eq!(socket.text().await, text);
        }
    }
    publisher.close().await;
    let ended = process.stop();
    let (ended, (_, code, _)) = tokio::join!(ended, near.until_close());
    assert_eq!((ended.status, code), (Some(0), 1001));
    assert!(!place.file.exists());
}

#[tokio::test]
async fn limits_hold_on_a_socket_file_but_the_one_of_addresses() {
    let place = Place::new();
    let flags = ["--max-message", "1000", "--connections-per-ip", "1", "--clients", "2"];
    let process = place.broker("", &flags).await;
    let mut first = place.join("/bus/fry").await;
    let _second = place.join("/bus/fry").await;
    let mut third = place.open();
    third.write(crate::socket::upgrade("/bus/fry")).await.unwrap();
    assert_eq!(third.answer().await.unwrap().0, 503);
    first.send(TEXT, &[b'x'; 1001]).await.unwrap();
    let (texts, code, _) = first.until_close().await;
    assert_eq!((texts.len(), code), (0, 1009));
    drop(process);
}

#[tokio::test]
async fn who_reads_nothing_from_a_socket_file_is_a_slow_consumer() {
    let place = Place::new();
    let flags = ["--max-message", "64KiB", "--max-outbound", "128KiB"];
    let mut process = place.broker("", &flags).await;
    let deaf = place.join("/sub/fry").await;
    let mut poster = place.open();
    let body = "x".repeat(65_000);
    let posts = async {
        loop {
            assert_eq!(poster.post("/pub/fry", &body).await, Some(200));
        }
    };
    let line = tokio::select! {
        line = process.line_with("slow consumer") => line,
        () = posts => unreachable!("it goes on"),
    };
    let words = format!(
        " peer=unix:uid={},pid={} ",
        rustix::process::geteuid().as_raw(),
        std::process::id()
    );
    assert!(line.contains("topic=\"fry\"") && line.contains(&words), "{line}");
    drop(deaf);
}

#[tokio::test]
async fn the_file_goes_when_the_drain_begins() {
    let place = Place::new();
    let mut process = place.broker("", &["--drain-timeout", "10m"]).await;
    // the drain waits for it: its head has come, its body never does
    let mut unfinished = place.open();
    let head = "POST /pub/fry HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9";
    unfinished.write(format!("{head}\r\n\r\n")).await.unwrap();
    assert_eq!(unfinished.answer().await.unwrap().0, 100);
    process.signal(Signal::INT);
    process.line_with("draining").await;
    // the next one does not wait for its end
    while place.file.exists() {
        tokio::task::yield_now().await;
    }
    let next = place.broker("", &[]).await;
    process.signal(Signal::INT);
    assert_eq!(process.ended().await.status, Some(130));
    assert!(place.file.exists());
    drop(place.join("/sub/fry").await);
    assert_eq!(next.stop().await.status, Some(0));
    assert!(!place.file.exists());
}

#[tokio::test]
async fn a_killed_broker_leaves_a_file_that_the_next_one_replaces() {
    let place = Place::new();
    let process = place.broker("", &[]).await;
    process.signal(Signal::KILL);
    process.ended().await;
    assert!(place.file.exists());
    let process = place.broker("", &[]).await;
    drop(place.join("/sub/fry").await);
    assert_eq!(process.stop().await.status, Some(0));
    assert!(!place.file.exists());
}

#[tokio::test]
async fn a_file_that_somebody_else_has_is_left_alone() {
    let place = Place::new();
    let url = &place.url;
    let process = place.broker("", &[]).await;
    let line = place.refused().await;
    assert_eq!(line, format!("mercury: cannot listen on {url}: address already in use"));
    drop(place.join("/sub/fry").await);
    assert_eq!(process.stop().await.status, Some(0));
    fs::write(&place.file, "precious").unwrap();
    let line = place.refused().await;
    assert_eq!(line, format!("mercury: cannot listen on {url}: a file that is no socket is there"));
    assert_eq!(fs::read_to_string(&place.file).unwrap(), "precious");
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_file() {
    let place = Place::new();
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("http://{}", held.local_addr().unwrap());
    let ended = Process::run(&["broker", "-l", &place.url, "-l", &taken], &[]).await;
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(!place.file.exists());
    let missing = format!("{}%2Fm.sock", place.url);
    let ended = Process::run(&["broker", "-l", &missing], &[]).await;
    let line = format!("mercury: cannot listen on {missing}: no such file or directory");
    assert_eq!((ended.lines, ended.status), (vec![line], Some(1)));
}

#[tokio::test]
async fn a_file_that_was_made_anew_by_somebody_else_stays() {
    let place = Place::new();
    let process = place.broker("", &[]).await;
    fs::remove_file(&place.file).unwrap();
    let _theirs = UnixListener::bind(&place.file).unwrap();
    assert_eq!(process.stop().await.status, Some(0));
    assert!(place.file.exists());
}

#[tokio::test]
async fn two_brokers_share_a_port_that_both_let_be_shared() {
    let shared = ["broker", "-l", "http://127.0.0.1:0?reuse=1", "--pin", "none"];
    let first = Process::start(&shared, &[]).await;
    let url = format!("http://127.0.0.1:{}", first.port());
    let ended = Process::run(&["broker", "-l", &url], &[]).await;
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let url = format!("{url}?reuse=1");
    let second = Process::start(&["broker", "-l", &url, "--pin", "none"], &[]).await;
    assert_eq!(first.port(), second.port());
    let port = first.port();
    drop(Socket::join(port, "/sub/fry").await);
    assert_eq!(first.stop().await.status, Some(0));
    drop(Socket::join(port, "/sub/fry").await);
    assert_eq!(second.stop().await.status, Some(0));
}
