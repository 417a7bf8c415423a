//! The program `mercury` is the command and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    mercury::command::main(std::env::args_os())
}
