//! What the packages hold, against the broker that they hold.

use std::fs;
use std::path::Path;

use crate::process::Process;

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The value of a key in a unit or a TOML file, the first of that name.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {key} in {text}")).trim().trim_matches('"')
}

#[tokio::test]
async fn the_packaged_settings_are_right_and_open_the_listener_for_operators() {
    let flags = ["--config", ".packaging/mercury.toml"];
    let checked = Process::run(&[&["config", "check"], &flags[..]].concat(), &[]).await;
    assert_eq!(checked.status, Some(0), "{checked:?}");
    let shown = Process::run(&[&["config", "show"], &flags[..]].concat(), &[]).await;
    for line in ["admin = \"http://127.0.0.1:3001\"", "mode = \"production\""] {
        assert!(shown.output.lines().any(|shown| shown.starts_with(line)), "{shown:?}");
    }
}

#[tokio::test]
async fn the_unit_starts_the_broker_with_the_packaged_settings() {
    let unit = read(".packaging/mercury.service");
    let mut command = value(&unit, "ExecStart").split(' ');
    assert_eq!(command.next(), Some("/usr/bin/mercury"));
    assert_eq!(command.next(), Some("broker"));
    let flags: Vec<_> = command
        .map(
            |word| {
                if word == "/etc/mercury/mercury.toml" { ".packaging/mercury.toml" } else { word }
            },
        )
        .collect();
    assert!(flags.contains(&".packaging/mercury.toml"), "{flags:?}");
    let checked = Process::run(&[&["config", "check"], &flags[..]].concat(), &[]).await;
    assert_eq!(checked.status, Some(0), "{checked:?}");
}

#[test]
fn every_file_of_the_debian_package_is_there() {
    let manifest = read("Cargo.toml");
    let (_, assets) = manifest.split_once("\nassets = [\n").unwrap();
    let (assets, _) = assets.split_once("\n]").unwrap();
    let sources: Vec<_> = assets.lines().map(|line| line.split('"').nth(1).unwrap()).collect();
    assert!(sources.contains(&".packaging/mercury.service"), "{sources:?}");
    for source in sources.into_iter().filter(|source| !source.starts_with("target/")) {
        let folder = source.rsplit_once("/*").map(|(folder, _)| folder);
        assert!(Path::new(folder.unwrap_or(source)).exists(), "{source}");
    }
}

#[test]
fn the_image_is_built_by_the_oldest_rust_that_we_know_to_do() {
    let needed = read("Cargo.toml");
    let image = read(".packaging/Dockerfile");
    let from = format!("rust:{}-", value(&needed, "rust-version"));
    assert!(image.contains(&from), "{from} is not in {image}");
}
