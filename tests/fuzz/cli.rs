//! The command line and the environment: a checked configuration, or one line that says why not.
//!
//! A line of an input is an argument; one that starts with a capital is a variable, `NAME=value`.

#![cfg_attr(feature = "libfuzzer", no_main)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use mercury::cli::{Invocation, Surroundings, parse};
use mercury::config::{Pin, Size};

mercury_fuzz::target!(check);

fn check(input: &[u8]) {
    let lines = || input.split(|byte| *byte == b'\n');
    let is_variable = |line: &&[u8]| line.first().is_some_and(u8::is_ascii_uppercase);
    let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    let variables: Vec<_> = lines().filter(is_variable).map(text).collect();
    let arguments = lines().filter(|line| !is_variable(line));
    let program = ["mercury", "broker"].map(OsString::from);
    let arguments = arguments.map(|line| OsString::from_vec(line.to_vec()));
    let environment = |name: &str| {
        let values = variables.iter().filter_map(|line| line.split_once('='));
        values.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next_back()
    };
    let surroundings = Surroundings { environment: &environment, ..Surroundings::NONE };
    match parse(program.into_iter().chain(arguments), &surroundings) {
        Ok(Invocation::Broker { config, .. }) => {
            let limits = &config.limits;
            assert_eq!(limits.check(), Ok(()));
            assert!(limits.message_bytes_max > 0 && limits.topic_bytes_max > 0);
            assert!(!limits.pong_wait_max.is_zero() && !limits.write_stall_max.is_zero());
            assert!(!config.listen.is_empty());
            if let Pin::List(cpus) = &config.pin {
                assert!(!cpus.is_empty());
            }
            // those that only flags set: a default that makes room for them may be larger
            for bytes in [limits.message_bytes_max, limits.body_bytes_max, limits.topic_bytes_max] {
                assert_eq!(Size::parse(&Size(bytes).to_string()), Ok(Size(bytes)));
            }
        }
        Ok(Invocation::Check { verdict: text, .. } | Invocation::Print(text)) => {
            assert!(!text.is_empty());
        }
        Ok(Invocation::Health(target)) => assert!(!target.url.is_empty()),
        Ok(Invocation::Top(top)) => assert!(!top.interval.is_zero()),
        Ok(Invocation::Terminal(terminal)) => assert!(!terminal.topic.is_empty()),
        Err(exit) => {
            // 1 is for a file that is not there
            assert!(matches!(exit.status, 1 | 2));
            assert!(!exit.message.is_empty());
            assert!(!exit.message.contains(char::is_control), "{}", exit.message);
        }
    }
}
