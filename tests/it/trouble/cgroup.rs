//! A control group of our own, version 1 or 2, with a limit for what runs in it.

use std::path::{Path, PathBuf};
use std::process::id;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use std::{fs, io, thread};

/// Where control groups are, in every distribution.
const ROOT: &str = "/sys/fs/cgroup";

/// How many groups this process has made.
static GROUPS: AtomicUsize = AtomicUsize::new(0);

/// A group; it goes when this is dropped, after what runs in it.
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    /// May have this much memory.
    pub(super) fn of_memory(bytes: u64) -> io::Result<Self> {
        let group = Self::new("memory")?;
        let version_2 = group.0.join("memory.max");
        if version_2.exists() {
            fs::write(version_2, bytes.to_string())?;
        } else {
            fs::write(group.0.join("memory.limit_in_bytes"), bytes.to_string())?;
        }
        Ok(group)
    }

    /// May use this share of one CPU.
    pub(super) fn of_cpu(percent: u64) -> io::Result<Self> {
        const PERIOD_MICROSECONDS: u64 = 100_000;
        let quota = PERIOD_MICROSECONDS / 100 * percent;
        let group = Self::new("cpu")?;
        let version_2 = group.0.join("cpu.max");
        if version_2.exists() {
            fs::write(version_2, format!("{quota} {PERIOD_MICROSECONDS}"))?;
        } else {
            fs::write(group.0.join("cpu.cfs_period_us"), PERIOD_MICROSECONDS.to_string())?;
            fs::write(group.0.join("cpu.cfs_quota_us"), quota.to_string())?;
        }
        Ok(group)
    }

    fn new(controller: &str) -> io::Result<Self> {
        let switches = Path::new(ROOT).join("cgroup.subtree_control");
        let parent = if switches.exists() {
            fs::write(switches, format!("+{controller}"))?;
            PathBuf::from(ROOT)
        } else {
            Path::new(ROOT).join(controller)
        };
        let number = GROUPS.fetch_add(1, Relaxed);
        let folder = parent.join(format!("mercury-test-{controller}-{}-{number}", id()));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    /// What starts a command in this group and becomes it.
    pub(super) fn launcher(&self) -> [String; 4] {
        let enter = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", self.0.display());
        ["sh".into(), "-c".into(), enter, "sh".into()]
    }

    /// How often the kernel ended a process in here for want of memory.
    pub(super) fn kills(&self) -> u64 {
        let version_1 = self.count("memory.oom_control", "oom_kill ");
        version_1.or_else(|| self.count("memory.events", "oom_kill ")).unwrap()
    }

    /// How often the kernel let processes in here wait for their share of a CPU.
    pub(super) fn throttlings(&self) -> u64 {
        self.count("cpu.stat", "nr_throttled ").unwrap()
    }

    fn count(&self, file: &str, name: &str) -> Option<u64> {
        let counts = fs::read_to_string(self.0.join(file)).ok()?;
        counts.lines().find_map(|line| line.strip_prefix(name))?.parse().ok()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // the kernel may still be burying a process that was killed
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
