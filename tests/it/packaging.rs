//! What the packages hold, against the broker that they hold.

use std::fs;
use std::path::{Component, Path, PathBuf};

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

/// What the Debian package holds besides the broker: each file here, and where it is installed.
fn shipped() -> Vec<(PathBuf, PathBuf)> {
    let manifest = read("Cargo.toml");
    let (_, assets) = manifest.split_once("\nassets = [\n").unwrap();
    let (assets, _) = assets.split_once("\n]").unwrap();
    let lines = assets.lines().filter(|line| !line.trim_start().starts_with('#'));
    let pairs = lines.map(|line| {
        let mut texts = line.split('"').skip(1).step_by(2);
        (texts.next().unwrap(), texts.next().unwrap())
    });
    let pairs = pairs.filter(|(source, _)| !source.starts_with("target/"));
    let files = pairs.flat_map(|(source, folder)| {
        let found: Vec<PathBuf> = match source.split_once('*') {
            None => vec![source.into()],
            Some((from, end)) => {
                let found = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path());
                found
                    .filter(|path| path.is_file() && path.to_str().unwrap().ends_with(end))
                    .collect()
            }
        };
        assert!(!found.is_empty() && found.iter().all(|path| path.is_file()), "{source}");
        let folder = Path::new(folder);
        found.into_iter().map(|path| (path.clone(), folder.join(path.file_name().unwrap())))
    });
    files.collect()
}

#[test]
fn every_file_of_the_debian_package_is_there() {
    let shipped = shipped();
    let has = |file: &str| shipped.iter().any(|(source, _)| source == Path::new(file));
    assert!(has(".packaging/mercury.service") && has("docs/operating.md"), "{shipped:?}");
}

#[test]
fn what_the_debian_package_points_at_is_in_it() {
    let shipped = shipped();
    let is_shipped = |file: &Path| shipped.iter().any(|(_, installed)| installed == file);
    for (source, installed) in &shipped {
        // pictures are among them, and point at nothing
        let text = fs::read(source).unwrap();
        let text = String::from_utf8_lossy(&text);
        let folder = installed.parent().unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let links = links.filter(|link| !link.is_empty() && !link.contains(':'));
        let is_page = source.extension().is_some_and(|end| end == "md");
        for link in links.filter(|_| is_page) {
            assert!(is_shipped(&plain(&folder.join(link))), "{link} in {}", installed.display());
        }
        let pages = text.lines().filter_map(|line| line.strip_prefix("Documentation=file:/"));
        for page in pages {
            assert!(is_shipped(Path::new(page)), "{page} in {}", installed.display());
        }
    }
}

/// A path without steps back up.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

#[test]
fn the_image_is_built_by_the_oldest_rust_that_we_know_to_do() {
    let needed = read("Cargo.toml");
    let image = read(".packaging/Dockerfile");
    let from = format!("rust:{}-", value(&needed, "rust-version"));
    assert!(image.contains(&from), "{from} is not in {image}");
}
