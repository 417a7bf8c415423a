//! How much memory this process may use, as the machine and its cgroup say.

use std::fs;
use std::path::{Path, PathBuf};

/// Taken for what is there when nobody says.
const FALLBACK_BYTES: usize = 1 << 30;

/// Half of what is given: the default of `--memory-max`. The other half is for what is not in
/// queues: connections, topics, the kernel's buffers, other processes.
#[must_use]
pub fn half() -> usize {
    given(Path::new("/")).unwrap_or(FALLBACK_BYTES) / 2
}

/// The machine's memory, or the smallest limit of a cgroup that this process is in.
fn given(root: &Path) -> Option<usize> {
    let machine = fs::read_to_string(root.join("proc/meminfo")).ok();
    let machine = machine.and_then(|text| total(&text));
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| limit_files(root, line)).flatten();
    let limits = limits.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    machine.into_iter().chain(limits).min()
}

/// `MemTotal` of proc(5)'s meminfo, in bytes.
fn total(meminfo: &str) -> Option<usize> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: usize = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Where the limits of one line of proc(5)'s cgroup stand: in its folder and in all above it,
/// `0::/path` for version 2, `N:memory:/path` for version 1.
fn limit_files(root: &Path, line: &str) -> Option<Vec<PathBuf>> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let (mount, file) = match controllers {
        "" => ("sys/fs/cgroup", "memory.max"),
        list if list.split(',').any(|name| name == "memory") => {
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let folders = Path::new(path.trim_start_matches('/')).ancestors();
    Some(folders.map(|folder| root.join(mount).join(folder).join(file)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose files have these texts; removed when dropped.
    struct Machine(PathBuf);

    impl Machine {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let name = format!("mercury-memory-{}-{name}", std::process::id());
            let root = std::env::temp_dir().join(name);
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\n");

    #[test]
    fn the_smallest_limit_on_the_way_up_counts() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.max", "5000\n"),
        ];
        assert_eq!(given(&Machine::new("v2", &files).0), Some(5000));
    }

    #[test]
    fn the_first_version_of_cgroups_is_read_too() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/y\n"),
            ("sys/fs/cgroup/memory/y/memory.limit_in_bytes", "7000\n"),
        ];
        assert_eq!(given(&Machine::new("v1", &files).0), Some(7000));
    }

    #[test]
    fn without_a_limit_it_is_the_machines_memory() {
        let files = [MEMINFO, ("proc/self/cgroup", "0::/\n")];
        assert_eq!(given(&Machine::new("none", &files).0), Some(1_024_000));
        assert_eq!(given(Path::new("/nowhere")), None);
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(half() > 1 << 20);
    }
}
