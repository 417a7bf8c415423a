//! Tells the guard what compiled it: counts are the same only from the same compiler.

use std::env::var;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let compiler = var("RUSTC").expect("cargo names its compiler");
    let version = Command::new(compiler).arg("--version").output().expect("the compiler runs");
    let version = String::from_utf8(version.stdout).expect("a version is UTF-8");
    let target = var("TARGET").expect("cargo names the target");
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default().replace('\u{1f}', " ");
    let flags = if flags.is_empty() { "none" } else { &flags };
    println!("cargo:rustc-env=GUARD_RUSTC={}", version.trim().trim_start_matches("rustc "));
    println!("cargo:rustc-env=GUARD_TARGET={target}");
    println!("cargo:rustc-env=GUARD_FLAGS={flags}");
}
