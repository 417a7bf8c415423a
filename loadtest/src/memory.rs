//! What a process holds in memory of its own, from Linux's /proc. What the kernel holds for it,
//! such as the buffers of its sockets, is in none of these figures.

use std::fs;

/// The memory of one process at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All that is resident, program and libraries too.
    pub(crate) resident_bytes: u64,
    /// What it allocated and touched: heap and stacks.
    pub(crate) anonymous_bytes: u64,
}

impl Memory {
    /// Of the process `pid` now; none if it is gone or not ours to look at.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        // Counts pages; the quick counters of `status` may be off by a few hundred KiB.
        let exact = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
        let exact = exact.and_then(|text| Self::parse(&text, "Rss:", "Anonymous:"));
        exact.or_else(|| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            Self::parse(&status, "VmRSS:", "RssAnon:")
        })
    }

    fn parse(text: &str, resident: &str, anonymous: &str) -> Option<Self> {
        let bytes = |name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
        };
        Some(Self { resident_bytes: bytes(resident)?, anonymous_bytes: bytes(anonymous)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_both_files() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:    884 kB\nPss:  385 kB\n\
                      Anonymous:    120 kB\n";
        let memory = Memory { resident_bytes: 884 << 10, anonymous_bytes: 120 << 10 };
        assert_eq!(Memory::parse(rollup, "Rss:", "Anonymous:"), Some(memory));
        let status = "VmHWM:\t 999 kB\nVmRSS:\t     884 kB\nRssAnon:\t     120 kB\n";
        assert_eq!(Memory::parse(status, "VmRSS:", "RssAnon:"), Some(memory));
        assert_eq!(Memory::parse("Name:\tkthreadd\n", "VmRSS:", "RssAnon:"), None);
    }

    #[test]
    fn sees_what_was_touched() {
        let before = Memory::of(std::process::id()).unwrap();
        let touched = vec![1_u8; 64 << 20];
        let after = Memory::of(std::process::id()).unwrap();
        drop(touched);
        // other tests of this process allocate, too, but not as much
        assert!(
            after.anonymous_bytes > before.anonymous_bytes + (32 << 20),
            "{before:?} {after:?}"
        );
        assert!(after.resident_bytes >= after.anonymous_bytes);
        assert_eq!(Memory::of(u32::MAX), None);
    }
}
