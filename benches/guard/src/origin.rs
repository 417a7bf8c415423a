//! Where counts come from: they repeat only where all of this is the same.

use std::fmt;
use std::process::Command;

/// What decides how many instructions the same source takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Origin {
    /// The compiler's version.
    pub(crate) rustc: String,
    /// The target triple.
    pub(crate) target: String,
    /// `RUSTFLAGS` that it was compiled with.
    pub(crate) flags: String,
    /// What libraries choose their code by.
    pub(crate) vectors: String,
    /// The C library, which allocates and copies.
    pub(crate) libc: String,
}

impl Origin {
    /// That of the counts of this program on this machine.
    pub(crate) fn of_this_program() -> Self {
        // callgrind shows every processor that has these as one and the same
        #[cfg(target_arch = "x86_64")]
        let vectors = if std::arch::is_x86_feature_detected!("avx2") { "avx2" } else { "older" };
        #[cfg(not(target_arch = "x86_64"))]
        let vectors = "the target's";
        let libc = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok();
        let libc = libc.filter(|output| output.status.success());
        let libc = libc.and_then(|output| String::from_utf8(output.stdout).ok());
        Self {
            rustc: env!("GUARD_RUSTC").to_owned(),
            target: env!("GUARD_TARGET").to_owned(),
            flags: env!("GUARD_FLAGS").to_owned(),
            vectors: vectors.to_owned(),
            libc: libc.map_or_else(|| "unknown".to_owned(), |libc| libc.trim().to_owned()),
        }
    }

    /// Name and value of each.
    pub(crate) fn fields(&self) -> [(&'static str, &str); 5] {
        [
            ("rustc", &self.rustc),
            ("target", &self.target),
            ("flags", &self.flags),
            ("vectors", &self.vectors),
            ("libc", &self.libc),
        ]
    }

    /// Sets the field of that name; whether there is one.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> bool {
        let field = match name {
            "rustc" => &mut self.rustc,
            "target" => &mut self.target,
            "flags" => &mut self.flags,
            "vectors" => &mut self.vectors,
            "libc" => &mut self.libc,
            _ => return false,
        };
        value.clone_into(field);
        true
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields().iter().try_for_each(|(name, value)| writeln!(f, "{name} = {value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_known_by_its_name() {
        let here = Origin::of_this_program();
        let mut copy = Origin::default();
        for (name, value) in here.fields() {
            assert!(!value.is_empty(), "{name} is empty");
            assert!(copy.set(name, value), "{name}");
        }
        assert_eq!(copy, here);
        assert!(!copy.set("deliver", "1"));
    }
}
