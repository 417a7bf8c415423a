//! `mercury sub`, `pub`, `bus`, `push` and `pull` before brokers, and before what is none.

mod chatting;
mod ending;
mod receiving;
mod reconnecting;
mod refusing;
mod sending;
mod telling;
mod working;

use std::ffi::OsStr;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::server::{PATIENCE, TestServer};

/// One of the commands, with a pipe at each end.
pub(crate) struct Tool {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    errors: Lines<BufReader<ChildStderr>>,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    status: Option<i32>,
    /// What of its standard output nobody has read.
    output: Vec<u8>,
    /// The same of its standard error, line by line.
    errors: Vec<String>,
}

impl Ended {
    /// This status, and nothing else.
    fn silent(status: i32) -> Self {
        Self { status: Some(status), output: vec![], errors: vec![] }
    }
}

impl Tool {
    /// Starts it for a broker on this port.
    fn start(port: u16, arguments: &[&str]) -> Self {
        Self::at(&format!("ws://127.0.0.1:{port}"), arguments)
    }

    /// Starts it for the broker of a URL.
    fn at(url: &str, arguments: &[&str]) -> Self {
        Self::with(arguments, &[("MERCURY_URL", url)], Stdio::piped())
    }

    /// Starts it with these variables.
    fn with(arguments: &[&str], variables: &[(&str, &str)], output: Stdio) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut child = Command::new(env!("CARGO_BIN_EXE_mercury"))
            .args(arguments.iter().map(OsStr::new))
            .env_clear()
            .env("PATH", path)
            .envs(variables.iter().copied())
            // as the foreground of a terminal is
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let errors = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { input: child.stdin.take(), output, errors, child }
    }

    /// Starts a receiver, which is a member when this returns.
    async fn joined(server: &TestServer, arguments: &[&str]) -> Self {
        let joins = server.count(|counters| &counters.joins);
        let tool = Self::start(server.port, arguments);
        server.until(|counters| &counters.joins, joins + 1).await;
        tool
    }

    /// Runs to its end, which its input's end brings about.
    async fn run(port: u16, arguments: &[&str], input: &[u8]) -> Ended {
        let mut tool = Self::start(port, arguments);
        tool.write(input).await;
        tool.ended().await
    }

    /// Writes to its standard input; whatever does not read that has its reasons.
    async fn write(&mut self, bytes: &[u8]) {
        drop(self.input.as_mut().unwrap().write_all(bytes).await);
    }

    /// The next line of its standard output.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(PATIENCE, self.output.read_line(&mut line)).await.expect("a line in time").unwrap();
        line.strip_suffix('\n').expect("a whole line").to_owned()
    }

    /// The next line of its standard error.
    async fn error(&mut self) -> String {
        let line = timeout(PATIENCE, self.errors.next_line()).await.expect("a line in time");
        line.unwrap().expect("a line before the end")
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// As a terminal does it.
    fn interrupt_foreground(&self) {
        kill_process_group(self.pid(), Signal::INT).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().expect("it runs").try_into().unwrap()).unwrap()
    }

    /// Ends its input and waits for its own end.
    async fn ended(mut self) -> Ended {
        drop(self.input.take());
        self.end().await
    }

    /// Waits for its end, whatever its input does.
    async fn end(mut self) -> Ended {
        let ending = async {
            let (mut output, mut errors) = (vec![], vec![]);
            let reading = self.output.read_to_end(&mut output);
            let listening = async {
                while let Some(line) = self.errors.next_line().await.unwrap() {
                    errors.push(line);
                }
            };
            tokio::join!(async { reading.await.unwrap() }, listening);
            let status = self.child.wait().await.unwrap().code();
            Ended { status, output, errors }
        };
        timeout(PATIENCE, ending).await.expect("an end in time")
    }
}
