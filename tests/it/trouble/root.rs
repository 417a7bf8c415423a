//! What only root may do.

use std::any::type_name;
use std::fs::{OpenOptions, read_to_string};
use std::io::Write as _;

/// What it takes to make namespaces and to change networks and control groups
/// (`capabilities(7)`): `CAP_NET_ADMIN` and `CAP_SYS_ADMIN`. Root in a container may have none.
const CAPABILITIES: u64 = 1 << 12 | 1 << 21;

/// Names a file for the names of skipped tests, since what a passing test prints is not shown.
const SKIPPED: &str = "TESTS_SKIPPED";

/// Whether this test may; one that may not is named as skipped.
pub(super) fn is_root<Test>(_: Test) -> bool {
    let status = read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    let effective = u64::from_str_radix(effective.trim(), 16).unwrap();
    let is_root = effective & CAPABILITIES == CAPABILITIES;
    if !is_root {
        name::<Test>("needs root");
    }
    is_root
}

/// Names a test as skipped for want of something else.
pub(super) fn skip<Test>(_: Test, reason: &str) {
    name::<Test>(reason);
}

fn name<Test>(reason: &str) {
    let line = format!("skipped: {reason}: {}", type_name::<Test>());
    eprintln!("{line}");
    if let Some(file) = std::env::var_os(SKIPPED) {
        let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}
