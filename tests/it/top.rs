//! `mercury top` before a broker that runs, on a terminal and without one.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::admin::administered;
use crate::configuration::Folder;
use crate::process::Process;
use crate::server::{PATIENCE, TestServer};
use crate::socket::Socket;

/// Leaves the screen that was there before as it was.
const RESTORED: &str = "\u{1b}[?1049l";

#[tokio::test]
async fn one_frame_is_printed_without_a_terminal() {
    let server = TestServer::with(administered);
    let _subscriber = Socket::join(server.port, "/sub/wong/amy").await;
    let url = format!("http://127.0.0.1:{}", server.admin_port());
    let ended = Process::run(&["top", "--once", "--interval", "10ms", "--url", &url], &[]).await;
    assert_eq!((ended.status, ended.lines.len()), (Some(0), 0), "{ended:?}");
    let frame = ended.output;
    for part in [&format!("mercury top, {url}: 1 connections"), "SHARD", "wong/amy", "pubsub"] {
        assert!(frame.contains(part), "{part} is not in\n{frame}");
    }
    assert!(frame.ends_with("nobody is behind\n"), "{frame}");
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_one_line() {
    // nobody listens on a port that was just given back
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let ended = Process::run(&["top", "--once", "--url", &url], &[]).await;
    let expected = format!(
        "mercury: cannot reach {url}: connection refused (is the broker started with --admin?)"
    );
    assert_eq!((ended.status, ended.lines), (Some(1), vec![expected]));
    let ended = Process::run(&["top", "--url", "https://a"], &[]).await;
    let expected = "mercury: --url: 'https://a' is not a URL like http://127.0.0.1:3001 or \
                    http+unix://%2Frun%2Fmercury-admin.sock";
    assert_eq!((ended.status, ended.lines), (Some(2), vec![expected.to_owned()]));
    let server = TestServer::start();
    let url = format!("http://127.0.0.1:{}", server.port);
    let ended = Process::run(&["top", "--once", "--url", &url], &[]).await;
    assert_eq!(ended.status, Some(1));
    assert!(ended.lines[0].contains("answers 404"), "the public door is no --admin: {ended:?}");
    let ended = Process::run(&["top", "--url", &url], &[]).await;
    let expected =
        "mercury: standard output is no terminal; mercury top --once prints what it shows";
    assert_eq!((ended.status, ended.lines), (Some(1), vec![expected.to_owned()]));
}

/// A terminal, and `mercury top` on it.
struct Screen {
    /// What a person sees and presses.
    person: File,
    /// What the program has.
    terminal: OwnedFd,
    child: Child,
    /// All that was written so far.
    seen: String,
}

impl Screen {
    fn open(url: &str) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, vec![]).unwrap();
        let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).unwrap();
        let end = || Stdio::from(terminal.try_clone().unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_mercury"))
            .args(["top", "--interval", "50ms", "--url", url])
            .env_clear()
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        fcntl_setfl(&person, OFlags::NONBLOCK).unwrap();
        Self { person: person.into(), terminal, child, seen: String::new() }
    }

    /// Waits until this is written.
    async fn until(&mut self, text: &str) {
        let begin = Instant::now();
        while !self.seen.contains(text) {
            assert!(begin.elapsed() < PATIENCE, "no {text} in {:?}", self.seen);
            let mut bytes = [0; 4096];
            match self.person.read(&mut bytes) {
                Ok(count) => self.seen.push_str(&String::from_utf8_lossy(&bytes[..count])),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.person.write_all(keys).unwrap();
    }

    /// Whether lines are edited and echoed, as a shell leaves them.
    fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Waits for the end, which leaves the terminal as it was.
    async fn ended(mut self) {
        self.until(RESTORED).await;
        let begin = Instant::now();
        let status = loop {
            assert!(begin.elapsed() < PATIENCE, "it goes on");
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        };
        assert!(status.success(), "{status}: {}", self.seen);
        assert!(self.is_cooked());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // it is gone where the test went well
        drop(self.child.kill());
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn keys_sort_and_quit_and_the_terminal_is_as_it_was() {
    let server = TestServer::with(administered);
    let _subscriber = Socket::join(server.port, "/sub/wong").await;
    let url = format!("http://127.0.0.1:{}", server.admin_port());
    for quit in [&b"q"[..], b"\x1b", b"\x03"] {
        let mut screen = Screen::open(&url);
        screen.until("RATE").await;
        screen.until("wong").await;
        assert!(!screen.is_cooked());
        screen.press(b"\t");
        screen.until("SUBSCRIBERS").await;
        screen.press(quit);
        screen.ended().await;
    }
}

#[tokio::test]
async fn a_signal_gives_the_terminal_back() {
    let server = TestServer::with(administered);
    let url = format!("http://127.0.0.1:{}", server.admin_port());
    let mut screen = Screen::open(&url);
    screen.until("RATE").await;
    let pid = Pid::from_raw(i32::try_from(screen.child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    screen.ended().await;
}

#[tokio::test]
async fn a_broker_that_goes_away_is_waited_for() {
    let server = TestServer::with(administered);
    let url = format!("http://127.0.0.1:{}", server.admin_port());
    let mut screen = Screen::open(&url);
    screen.until("RATE").await;
    server.drain().await;
    screen.until("reconnecting").await;
    screen.press(b"q");
    screen.ended().await;
}

#[tokio::test]
async fn a_shard_that_is_stuck_is_seen_and_why_the_rest_is_old() {
    let server = TestServer::with(administered);
    let url = format!("http://127.0.0.1:{}", server.admin_port());
    let mut publisher = server.connect("/pub/fry").await;
    let mut screen = Screen::open(&url);
    screen.until("fry").await;
    publisher.send("faults: be stuck").await;
    screen.until("topics and consumers are old: a shard had no time to answer within 5s").await;
    screen.press(b"q");
    screen.ended().await;
}

#[tokio::test]
async fn a_socket_file_leads_to_a_broker_too() {
    let folder = Folder::with(&[]);
    let file = folder.path().join("admin.sock");
    let url = format!("http+unix://{}", file.to_str().unwrap().replace('/', "%2F"));
    let process = Process::broker(&["--admin", &url]).await;
    let _subscriber = Socket::join(process.port(), "/sub/wong").await;
    let ended = Process::run(&["top", "--once", "--interval", "10ms", "--url", &url], &[]).await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.output.contains("wong"), "{}", ended.output);
}
