//! What the help and `docs/terminal.md` tell is the same.

use mercury::cli::{self, Invocation, Surroundings};

use crate::readme::{document, rows};

/// The flags of a command's help.
fn flags(command: &str) -> Vec<String> {
    let words = ["mercury", "help", command].map(Into::into);
    let Ok(Invocation::Print(help)) = cli::parse(words, &Surroundings::NONE) else {
        panic!("no help")
    };
    let flags = help.lines().map(str::trim_start).filter(|line| line.starts_with("--"));
    let mut flags: Vec<_> =
        flags.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
    flags.sort();
    flags
}

#[test]
fn the_document_lists_the_options_of_each_command() {
    let rows = rows(&document("docs/terminal.md"), "Options");
    for command in ["sub", "pub", "bus", "push", "pull"] {
        let is_told =
            |row: &&Vec<String>| row[1] == "all" || row[1].split(", ").any(|it| it == command);
        let told =
            rows.iter().filter(is_told).map(|row| row[0].split(' ').next().unwrap_or_default());
        let mut told: Vec<_> = told.map(str::to_owned).collect();
        told.sort();
        assert_eq!(told, flags(command), "{command}");
    }
}
