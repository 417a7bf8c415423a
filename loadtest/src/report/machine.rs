//! Where a figure was measured: without it, a figure says nothing.

use std::fs;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

/// The machine that the load tester runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The operating system and its release.
    pub(crate) kernel: String,
    /// The processor's name for itself.
    pub(crate) cpu: String,
    /// The CPUs that we may run on.
    pub(crate) cores: usize,
}

impl Machine {
    /// This machine; what it does not tell is `unknown`.
    pub(crate) fn this() -> Self {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease");
        let release = release.as_deref().map_or("unknown", str::trim);
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            kernel: format!("{} {release}", std::env::consts::OS),
            cpu: model(&processors).unwrap_or("unknown").to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
        }
    }

    /// In one line.
    pub(crate) fn sentence(&self) -> String {
        let Self { kernel, cpu, cores } = self;
        format!("{cpu}, {cores} cores, {kernel}")
    }
}

/// The first processor's model in `/proc/cpuinfo`.
fn model(processors: &str) -> Option<&str> {
    let mut lines = processors.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| name.trim() == "model name").map(|(_, model)| model.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_model() {
        let text = "processor\t: 0\nmodel name\t: Fast(R) CPU @ 2: GHz\n\nmodel name\t: Other\n";
        assert_eq!(model(text), Some("Fast(R) CPU @ 2: GHz"));
        assert_eq!(model("processor: 0"), None);
        assert!(Machine::this().cores > 0);
    }
}
