//! The documents say what is true: the README's examples run, the tables are those of the code.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use mercury::cli::{self, Invocation, Surroundings};
use mercury::metrics::Counters;

use crate::server::{Client, TestServer};

/// Where the README's broker listens.
const README_BROKER: &str = "localhost:3000";
/// What its first command builds.
const README_PROGRAM: &str = "target/release/mercury";
/// Route of the receivers that a POST reaches.
const RECEIVERS: [(&str, &str); 3] = [("bus", "bus"), ("pub", "sub"), ("push", "pull")];

/// A fenced block of a document.
pub(crate) struct Block {
    /// What it is written in.
    pub(crate) language: String,
    /// All of it.
    pub(crate) text: String,
}

/// The text of a file of this repository.
pub(crate) fn document(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All of them.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let fenced = document.split("\n```").skip(1).step_by(2);
    let block = |fenced: &str| {
        let (language, text) = fenced.split_once('\n').unwrap_or((fenced, ""));
        Block { language: language.to_owned(), text: text.to_owned() }
    };
    fenced.map(block).collect()
}

/// Starts a line of shell against the broker under test.
fn start(line: &str, port: u16) -> Child {
    let broker = format!("127.0.0.1:{port}");
    let line = line.replace(README_BROKER, &broker);
    let line = line.replace(README_PROGRAM, env!("CARGO_BIN_EXE_mercury"));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("exec {line}")).env("MERCURY_URL", format!("http://{broker}"));
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    shell.spawn().expect("sh runs")
}

/// Everything that a process prints, read in a thread of its own.
fn output(child: &mut Child) -> JoinHandle<String> {
    let mut stdout = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        let mut bytes = vec![];
        stdout.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Runs a line of shell to its end; what it prints.
async fn run(line: &str, port: u16) -> String {
    let mut child = start(line, port);
    let reader = output(&mut child);
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    let ended = tokio::time::timeout(crate::server::PATIENCE, ended).await;
    let status = ended.unwrap_or_else(|_| panic!("no end in time: {line}")).unwrap();
    assert!(status.success(), "{status}: {line}");
    reader.join().unwrap()
}

/// Path of a line's URL at the README's broker.
fn path(line: &str) -> &str {
    let (_, path) = line.split_once(README_BROKER).unwrap_or_else(|| panic!("no URL: {line}"));
    path.split(['\'', ' ', '\n']).next().unwrap()
}

/// What a POST of the README says.
fn payload(line: &str) -> &str {
    let (_, rest) = line.split_once("-d '").unwrap_or_else(|| panic!("no payload: {line}"));
    rest.split_once('\'').unwrap().0
}

/// A receiver of what is posted to `path`; `None` where no POST is taken.
async fn receiver(server: &TestServer, path: &str) -> Option<Client> {
    let (route, topic) = path[1..].split_once('/').unwrap();
    let (_, receivers) = RECEIVERS.iter().find(|(sender, _)| *sender == route)?;
    Some(server.connect(&format!("/{receivers}/{topic}")).await)
}

#[tokio::test]
async fn the_readmes_curls_do_what_it_says() {
    let curl = Command::new("curl").arg("--version").output();
    assert!(curl.is_ok(), "curl is missing: it is needed to run the examples of README.md");
    let server = TestServer::start();
    let (mut posts, mut texts) = (0, vec![]);
    for Block { language, text } in blocks(&document("README.md")) {
        match language.as_str() {
            "sh" if text.starts_with(README_PROGRAM) => texts.push(paste(&server, &text).await),
            "sh" => {
                assert!(text.starts_with("curl "), "a shell example is a curl: {text}");
                posts += 1;
                let mut client = receiver(&server, path(&text)).await;
                let printed = run(&text, server.port).await;
                if let Some(client) = &mut client {
                    assert_eq!(client.text().await, payload(&text), "{text}");
                    assert_eq!(printed, "", "{text}");
                } else {
                    texts.push(printed);
                }
            }
            "text" => texts.retain(|printed| printed.trim_end() != text.trim_end()),
            _ => {}
        }
    }
    assert!(posts >= 3, "the README shows a POST to /bus, /pub and /push");
    assert_eq!(texts, [""; 0], "what is printed stands in the text block that follows");
    assert_eq!(server.drain().await.cut, 0);
}

/// Runs what newcomers paste into a shell, but for the sleep: a subscriber in the background, and
/// POSTs that it prints; what it prints.
async fn paste(server: &TestServer, text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let [subscriber, "sleep 1", posts @ .., "wait"] = &lines[..] else {
        panic!("not what is run here: {text}")
    };
    assert!(lines.len() <= 5 && !posts.is_empty(), "it is short: {text}");
    let mut child = start(subscriber.strip_suffix(" &").expect(text), server.port);
    let reader = output(&mut child);
    server.until(|counters| &counters.joins, 1).await;
    for post in posts {
        assert_eq!(run(post, server.port).await, "", "{post}");
    }
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    let ended = tokio::time::timeout(crate::server::PATIENCE, ended).await;
    assert!(ended.expect("an end in time").unwrap().success());
    reader.join().unwrap()
}

#[tokio::test]
async fn the_readmes_lines_of_javascript_connect_to_the_five_sockets() {
    let server = TestServer::start();
    let mut routes = vec![];
    for block in blocks(&document("README.md")).iter().filter(|block| block.language == "js") {
        for line in block.text.lines() {
            assert!(line.contains("new WebSocket('ws://"), "{line}");
            let path = path(line);
            server.connect(path).await.close().await;
            routes.push(path[1..].split('/').next().unwrap().to_owned());
        }
    }
    for route in ["bus", "pub", "sub", "push", "pull"] {
        assert!(routes.iter().any(|shown| shown == route), "no line for /{route}");
    }
}

/// Of each flag: its default, and its variables between commas.
type Flags = BTreeMap<String, (String, String)>;

/// What stands between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    text.split_once(from)?.1.split_once(to).map(|(inside, _)| inside)
}

/// The long flag in `-l, --listen <URL>` or in a table's cell.
fn flag(text: &str) -> String {
    let name = text.split_once("--").map_or("", |(_, name)| name);
    name.split([' ', '`']).next().unwrap_or_default().to_owned()
}

fn flags_of_the_help() -> Flags {
    let words = ["mercury", "help", "broker"].map(Into::into);
    let Ok(Invocation::Print(help)) = cli::parse(words, &Surroundings::NONE) else {
        panic!("no help")
    };
    // an option stands at the left, what is said about it far from it
    let is_option = |line: &str| {
        let text = line.trim_start();
        text.starts_with('-') && line.len() - text.len() <= 6
    };
    let mut options: Vec<String> = vec![];
    for line in help.lines() {
        match options.last_mut() {
            _ if is_option(line) => options.push(line.to_owned()),
            Some(option) => *option = format!("{option} {}", line.trim()),
            None => {}
        }
    }
    let described = options.iter().filter_map(|option| {
        let default = between(option, "[default: ", "]")?;
        let variables = between(option, "[env: ", "]")?;
        Some((flag(option), (default.to_owned(), variables.to_owned())))
    });
    described.collect()
}

/// The cells of a document's table rows under a heading, without their backticks.
pub(crate) fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let section = document.split(&format!("\n## {heading}\n")).nth(1);
    let section = section.unwrap_or_else(|| panic!("no section {heading}"));
    let lines = section.split("\n## ").next().unwrap().lines();
    let rows = lines.filter(|line| line.starts_with("| ") || line.starts_with("|-"));
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    let rows: Vec<_> = rows.map(cells).collect();
    let rule = |row: &Vec<String>| row[0].bytes().all(|byte| byte == b'-');
    // neither the rule below a table's head nor the head
    let is_body = |at: &usize| !rule(&rows[*at]) && !rows.get(at + 1).is_some_and(rule);
    (0..rows.len()).filter(is_body).map(|at| rows[at].clone()).collect()
}

#[test]
fn operating_lists_the_flags_of_the_help() {
    let operating = document("docs/operating.md");
    let described = rows(&operating, "Flags").into_iter().map(|row| {
        let [option, variables, default, ..] = &row[..] else { panic!("too few cells: {row:?}") };
        (flag(option), (default.clone(), variables.clone()))
    });
    let described: Flags = described.collect();
    let help = flags_of_the_help();
    assert!(help.len() > 20, "the help was not understood: {help:?}");
    for (flag, said) in &help {
        assert_eq!(described.get(flag), Some(said), "--{flag} in docs/operating.md");
    }
    assert_eq!(described.keys().collect::<Vec<_>>(), help.keys().collect::<Vec<_>>());
}

#[test]
fn operating_names_every_counter_and_no_other() {
    let operating = document("docs/operating.md");
    let counters = Counters::default();
    let exist: Vec<_> = counters.each().into_iter().map(|count| count.name).collect();
    let watched = rows(&operating, "What to watch");
    let named: Vec<&str> = watched.iter().flat_map(|row| row[0].split(", ")).collect();
    for name in &exist {
        assert!(named.contains(name), "docs/operating.md does not name {name}");
    }
    let limits = rows(&operating, "Limits");
    let bites = limits.iter().flat_map(|row| row[4].split(", "));
    for name in named.iter().copied().chain(bites.filter(|name| *name != "-")) {
        assert!(exist.contains(&name), "there is no counter {name}");
    }
}
