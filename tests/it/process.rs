//! The built command in a process of its own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;
use std::{fs, thread};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::server::PATIENCE;

/// What the kernel counts processor time in, whatever it runs on (proc(5), times(2)).
const TICKS_PER_SECOND: u32 = 100;

/// A running `mercury`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// What it writes to standard error.
    lines: UnboundedReceiver<String>,
    /// The lines of the start, in order.
    pub(crate) start: Vec<String>,
    /// The ports that it listens on, in order.
    pub(crate) ports: Vec<u16>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status; `None` when a signal killed it.
    pub(crate) status: Option<i32>,
    /// The signal that killed it.
    pub(crate) signal: Option<i32>,
    /// What it wrote to standard error and nobody read before.
    pub(crate) lines: Vec<String>,
    /// What it wrote to standard output.
    pub(crate) output: String,
}

impl Process {
    /// A broker on a free port of 127.0.0.1 with these flags; it listens when this returns.
    pub(crate) async fn broker(flags: &[&str]) -> Self {
        let arguments = [&["broker", "-l", "http://127.0.0.1:0", "--pin", "none"], flags].concat();
        Self::start(&arguments, &[]).await
    }

    /// A broker with these flags that is started with these limits of descriptors.
    pub(crate) async fn broker_with_descriptors(soft: usize, hard: usize, flags: &[&str]) -> Self {
        let limited = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"");
        let arguments = [&["broker", "-l", "http://127.0.0.1:0", "--pin", "none"], flags].concat();
        Self::launch(&["sh", "-c", &limited], &arguments, &[]).await
    }

    /// A broker with these arguments and variables; it listens when this returns.
    pub(crate) async fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::launch(&[], arguments, variables).await
    }

    /// A broker that works in a folder, with these arguments and variables; it listens when this
    /// returns.
    pub(crate) async fn start_in(
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::spawn_in(folder, &[], arguments, variables).started(arguments).await
    }

    /// A broker that a launcher becomes, like `nsenter`; it listens when this returns.
    pub(crate) async fn launch(
        launcher: &[&str],
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::spawn(launcher, arguments, variables).started(arguments).await
    }

    async fn started(mut self, arguments: &[&str]) -> Self {
        loop {
            let line = self.line().await.unwrap_or_else(|| {
                panic!("{arguments:?} ended after {:?}", self.start);
            });
            let started = line.contains("mercury::start") && line.contains("started");
            // `listening on http://*:3000`, or the field of a JSON event
            if let Some((_, rest)) = line.split_once("listening on ") {
                let url = rest.split('"').next().unwrap();
                // a socket's file has none
                self.ports.extend(url.rsplit(':').next().unwrap().parse::<u16>());
            }
            self.start.push(line);
            if started {
                return self;
            }
        }
    }

    /// A broker that is given this descriptor as a service manager would (`sd_listen_fds(3)`); it
    /// listens when this returns.
    pub(crate) async fn activate(
        descriptor: impl Into<OwnedFd>,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::activated(descriptor, arguments, variables).started(arguments).await
    }

    /// The same, which may end instead.
    pub(crate) fn activated(
        descriptor: impl Into<OwnedFd>,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let command = "export LISTEN_PID=$$ LISTEN_FDS=\"${LISTEN_FDS:-1}\"
            exec \"$0\" \"$@\" 3<&0 </dev/null";
        let launcher = ["sh", "-c", command];
        let stdin = Stdio::from(descriptor.into());
        Self::spawn_on(stdin, Path::new("."), &launcher, arguments, variables)
    }

    /// Runs to its end.
    pub(crate) async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        Self::spawn(&[], arguments, variables).ended().await
    }

    /// Runs in a folder to its end.
    pub(crate) async fn run_in(
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Ended {
        Self::spawn_in(folder, &[], arguments, variables).ended().await
    }

    fn spawn(launcher: &[&str], arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn_in(Path::new("."), launcher, arguments, variables)
    }

    fn spawn_in(
        folder: &Path,
        launcher: &[&str],
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::spawn_on(Stdio::null(), folder, launcher, arguments, variables)
    }

    fn spawn_on(
        stdin: Stdio,
        folder: &Path,
        launcher: &[&str],
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let command = [launcher, &[env!("CARGO_BIN_EXE_mercury")], arguments].concat();
        let mut child = Command::new(command[0])
            .args(command[1..].iter().map(OsStr::new))
            .current_dir(folder)
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = unbounded_channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // the test may be over
                drop(sender.send(line));
            }
        });
        Self { child, lines, start: vec![], ports: vec![] }
    }

    /// The next line of standard error; `None` when there will be no more.
    pub(crate) async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.lines.recv()).await.expect("a line in time")
    }

    /// A line of standard error that is there already.
    pub(crate) fn waiting_line(&mut self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    /// The next line that holds this.
    pub(crate) async fn line_with(&mut self, part: &str) -> String {
        loop {
            let line = self.line().await.unwrap_or_else(|| panic!("it ended without {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// The first port.
    pub(crate) fn port(&self) -> u16 {
        self.ports[0]
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Ended {
        let mut lines = vec![];
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        // its standard error is closed: it is gone, or about to be
        let status = self.child.wait().unwrap();
        let mut output = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        Ended { status: status.code(), signal: status.signal(), lines, output }
    }

    /// Asks it to stop and waits for its end.
    pub(crate) async fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Name and permitted CPUs of each of its threads, by name.
    pub(crate) fn threads(&self) -> Vec<(String, String)> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let mut threads: Vec<_> = tasks
            .map(|task| {
                let path = task.unwrap().path();
                let name = fs::read_to_string(path.join("comm")).unwrap();
                (name.trim().to_owned(), permitted(&path.join("status")))
            })
            .collect();
        threads.sort();
        threads
    }

    /// How many descriptors it holds.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// How much of its memory is resident, in KiB.
    pub(crate) fn resident_kib(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap().trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    /// Soft and hard limit of its descriptors.
    pub(crate) fn descriptor_limits(&self) -> (usize, usize) {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let mut numbers = line.unwrap().split_whitespace().map(|word| word.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    /// The number that its next descriptor will have.
    pub(crate) fn lowest_free_descriptor(&self) -> usize {
        let held = PathBuf::from(format!("/proc/{}/fd", self.child.id()));
        (0..1 << 20).find(|number| !held.join(number.to_string()).is_symlink()).unwrap()
    }

    /// Sets its soft limit of descriptors: new ones have lower numbers.
    pub(crate) fn allow_descriptors(&self, below: usize) {
        let hard = self.descriptor_limits().1;
        let limits = Rlimit { current: Some(below as u64), maximum: Some(hard as u64) };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Nofile, limits).unwrap();
    }

    /// How long its threads have run on a processor.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // the name in front may hold blanks; user and system time are fields 14 and 15
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
        let ticks: u32 = fields.map(|field| field.parse::<u32>().unwrap()).sum();
        Duration::from_secs(1) * ticks / TICKS_PER_SECOND
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // both fail when it has ended, which is what we want
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The value of a field of a log line.
pub(crate) fn field<T: FromStr>(line: &str, name: &str) -> T {
    let (_, value) = line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{line}"));
    let value = value.split(' ').next().unwrap();
    value.parse().unwrap_or_else(|_| panic!("{name} in {line}"))
}

/// The CPUs that a thread may run on, as the kernel lists them.
pub(crate) fn permitted(status: &Path) -> String {
    let status = fs::read_to_string(status).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap().trim().to_owned()
}
