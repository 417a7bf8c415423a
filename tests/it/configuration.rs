//! The configuration file, seen from outside: behaviour section 8.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use mercury::limits::CONFIG_BYTES_MAX;

use crate::process::{Process, field};
use crate::tls::Pair;
use crate::wire::{Wire, handshake};

/// An empty folder; removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A folder with these files, by name and text.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mercury-configuration-{}-{number}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir(&folder.0).unwrap();
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    /// Writes a file anew.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // a test that failed has said so already
        drop(fs::remove_dir_all(&self.0));
    }
}

const LISTEN: &str = "listen = 'http://127.0.0.1:0'\npin = 'none'\n";

/// What the `started` line of a broker in this folder says about the largest message.
async fn max_message(folder: &Folder, flags: &[&str], variables: &[(&str, &str)]) -> String {
    let arguments = [&["broker"], flags].concat();
    let broker = Process::start_in(folder.path(), &arguments, variables).await;
    let started = broker.start.last().unwrap().clone();
    assert_eq!(broker.stop().await.status, Some(0));
    field(&started, "max_message")
}

#[tokio::test]
async fn the_file_of_the_working_directory_is_read_and_variables_and_flags_beat_it() {
    let folder = Folder::with(&[
        ("mercury.toml", &format!("{LISTEN}max_message = 1000 # bytes\n")),
        ("other.toml", &format!("{LISTEN}max_message = '2KiB'\n")),
    ]);
    let variable = ("MERCURY_MAX_MESSAGE", "3KiB");
    let file = ("MERCURY_CONFIG", "other.toml");
    assert_eq!(max_message(&folder, &[], &[]).await, "1000B");
    assert_eq!(max_message(&folder, &[], &[file]).await, "2KiB");
    assert_eq!(max_message(&folder, &["--config", "other.toml"], &[]).await, "2KiB");
    assert_eq!(max_message(&folder, &["--config", "mercury.toml"], &[file]).await, "1000B");
    assert_eq!(max_message(&folder, &[], &[variable]).await, "3KiB");
    assert_eq!(max_message(&folder, &["--max-message", "4KiB"], &[variable]).await, "4KiB");
}

#[tokio::test]
async fn a_wrong_file_ends_with_one_line_and_status_1_before_anything_listens() {
    let long = "#".repeat(CONFIG_BYTES_MAX + 1);
    for (file, message) in [
        ("max_mesage = 1", "mercury.toml:3: unknown key 'max_mesage', did you mean max_message"),
        ("\nmode = 'test'", "mercury.toml:4: mode: 'test' is not development or production"),
        ("max_message = ", "mercury.toml:3: "),
        (&long, "cannot read mercury.toml: it is larger than 1MiB"),
    ] {
        let folder = Folder::with(&[("mercury.toml", &format!("{LISTEN}{file}"))]);
        let ended = Process::run_in(folder.path(), &["broker"], &[]).await;
        assert_eq!(ended.lines.len(), 1, "{ended:?}");
        assert!(ended.lines[0].starts_with(&format!("mercury: {message}")), "{ended:?}");
        assert_eq!((ended.status, &*ended.output), (Some(1), ""));
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_not_passed_over() {
    let folder = Folder::with(&[]);
    let ended = Process::run_in(folder.path(), &["broker", "--config", "none"], &[]).await;
    assert_eq!(ended.lines, ["mercury: cannot read none: no such file or directory"]);
    assert_eq!(ended.status, Some(1));
    fs::create_dir(folder.path().join("mercury.toml")).unwrap();
    let ended = Process::run_in(folder.path(), &["broker"], &[]).await;
    assert_eq!(ended.lines, ["mercury: cannot read mercury.toml: is a directory"]);
    assert_eq!(ended.status, Some(1));
    fs::remove_dir(folder.path().join("mercury.toml")).unwrap();
    symlink("nowhere", folder.path().join("mercury.toml")).unwrap();
    for words in [&["broker"][..], &["config", "check"]] {
        let ended = Process::run_in(folder.path(), words, &[]).await;
        let sentence = "mercury: cannot read mercury.toml: it is a symbolic link to nothing";
        assert_eq!(ended.lines, [sentence]);
        assert_eq!(ended.status, Some(1));
    }
}

#[tokio::test]
async fn the_settings_can_be_checked_shown_and_written_anew() {
    let folder = Folder::with(&[("mercury.toml", "\nmax_message = '1MiB'\n")]);
    let run = async |arguments: &[&str]| Process::run_in(folder.path(), arguments, &[]).await;
    let checked = run(&["config", "check"]).await;
    assert_eq!((checked.status, &*checked.output), (Some(0), "mercury.toml is fine\n"));
    let shown = run(&["config", "show", "-l", "http://*:1"]).await;
    assert_eq!((shown.status, shown.lines.len()), (Some(0), 0));
    for part in ["max_message = \"1MiB\" ", "# mercury.toml:2\n", "# --listen\n", "# default\n"] {
        assert!(shown.output.contains(part), "{part} is not in {}", shown.output);
    }
    let example = run(&["config", "example"]).await;
    assert_eq!((example.status, example.lines.len()), (Some(0), 0));
    folder.write("mercury.toml", &example.output);
    assert_eq!(run(&["config", "check"]).await.status, Some(0));
    folder.write("mercury.toml", "\n\nmode = 1");
    let checked = run(&["config", "check"]).await;
    let wrong = "mercury: mercury.toml:3: mode: '1' is not development or production";
    assert_eq!(checked.lines, [wrong]);
    assert_eq!((checked.status, &*checked.output), (Some(1), ""));
}

#[tokio::test]
async fn a_check_reads_certificates_as_a_start_does() {
    let line = "listen = 'https://127.0.0.1:0?cert=a.crt&key=a.key'";
    let folder = Folder::with(&[("mercury.toml", line)]);
    let [one, other] = [Pair::new(), Pair::new()];
    let url = "https://127.0.0.1:0?cert=a.crt&key=a.key";
    let wrong = async |reason: &str| {
        for words in [&["config", "check"][..], &["broker"]] {
            let ended = Process::run_in(folder.path(), words, &[]).await;
            let sentence = format!("mercury: cannot listen on {url}: {reason}");
            assert_eq!((ended.status, ended.lines), (Some(1), vec![sentence]), "{words:?}");
        }
    };
    wrong("a.crt: no such file or directory").await;
    one.write(&folder, "a");
    folder.write("a.key", &other.key);
    wrong("a.key: is not the key of the certificate in a.crt").await;
    one.write(&folder, "a");
    let checked = Process::run_in(folder.path(), &["config", "check"], &[]).await;
    assert_eq!((checked.status, &*checked.output), (Some(0), "mercury.toml is fine\n"));
}

#[tokio::test]
async fn the_originals_file_stops_the_start_until_it_is_converted() {
    let theirs = "{ broker => { listen => 'http://127.0.0.1:0', allow_origin => 'example.com' } }";
    let folder = Folder::with(&[("mercury.conf", theirs)]);
    let ended = Process::run_in(folder.path(), &["broker"], &[]).await;
    assert_eq!((ended.status, ended.lines.len(), &*ended.output), (Some(1), 1, ""));
    let (_, command) = ended.lines[0].split_once("convert it: mercury ").unwrap();
    let (command, file) = command.split_once(" > ").unwrap();
    let arguments: Vec<_> = command.split(' ').collect();
    let converted = Process::run_in(folder.path(), &arguments, &[]).await;
    assert_eq!((converted.status, converted.lines.len()), (Some(0), 0), "{converted:?}");
    folder.write(file, &converted.output);
    let broker = Process::start_in(folder.path(), &["broker", "--pin", "none"], &[]).await;
    for (origin, status) in [("http://www.example.com", 101), ("http://example.net", 401)] {
        let mut wire = Wire::to(broker.port()).await;
        let answer = wire.ask(handshake("/sub/x", &format!("Origin: {origin}\r\n"))).await;
        assert_eq!(answer.status, status, "{origin}");
    }
    let elsewhere = [("MOJO_CONFIG", "/etc/mercury.conf")];
    let empty = Folder::with(&[]);
    let ended = Process::run_in(empty.path(), &["broker"], &elsewhere).await;
    assert_eq!((ended.status, ended.lines.len()), (Some(1), 1));
    assert!(ended.lines[0].contains("mercury config import /etc/mercury.conf > mercury.toml"));
}

#[tokio::test]
async fn what_cannot_be_converted_is_an_error_with_line_and_column() {
    let folder = Folder::with(&[("mercury.conf", "{\n  broker => { listen => $ENV{URL} },\n}")]);
    let ended = Process::run_in(folder.path(), &["config", "import", "mercury.conf"], &[]).await;
    let wrong = "mercury: mercury.conf:2:25: '$' stands where a text, a number, [ or { is expected";
    assert_eq!(ended.lines, [wrong]);
    assert_eq!((ended.status, &*ended.output), (Some(1), ""));
}
