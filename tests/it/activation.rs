//! Sockets that a service manager opened and passed to the broker (`sd_listen_fds(3)`).

use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use crate::configuration::Folder;
use crate::process::Process;
use crate::socket::Socket;

const BROKER: &[&str] = &["broker", "--pin", "none"];

/// A socket that listens, and its port.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The only line of a broker that is given this and ends at once.
async fn refused(
    descriptor: impl Into<OwnedFd>,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> String {
    let arguments = [BROKER, flags].concat();
    let ended = Process::activated(descriptor, &arguments, variables).ended().await;
    assert_eq!((ended.status, ended.lines.len()), (Some(1), 1), "{ended:?}");
    ended.lines[0].clone()
}

#[tokio::test]
async fn who_names_no_address_listens_on_what_was_passed() {
    let (listener, port) = listener();
    let process = Process::activate(listener, BROKER, &[]).await;
    assert_eq!(process.start[0], format!("listening on http://127.0.0.1:{port}"));
    assert_eq!(process.ports, [port]);
    let mut subscriber = Socket::join(port, "/sub/fry").await;
    assert_eq!(Socket::open(port).await.post("/pub/fry", "hello").await, Some(200));
    assert_eq!(subscriber.text().await, "hello");
}

#[tokio::test]
async fn an_address_that_is_named_is_served_on_the_socket_passed_for_it() {
    let (listener, port) = listener();
    let url = format!("http://127.0.0.1:{port}");
    // the port is taken, by the very socket
    let arguments = [BROKER, &["-l", &url, "-l", "http://127.0.0.1:0"]].concat();
    let process = Process::activate(listener, &arguments, &[]).await;
    assert_eq!(process.start[0], format!("listening on {url}"));
    assert_eq!(Socket::open(port).await.post("/pub/fry", "hello").await, Some(200));
    assert_eq!(Socket::open(process.ports[1]).await.post("/pub/fry", "hello").await, Some(200));
}

#[tokio::test]
async fn the_listener_for_operators_may_be_passed_too() {
    let (listener, port) = listener();
    let admin = format!("http://127.0.0.1:{port}");
    let arguments = [BROKER, &["-l", "http://127.0.0.1:0", "--admin", &admin]].concat();
    let process = Process::activate(listener, &arguments, &[]).await;
    assert_eq!(process.start[1], format!("admin at {admin}"));
    let mut operator = Socket::open(port).await;
    operator.write("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(operator.answer().await, Some((200, "live\n".to_owned())));
}

#[tokio::test]
async fn a_socket_file_that_was_passed_stays() {
    let folder = Folder::with(&[]);
    let file = folder.path().join("mercury.sock");
    let listener = UnixListener::bind(&file).unwrap();
    let process = Process::activate(listener, BROKER, &[]).await;
    let url = format!("http+unix://{}", file.to_str().unwrap().replace('/', "%2F"));
    assert_eq!(process.start[0], format!("listening on {url}"));
    let mut poster = Socket::open_file(&file).unwrap();
    assert_eq!(poster.post("/pub/fry", "hello").await, Some(200));
    drop(poster);
    assert_eq!(process.stop().await.status, Some(0));
    assert!(file.exists());
}

#[tokio::test]
async fn sockets_meant_for_another_process_are_left_alone() {
    let (listener, passed) = listener();
    let arguments = [BROKER, &["-l", "http://127.0.0.1:0"]].concat();
    let launcher = ["sh", "-c", "LISTEN_PID=1 LISTEN_FDS=1 exec \"$0\" \"$@\""];
    let process = Process::launch(&launcher, &arguments, &[]).await;
    assert_ne!(process.port(), passed);
    drop(listener);
}

#[tokio::test]
async fn what_cannot_be_listened_on_is_named() {
    let (listener, port) = listener();
    let name = [("LISTEN_FDNAMES", "web")];
    assert_eq!(
        refused(listener, &["-l", "http://127.0.0.1:0"], &name).await,
        format!(
            "mercury: the inherited socket 'web' listens on http://127.0.0.1:{port}, which no \
             --listen names, nor --admin"
        )
    );
    // each name has its place, be it empty
    let file = File::open("/dev/null").unwrap();
    let line = refused(file, &[], &[("LISTEN_FDNAMES", ":web")]).await;
    assert!(line.contains("LISTEN_FDS, 'unknown': "), "{line}");
    let cannot = "mercury: cannot listen on descriptor 3 of LISTEN_FDS, 'unknown': it ";
    let stream = "is no stream socket of TCP or Unix";
    let file = File::open("/dev/null").unwrap();
    assert_eq!(refused(file, &[], &[]).await, format!("{cannot}{stream}"));
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(refused(datagrams, &[], &[]).await, format!("{cannot}{stream}"));
    let (deaf, _other) = UnixStream::pair().unwrap();
    assert_eq!(refused(deaf, &[], &[]).await, format!("{cannot}does not listen"));
    for count in ["many", "65", "-1"] {
        let (listener, _) = self::listener();
        let message = format!("LISTEN_FDS is '{count}', which is not a number from 0 to 64");
        let refused = refused(listener, &[], &[("LISTEN_FDS", count)]).await;
        assert_eq!(refused, format!("mercury: {message}"));
    }
}
