//! What a process costs between two moments, in all and by thread, from Linux's /proc.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mercury::config::Pin;

use crate::cpu;

/// A tick of `/proc/P/stat` in nanoseconds: `USER_HZ` is 100 on every machine that Linux gives a
/// `schedstat` on.
const TICK_NS: u64 = 10_000_000;
/// Ticks by which two counters that are read one after the other may differ from the nanoseconds.
const TICKS_OFF: u64 = 3;

/// What a process and its threads have used up so far.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// All its threads, those that ended too.
    ticks: Ticks,
    /// The living threads. Numbers are used again, so the moment of the start is part of the key.
    threads: BTreeMap<(u64, u32), Thread>,
    /// Memory that it holds now.
    resident_bytes: u64,
    /// The most that it ever held.
    resident_bytes_max: u64,
}

/// What a process used up between two moments, and what it held at the later one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Nanoseconds of CPU in user mode.
    pub(crate) user_ns: u64,
    /// Nanoseconds of CPU in the kernel.
    pub(crate) system_ns: u64,
    /// Times that a thread had nothing to do and slept.
    pub(crate) voluntary_switches: u64,
    /// Times that a thread was made to wait for a CPU.
    pub(crate) involuntary_switches: u64,
    /// Resident memory.
    pub(crate) resident_bytes: u64,
    /// The most resident memory since the process began.
    pub(crate) resident_bytes_max: u64,
    /// The threads that lived at the end, oldest first.
    pub(crate) threads: Vec<ThreadCost>,
}

/// What one thread used up between two moments, or since its start if that was between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ThreadCost {
    /// Its name, like `shard-0`.
    pub(crate) name: String,
    /// Nanoseconds of CPU in user mode.
    pub(crate) user_ns: u64,
    /// Nanoseconds of CPU in the kernel.
    pub(crate) system_ns: u64,
    /// Nanoseconds that it could have run and had no CPU.
    pub(crate) waiting_ns: u64,
    /// Times that it had nothing to do and slept.
    pub(crate) voluntary_switches: u64,
    /// Times that it was made to wait for a CPU.
    pub(crate) involuntary_switches: u64,
    /// The CPUs that it may run on, ascending.
    pub(crate) cpus: Vec<usize>,
}

/// What one thread has used up so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Thread {
    /// Its name.
    name: String,
    /// CPU time, coarse.
    ticks: Ticks,
    /// CPU time, fine.
    cpu_ns: u64,
    /// Time that it was ready and did not run.
    waiting_ns: u64,
    /// Times that it slept.
    voluntary_switches: u64,
    /// Times that it was preempted.
    involuntary_switches: u64,
    /// Where it may run.
    cpus: Vec<usize>,
}

/// CPU time as `/proc/P/stat` has it: coarse, but user and system apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticks {
    /// In user mode.
    user: u64,
    /// In the kernel.
    system: u64,
}

impl Snapshot {
    /// The process `pid` now; none if it is gone or not ours to look at.
    pub(crate) fn take(pid: u32) -> Option<Self> {
        let process = format!("/proc/{pid}");
        let process = Path::new(&process);
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(process.join("task")).ok()?.flatten() {
            let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
            // A thread may end while we look.
            let (Some(id), Some((start, thread))) = (id, Thread::read(&entry.path())) else {
                continue;
            };
            threads.insert((start, id), thread);
        }
        let (ticks, _) = stat(&fs::read_to_string(process.join("stat")).ok()?)?;
        let status = fs::read_to_string(process.join("status")).ok()?;
        let bytes = |name| number(&status, name).unwrap_or(0) * 1024;
        let (resident_bytes, resident_bytes_max) = (bytes("VmRSS:"), bytes("VmHWM:"));
        Some(Self { ticks, threads, resident_bytes, resident_bytes_max })
    }

    /// What was used up since `before`.
    ///
    /// CPU is the sum of the living threads' nanosecond clocks. What a thread that ended had used
    /// up is only in the process's ticks: it counts once these say more than the clocks.
    pub(crate) fn since(&self, before: &Self) -> Cost {
        let ticks = self.ticks.since(before.ticks);
        let split = if ticks.is_zero() { self.ticks } else { ticks };
        let unborn = Thread::default();
        let threads = self.threads.iter().map(|(key, thread)| {
            thread.since_or(before.threads.get(key).unwrap_or(&unborn), split)
        });
        let threads: Vec<ThreadCost> = threads.collect();
        let sum = |part: fn(&ThreadCost) -> u64| threads.iter().map(part).sum::<u64>();
        let living = sum(ThreadCost::cpu_ns);
        let counted = (ticks.user + ticks.system) * TICK_NS;
        let cpu_ns = if counted > living + TICKS_OFF * TICK_NS { counted } else { living };
        let (user_ns, system_ns) = split.divide(cpu_ns);
        Cost {
            user_ns,
            system_ns,
            voluntary_switches: sum(|thread| thread.voluntary_switches),
            involuntary_switches: sum(|thread| thread.involuntary_switches),
            resident_bytes: self.resident_bytes,
            resident_bytes_max: self.resident_bytes_max,
            threads,
        }
    }
}

impl Cost {
    /// Nanoseconds of CPU.
    pub(crate) fn cpu_ns(&self) -> u64 {
        self.user_ns + self.system_ns
    }

    /// Context switches of both kinds.
    pub(crate) fn switches(&self) -> u64 {
        self.voluntary_switches + self.involuntary_switches
    }

    /// The threads that carry the load of a broker of ours.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &ThreadCost> {
        self.threads.iter().filter(|thread| thread.name.starts_with("shard-"))
    }
}

impl ThreadCost {
    /// Nanoseconds of CPU.
    pub(crate) fn cpu_ns(&self) -> u64 {
        self.user_ns + self.system_ns
    }
}

impl Thread {
    /// The calling thread now; only its CPU time where /proc is not to be read.
    pub(crate) fn of_this_thread() -> Self {
        let cpu_ns = u64::try_from(cpu::of_this_thread().as_nanos()).unwrap_or(u64::MAX);
        let thread = Self::read(Path::new("/proc/thread-self")).map(|(_, thread)| thread);
        Self { cpu_ns, ..thread.unwrap_or_default() }
    }

    /// What the thread used up since `before`.
    pub(crate) fn since(&self, before: &Self) -> ThreadCost {
        self.since_or(before, self.ticks)
    }

    /// The thread of a folder in `/proc/P/task`, and when it began; none if it is gone.
    fn read(folder: &Path) -> Option<(u64, Self)> {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let (ticks, start) = stat(&read("stat")?)?;
        let status = read("status")?;
        let cpus = line(&status, "Cpus_allowed_list:").and_then(list).unwrap_or_default();
        // Kernels without CONFIG_SCHED_INFO have no such file.
        let times = read("schedstat").and_then(|text| {
            let mut times = text.split(' ').map(str::parse);
            Some((times.next()?.ok()?, times.next()?.ok()?))
        });
        let (cpu_ns, waiting_ns) = times.unwrap_or(((ticks.user + ticks.system) * TICK_NS, 0));
        let thread = Self {
            name: read("comm")?.trim_end().to_owned(),
            ticks,
            cpu_ns,
            waiting_ns,
            voluntary_switches: number(&status, "voluntary_ctxt_switches:")?,
            involuntary_switches: number(&status, "nonvoluntary_ctxt_switches:")?,
            cpus,
        };
        Some((start, thread))
    }

    /// `fallback` is how its process divides CPU, for threads that ran for less than a tick.
    fn since_or(&self, before: &Self, fallback: Ticks) -> ThreadCost {
        let ticks = self.ticks.since(before.ticks);
        let split = if ticks.is_zero() { fallback } else { ticks };
        let (user_ns, system_ns) = split.divide(self.cpu_ns.saturating_sub(before.cpu_ns));
        let switches = |now: u64, then| now.saturating_sub(then);
        ThreadCost {
            name: self.name.clone(),
            user_ns,
            system_ns,
            waiting_ns: self.waiting_ns.saturating_sub(before.waiting_ns),
            voluntary_switches: switches(self.voluntary_switches, before.voluntary_switches),
            involuntary_switches: switches(self.involuntary_switches, before.involuntary_switches),
            cpus: self.cpus.clone(),
        }
    }
}

impl Ticks {
    fn is_zero(self) -> bool {
        self == Self::default()
    }

    fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }

    /// `cpu_ns` in the ratio of the ticks, user first; all of it is user time if there are none.
    fn divide(self, cpu_ns: u64) -> (u64, u64) {
        let (system, all) = (u128::from(self.system), u128::from(self.user + self.system).max(1));
        let system_ns = u128::from(cpu_ns) * system / all;
        let system_ns = u64::try_from(system_ns).expect("a part of a u64");
        (cpu_ns - system_ns, system_ns)
    }
}

/// CPU time and start of a line of `/proc/P/stat`, fields 14, 15 and 22 of proc(5). The name in
/// field 2 may hold anything, so what counts is behind its last bracket.
fn stat(line: &str) -> Option<(Ticks, u64)> {
    let mut fields = line.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse().ok();
    let ticks = Ticks { user: next()?, system: next()? };
    let start = fields.nth(6)?.parse().ok()?;
    Some((ticks, start))
}

/// What stands behind `name` in `/proc/P/status`.
fn line<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// The number behind `name`, without its unit.
fn number(status: &str, name: &str) -> Option<u64> {
    line(status, name)?.split(' ').next()?.parse().ok()
}

/// CPUs as the kernel lists them, which is how `--pin` takes them.
fn list(text: &str) -> Option<Vec<usize>> {
    match Pin::parse(text) {
        Ok(Pin::List(cpus)) => Some(cpus),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    /// Runs this thread for so long, by its own clock.
    fn work(duration: Duration) {
        let start = cpu::of_this_thread();
        while cpu::of_this_thread() < start + duration {}
    }

    #[test]
    fn lines_of_proc() {
        let line = "12 (a) b) (c) R 1 2 3 4 5 6 7 8 9 10 71 29 0 0 20 0 1 0 4242 99";
        assert_eq!(stat(line), Some((Ticks { user: 71, system: 29 }, 4242)));
        assert_eq!(stat("12 (a) R 1 2"), None);
        assert_eq!(list("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(number("VmRSS:\t    1608 kB\n", "VmRSS:"), Some(1608));
        assert_eq!(Ticks { user: 1, system: 3 }.divide(1001), (251, 750));
        assert_eq!(Ticks::default().divide(7), (7, 0));
    }

    #[test]
    fn counts_threads_that_come_and_go() {
        let pid = std::process::id();
        let (stop, stopped) = mpsc::channel::<()>();
        let (ready, is_ready) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let goes = thread::spawn(move || {
            ready.send(()).unwrap();
            may_go.recv().unwrap();
            work(Duration::from_millis(200));
        });
        is_ready.recv().unwrap();
        let before = Snapshot::take(pid).unwrap();
        go.send(()).unwrap();
        goes.join().unwrap();
        let (ready, is_ready) = mpsc::channel();
        let comes = thread::Builder::new().name("shard-77".to_owned()).spawn(move || {
            work(Duration::from_millis(50));
            ready.send(()).unwrap();
            stopped.recv().unwrap_err();
        });
        is_ready.recv().unwrap();
        let cost = Snapshot::take(pid).unwrap().since(&before);
        drop(stop);
        comes.unwrap().join().unwrap();
        let shard = cost.shards().find(|thread| thread.name == "shard-77").unwrap();
        assert!(shard.cpu_ns() >= 50_000_000, "{shard:?}");
        assert!(!shard.cpus.is_empty(), "{shard:?}");
        assert!(cost.cpu_ns() >= 220_000_000, "the one that went counts, too: {cost:?}");
        assert!(cost.resident_bytes > 1 << 18 && cost.resident_bytes_max >= cost.resident_bytes);
    }

    #[test]
    fn tells_user_from_system_and_counts_switches() {
        // Reads and writes a byte at a time: the kernel's work.
        let mut child = Command::new("dd")
            .args(["if=/dev/zero", "of=/dev/null", "bs=1", "count=100000000", "status=none"])
            .spawn()
            .unwrap();
        let before = Snapshot::take(child.id()).unwrap();
        let (start, mut cost) = (Instant::now(), Cost::default());
        while cost.cpu_ns() < 200_000_000 && start.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(10));
            cost = Snapshot::take(child.id()).unwrap().since(&before);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(cost.system_ns > cost.user_ns / 4, "{cost:?}");
        assert_eq!(cost.threads.len(), 1);
        assert_eq!(Snapshot::take(child.id()).map(|_| ()), None);
    }
}
