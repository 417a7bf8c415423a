//! Networks of our own: nothing of them is seen outside, and they end with the test.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::{Command, Stdio, id};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::TcpSocket;

use crate::process::Process;
use crate::socket::Socket;

/// A network namespace, which lives as long as this or a process in it.
pub(super) struct Namespace(File);

impl Namespace {
    /// One in which there is nothing but a loopback device.
    pub(super) fn new() -> Self {
        // it says when it is in a namespace of its own, and ends when its input does
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "\n", "no namespace");
        let file = File::open(format!("/proc/{}/ns/net", child.id())).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        let namespace = Self(file);
        namespace.run("ip link set lo up");
        namespace
    }

    /// Where other processes find it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", id(), self.0.as_raw_fd())
    }

    /// Runs a command in it, which must succeed; what it prints.
    pub(super) fn run(&self, command: &str) -> String {
        self.feed(command, "")
    }

    /// Runs a command that reads this.
    fn feed(&self, command: &str, input: &str) -> String {
        let mut child = Command::new("nsenter")
            .arg(format!("--net={}", self.path()))
            .args(command.split(' '))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{command}: {}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Drops this percentage of the packets that come over an interface.
    fn lose(&self, interface: &str, percent: u32) {
        let rules = format!(
            "table inet loss {{ chain input {{
                type filter hook input priority 0
                iifname {interface} numgen random mod 100 < {percent} drop
            }}
            }}"
        );
        self.feed("nft -f -", &rules);
    }

    /// A broker in here, at any address of this kind.
    pub(super) async fn start(&self, any: IpAddr, flags: &[&str]) -> Process {
        let namespace = format!("--net={}", self.path());
        let url = format!("http://{}", SocketAddr::new(any, 0));
        let broker = ["broker", "-l", &url, "--pin", "none"];
        let arguments = [&broker, flags].concat();
        Process::launch(&["nsenter", &namespace], &arguments, &[]).await
    }

    /// A TCP connection from an address in here.
    pub(super) async fn open(&self, from: IpAddr, to: SocketAddr) -> Socket {
        let make = || {
            move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap()
        };
        // on a thread that ends in there: a socket stays where it was made
        let socket = thread::scope(|scope| scope.spawn(make).join().unwrap());
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        Socket::of(socket.connect(to).await.unwrap())
    }
}

/// A broker in one namespace, clients in another, and two cables between them.
pub(super) struct Network {
    broker: Namespace,
    clients: Namespace,
}

/// One of the cables, named alike at both ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cable {
    /// What is in trouble.
    Victim = 1,
    /// What is not.
    Others = 2,
}

impl Cable {
    const fn name(self) -> &'static str {
        match self {
            Self::Victim => "victim",
            Self::Others => "others",
        }
    }
}

impl Network {
    /// Both cables are good.
    pub(super) fn new() -> Self {
        let (broker, clients) = (Namespace::new(), Namespace::new());
        for cable in [Cable::Victim, Cable::Others] {
            let (name, number) = (cable.name(), cable as u8);
            let peer = clients.path();
            broker.run(&format!("ip link add {name} type veth peer name {name} netns {peer}"));
            for (namespace, host) in [(&broker, 1), (&clients, 2)] {
                namespace.run(&format!("ip address add 10.0.{number}.{host}/24 dev {name}"));
                namespace.run(&format!("ip link set {name} up"));
            }
        }
        Self { broker, clients }
    }

    /// A broker in there.
    pub(super) async fn start(&self, flags: &[&str]) -> Process {
        self.broker.start(Ipv4Addr::UNSPECIFIED.into(), flags).await
    }

    /// A WebSocket over a cable; it is a member when this returns.
    pub(super) async fn join(&self, port: u16, cable: Cable, path: &str) -> Socket {
        self.open(port, cable).await.upgrade(path).await
    }

    /// A TCP connection over a cable.
    pub(super) async fn open(&self, port: u16, cable: Cable) -> Socket {
        let end = |host| IpAddr::from([10, 0, cable as u8, host]);
        self.clients.open(end(2), SocketAddr::new(end(1), port)).await
    }

    /// The broker sends 1 Mbit a second to the victim.
    pub(super) fn slow_down(&self) {
        self.broker.run("tc qdisc add dev victim root tbf rate 1mbit burst 16kb latency 400ms");
    }

    /// Of a hundred segments to and from the victim, five are lost.
    pub(super) fn lose(&self) {
        for namespace in [&self.broker, &self.clients] {
            // or many segments would pass as one packet
            namespace.run("ip link set victim gso_max_segs 1");
            namespace.lose("victim", 5);
        }
    }

    /// How many segments the broker's kernel had to send again.
    pub(super) fn broker_sent_again(&self) -> u64 {
        let table = self.broker.run("cat /proc/net/snmp");
        let mut lines = table.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let mut fields = names.split(' ').zip(values.split(' '));
        fields.find(|(name, _)| *name == "RetransSegs").unwrap().1.parse().unwrap()
    }

    /// Pulls the victim's cable; nobody is told.
    pub(super) fn cut(&self) {
        self.clients.run("ip link set victim down");
    }

    /// Plugs it in again.
    pub(super) fn mend(&self) {
        self.clients.run("ip link set victim up");
    }
}
