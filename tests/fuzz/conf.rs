//! Files of the original: what is imported is a configuration file, what is not is an error with
//! its place.

#![cfg_attr(feature = "libfuzzer", no_main)]

use std::ffi::OsString;
use std::io;

use mercury::cli::{Exit, Invocation, Surroundings, parse};
use mercury::config::conf;

mercury_fuzz::target!(check);

/// Runs a command beside one file.
fn run(words: &[&str], path: &str, bytes: &[u8]) -> Result<String, Exit> {
    let file = |name: &str| {
        let is_there = name == path;
        is_there.then(|| bytes.to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    let surroundings = Surroundings { file: &file, ..Surroundings::NONE };
    match parse(words.iter().map(OsString::from), &surroundings)? {
        Invocation::Check { verdict: text, .. } | Invocation::Print(text) => Ok(text),
        other => unreachable!("{other:?}"),
    }
}

fn check(input: &[u8]) {
    let read = conf::read(input);
    match run(&["mercury", "config", "import", "mercury.conf"], "mercury.conf", input) {
        Ok(text) => {
            assert!(read.is_ok(), "{text}");
            let verdict = run(&["mercury", "config", "check"], "mercury.toml", text.as_bytes());
            assert_eq!(verdict.as_deref(), Ok("mercury.toml is fine\n"), "{text}");
        }
        Err(exit) => {
            assert_eq!(exit.status, 1);
            assert!(exit.message.starts_with("mercury.conf:"), "{}", exit.message);
            assert!(!exit.message.contains(char::is_control), "{}", exit.message);
        }
    }
    if let Err(error) = read {
        let lines = input.split(|byte| *byte == b'\n').count();
        assert!((1..=lines).contains(&error.place.line), "{error}");
        assert!((1..=input.len() + 1).contains(&error.place.column), "{error}");
    }
}
