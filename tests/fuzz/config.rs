//! Configuration files: checked settings that show as they were read, or one line that says where
//! the file is wrong.

#![cfg_attr(feature = "libfuzzer", no_main)]

use std::ffi::OsString;
use std::io;

use mercury::cli::{Exit, Invocation, Surroundings, parse};

mercury_fuzz::target!(check);

/// Runs a command beside a configuration file.
fn run(words: &[&str], bytes: &[u8]) -> Result<Invocation, Exit> {
    let file = |name: &str| match name {
        "mercury.toml" => Ok(bytes.to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    parse(words.iter().map(OsString::from), &Surroundings { file: &file, ..Surroundings::NONE })
}

/// What is shown, without where it comes from.
fn shown(bytes: &[u8]) -> Result<String, Exit> {
    match run(&["mercury", "config", "show"], bytes)? {
        Invocation::Print(text) => Ok(text),
        other => unreachable!("{other:?}"),
    }
}

fn check(input: &[u8]) {
    match run(&["mercury", "broker"], input) {
        Ok(Invocation::Broker { config, .. }) => {
            assert_eq!(config.limits.check(), Ok(()));
            assert!(!config.listen.is_empty());
            let shown = shown(input).expect("a broker would start");
            assert!(shown.lines().all(|line| !line.contains(char::is_control)), "{shown}");
        }
        Ok(other) => unreachable!("{other:?}"),
        Err(exit) => {
            assert_eq!(exit.status, 1);
            assert!(exit.message.starts_with("mercury.toml:"), "{}", exit.message);
            assert!(!exit.message.contains(char::is_control), "{}", exit.message);
            assert_eq!(shown(input), Err(exit));
        }
    }
}
