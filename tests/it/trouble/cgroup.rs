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
    /// May have this much memory. Fails with the reason if there are no groups for us.
    pub(super) fn of_memory(bytes: u64) -> Result<Self, String> {
        let group = Self::new("memory")?;
        if group.0.join("memory.max").exists() {
            group.set("memory.max", &bytes.to_string());
        } else {
            group.set("memory.limit_in_bytes", &bytes.to_string());
        }
        Ok(group)
    }

    /// May use this share of one CPU. Fails with the reason if there are no groups for us.
    pub(super) fn of_cpu(percent: u64) -> Result<Self, String> {
        const PERIOD_MICROSECONDS: u64 = 100_000;
        let quota = PERIOD_MICROSECONDS / 100 * percent;
        let group = Self::new("cpu")?;
        if group.0.join("cpu.max").exists() {
            group.set("cpu.max", &format!("{quota} {PERIOD_MICROSECONDS}"));
        } else {
            group.set("cpu.cfs_period_us", &PERIOD_MICROSECONDS.to_string());
            group.set("cpu.cfs_quota_us", &quota.to_string());
        }
        Ok(group)
    }

    fn new(controller: &str) -> Result<Self, String> {
        let switches = Path::new(ROOT).join("cgroup.subtree_control");
        let parent = if switches.exists() {
            is_ours(fs::write(switches, format!("+{controller}")))?;
            PathBuf::from(ROOT)
        } else {
            Path::new(ROOT).join(controller)
        };
        let number = GROUPS.fetch_add(1, Relaxed);
        let folder = parent.join(format!("mercury-test-{controller}-{}-{number}", id()));
        is_ours(fs::create_dir(&folder))?;
        Ok(Self(folder))
    }

    /// Sets one of its limits, which whoever may make a group may do.
    fn set(&self, file: &str, value: &str) {
        fs::write(self.0.join(file), value).unwrap();
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

/// Whether the control groups are ours to change: root of a container may not, or has none, or
/// runs in their root, which then takes no limits (`cgroups(7)`, no internal processes).
fn is_ours(result: io::Result<()>) -> Result<(), String> {
    use io::ErrorKind::{
        NotFound, PermissionDenied, ReadOnlyFilesystem, ResourceBusy, Unsupported,
    };
    result.map_err(|error| match error.kind() {
        NotFound | PermissionDenied | ReadOnlyFilesystem | ResourceBusy | Unsupported => {
            format!("needs root of the machine's control groups ({error})")
        }
        _ => panic!("no control group: {error}"),
    })
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
