//! Behind real proxies, configured as `docs/operating.md` shows.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mercury::config::{Config, Listen, Network};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::configuration::Folder;
use crate::readme::document;
use crate::server::{PATIENCE, TestServer};
use crate::wire::{TEXT, Wire, frame, handshake};

/// Clients on this machine, which is not to be trusted as a whole.
const FRY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const LEELA: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// What a client makes up.
const FORGED: &str = "X-Forwarded-For: 203.0.113.7\r\n";

/// A proxy of its own package; killed when dropped.
struct Program {
    child: Child,
    port: u16,
    _folder: Folder,
}

impl Program {
    /// Starts it with a file made of what a document shows; waits until it listens.
    async fn start(name: &str, arguments: &[&str], file: &str) -> Self {
        let folder = Folder::with(&[("proxy.conf", "")]);
        let port = free_port();
        let path = folder.path().to_str().unwrap();
        let file = file.replace("FOLDER", path).replace("PORT", &port.to_string());
        folder.write("proxy.conf", &file);
        let started = Command::new(name)
            .args(arguments)
            .arg(folder.path().join("proxy.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.unwrap_or_else(|error| {
            panic!("{name}: {error}: tests/run fetches it; in Debian: apt-get install {name}")
        });
        let listens = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                if child.try_wait().unwrap().is_some() {
                    let mut said = String::new();
                    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                    panic!("{name} ended: {said}\n{file}");
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, listens).await.expect("it listens in time");
        // nobody may wait for room to say something
        let said = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || said.lines().for_each(drop));
        Self { child, port, _folder: folder }
    }

    async fn nginx(broker: u16) -> Self {
        let shown = shown("nginx").replace("listen 80;", "listen 127.0.0.1:PORT;");
        let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path FOLDER/{kind};\n"))
            .concat();
        let file = format!(
            "daemon off;\nmaster_process off;\npid FOLDER/pid;\nerror_log stderr;\n\
             events {{}}\nhttp {{\naccess_log off;\n{folders}{}\n}}\n",
            to_broker(&shown, "127.0.0.1:3000", broker)
        );
        Self::start("nginx", &["-e", "stderr", "-c"], &file).await
    }

    async fn haproxy(language: &str, shown_broker: &str, broker: u16) -> Self {
        let shown = shown(language).replace("bind :80", "bind 127.0.0.1:PORT");
        let file = to_broker(&shown, shown_broker, broker);
        Self::start("haproxy", &["-db", "-f"], &file).await
    }

    /// A client at this address.
    async fn open(&self, client: Ipv4Addr) -> Wire {
        Wire::from(client, self.port).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // both fail when it has ended, which is what we want
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The block of `docs/operating.md` in this language; there is one.
fn shown(language: &str) -> String {
    let operating = document("docs/operating.md");
    let (_, behind) = operating.split_once("\n## Behind a proxy\n").expect("the section");
    let section = behind.split("\n## ").next().unwrap();
    let mut blocks = section.split("\n```").filter_map(|block| {
        let (head, text) = block.split_once('\n')?;
        (head == language).then(|| text.to_owned() + "\n")
    });
    let block = blocks.next().unwrap_or_else(|| panic!("no block of {language}"));
    assert!(blocks.next().is_none(), "two blocks of {language}");
    block
}

/// What is shown, with this broker in place of the one that it names.
fn to_broker(shown: &str, named: &str, broker: u16) -> String {
    assert!(shown.contains(named), "{shown}");
    shown.replace(named, &format!("127.0.0.1:{broker}"))
}

/// A broker for proxies at 127.0.0.1, where each client may have one connection.
fn start(change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        config.proxies.networks = vec![Network::parse("127.0.0.1").unwrap()];
        config.limits.address_connections_max = Some(1);
        change(config);
    })
}

fn full(client: Ipv4Addr) -> String {
    format!("{client} has as many open connections as --connections-per-ip allows, 1\n")
}

fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /bus/a/b HTTP/1.1\r\nHost: broker\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// WebSockets and POSTs go through, and each counts for the client that the proxy saw.
async fn carries(proxy: &Program) {
    let mut fry = proxy.open(FRY).await.member("/bus/a%2Fb", FORGED).await;
    let refused = proxy.open(FRY).await.ask(handshake("/bus/a%2Fb", FORGED)).await;
    assert_eq!((refused.status, refused.body), (429, full(FRY)));
    assert_eq!(proxy.open(FRY).await.ask(post("hello")).await.status, 429);
    assert_eq!(proxy.open(LEELA).await.ask(post("hello")).await.status, 200);
    assert_eq!(fry.text().await, "hello");
    // the proxy may not have hung up yet
    let joined = async {
        loop {
            let mut leela = proxy.open(LEELA).await;
            if leela.ask(handshake("/bus/a/b", "")).await.status == 101 {
                return leela;
            }
            sleep(Duration::from_millis(2)).await;
        }
    };
    let mut leela = timeout(PATIENCE, joined).await.expect("a place in time");
    let large = "x".repeat(100_000);
    fry.send(frame(TEXT, &large)).await;
    assert_eq!(leela.text().await, large);
    drop(fry);
    let answered = async {
        while proxy.open(FRY).await.ask(post("bye")).await.status != 200 {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, answered).await.expect("a place in time");
    assert_eq!(leela.text().await, "bye");
}

fn believed(config: &mut Config) {
    config.proxies.are_believed = true;
}

#[tokio::test]
async fn nginx_as_shown_carries_websockets_and_posts_and_names_its_clients() {
    let server = start(believed);
    let nginx = Program::nginx(server.port).await;
    carries(&nginx).await;
}

#[tokio::test]
async fn haproxy_as_shown_carries_websockets_and_posts_and_names_its_clients() {
    let server = start(believed);
    let haproxy = Program::haproxy("haproxy", "127.0.0.1:3000", server.port).await;
    carries(&haproxy).await;
}

#[tokio::test]
async fn haproxy_as_shown_names_its_clients_in_proxy_headers() {
    let server = start(|config| {
        config.listen = vec![Listen::parse("http://127.0.0.1:0?proxy=1").unwrap()];
    });
    let haproxy = Program::haproxy("haproxy-tcp", "127.0.0.1:3001", server.port).await;
    carries(&haproxy).await;
    // its looks whether the broker lives are no faults
    assert_eq!(server.count(|c| &c.proxy_header_errors), 0);
}
