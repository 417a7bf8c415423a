//! What the help and `docs/terminal.md` tell is the same.

use mercury::cli::{self, Invocation, Surroundings};

use crate::readme::{blocks, document, rows};

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

/// The words of each `mercury` in a line of shell; single quotes keep blanks together.
fn commands(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word) = (vec![], vec![], String::new());
    let mut is_quoted = false;
    for character in line.chars().chain(['|']) {
        match character {
            '\'' => is_quoted = !is_quoted,
            ' ' | '|' | '&' | '#' if !is_quoted => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                if character != ' ' {
                    commands.push(std::mem::take(&mut words));
                }
            }
            other => word.push(other),
        }
    }
    commands.retain(|words| words.first().is_some_and(|word| word == "mercury"));
    commands
}

#[test]
fn the_documents_commands_are_understood() {
    let mut told = vec![];
    for block in blocks(&document("docs/terminal.md")) {
        for line in block.text.lines().filter(|_| block.language == "sh") {
            for command in commands(line) {
                let words = command.iter().map(Into::into);
                let understood = cli::parse(words, &Surroundings::NONE);
                assert!(
                    matches!(understood, Ok(Invocation::Terminal(_))),
                    "{line}: {understood:?}"
                );
                told.push(command[1].clone());
            }
        }
    }
    for command in ["sub", "pub", "bus", "push", "pull"] {
        assert!(told.iter().any(|it| it == command), "there is no example of {command}");
    }
}
