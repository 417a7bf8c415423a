//! What `mercury sub`, `pub`, `bus`, `push` and `pull` are told on their command line.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, ORIGIN, TRANSFER_ENCODING, UPGRADE,
};

use crate::cli::written::{Source, Written};
use crate::cli::{Exit, Surroundings};
use crate::config::{Address, Form, Input, Output, Reconnect, Route, Size, Supply, Terminal};

/// All of them, in the order of the help.
pub(super) const ROUTES: [Route; 5] =
    [Route::Sub, Route::Pub, Route::Bus, Route::Push, Route::Pull];
/// Where a broker is that nobody told otherwise.
const URL_DEFAULT: &str = "ws://localhost:3000";
/// The variable that says where it is.
const URL_VARIABLE: &str = "MERCURY_URL";
/// What a length of four bytes can tell, and more than any broker takes.
const MESSAGE_MAX: Size = Size(1 << 30);
/// More commands at once are a slip of the keyboard.
const PARALLEL_MAX: usize = 4096;

const TOPIC: &str = "topic";
const URL: &str = "url";
const CA: &str = "ca";
const ORIGIN_FLAG: &str = "origin";
const HEADER: &str = "header";
const RECONNECT: &str = "reconnect";
const NO_RECONNECT: &str = "no-reconnect";
const TIMEOUT: &str = "timeout";
const IDLE_TIMEOUT: &str = "idle-timeout";
const MAX_MESSAGE: &str = "max-message";
const JSON: &str = "json";
const BINARY: &str = "binary";
const COUNT: &str = "count";
const EXEC: &str = "exec";
const PARALLEL: &str = "parallel";
const MESSAGE: &str = "message";
const FILE: &str = "file";
const RATE: &str = "rate";

/// What holds for all five.
const AFTER: &str = "\
A DURATION is 25s, 1m30s or a number of seconds, a SIZE 256KiB or a number of bytes, a RATE 100/s.
Status: 0 done, 1 reading, writing or a command failed to start, 2 wrong command line, 3 refused,
4 not reached, lost, or something may not have arrived, 5 out of time, 6 a job failed.";

/// A command as clap reads it.
pub(super) fn command(route: Route) -> Command {
    let (about, topic) = match route {
        Route::Sub => ("Print what is published on a topic and below it", "logs"),
        Route::Pub => ("Publish lines of standard input, files or words on a topic", "news"),
        Route::Bus => {
            ("Say what is typed to the other peers of a bus, and print what they say", "chat")
        }
        Route::Push => ("Push lines of standard input, files or words as jobs", "jobs"),
        Route::Pull => ("Print jobs of a topic, or run a command for each", "jobs"),
    };
    let topic = Arg::new(TOPIC)
        .value_name("TOPIC")
        .required(true)
        .help(format!("The topic by its name, such as {topic} or {topic}/today"));
    let mut command = Command::new(route.name())
        .about(about)
        .args_override_self(true)
        .after_help(AFTER)
        .arg(topic);
    if sends(route) {
        command = command.args(sending());
    }
    if route == Route::Bus {
        command =
            command.args([option(RATE, "RATE").help("Send no more than this"), json(), count()]);
    }
    if matches!(route, Route::Sub | Route::Pull) {
        command = command.args([json(), lengths(), count()]);
    }
    if route == Route::Pull {
        command = command.args(doing());
    }
    if !sends(route) {
        command = command.arg(idle_timeout());
    }
    command.args(connecting())
}

/// Whether it only sends.
fn sends(route: Route) -> bool {
    matches!(route, Route::Pub | Route::Push)
}

fn option(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).action(ArgAction::Set)
}

fn switch(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn json() -> Arg {
    switch(JSON).help("Print objects with time, kind, topic and message; binary is base64")
}

fn lengths() -> Arg {
    let help = "Print each message as it is behind its length, 4 bytes, the highest first";
    switch(BINARY).conflicts_with(JSON).help(help)
}

fn count() -> Arg {
    option(COUNT, "N").help("End after so many messages")
}

fn sending() -> [Arg; 4] {
    [
        option(MESSAGE, "TEXT")
            .action(ArgAction::Append)
            .conflicts_with(FILE)
            .help("Send this instead of lines; may be there many times"),
        option(FILE, "FILE")
            .action(ArgAction::Append)
            .help("Send a whole file as one message instead of lines; may be there many times"),
        switch(BINARY).help("Send binary messages; otherwise only what is not UTF-8 is binary"),
        option(RATE, "RATE").help("Send no more than this, evenly"),
    ]
}

fn doing() -> [Arg; 2] {
    [
        option(EXEC, "COMMAND")
            .conflicts_with_all([JSON, BINARY])
            .help("Have a shell run this for each job, which is its standard input"),
        option(PARALLEL, "N")
            .requires(EXEC)
            .help("So many commands at once; no job is read while they run\n[default: 1]"),
    ]
}

fn connecting() -> [Arg; 8] {
    [
        option(URL, "URL").help(format!(
            "The broker: ws, wss, http, https or http+unix, a path in front of its routes is \
             kept\n[default: {URL_DEFAULT}] [env: {URL_VARIABLE}]"
        )),
        option(CA, "FILE").help(
            "Certificates, PEM, that vouch for the broker\n[default: what this machine trusts]",
        ),
        option(ORIGIN_FLAG, "ORIGIN").help("The Origin of the handshake"),
        option(HEADER, "'NAME: VALUE'")
            .action(ArgAction::Append)
            .help("Another field of the handshake; may be there many times"),
        switch(RECONNECT)
            .overrides_with(NO_RECONNECT)
            .help("Connect again also before there was a connection"),
        switch(NO_RECONNECT)
            .overrides_with(RECONNECT)
            .help("Never connect again\n[default: once there was a connection]"),
        option(TIMEOUT, "DURATION")
            .help("End after this long: status 5, or 0 where it is only for listening so long"),
        option(MAX_MESSAGE, "SIZE").default_value("64MiB").help("The largest message, either way"),
    ]
}

/// A broker does not read a sender's pings while it waits for room.
fn idle_timeout() -> Arg {
    option(IDLE_TIMEOUT, "DURATION").default_value("60s").help(
        "Ask a silent broker with a ping after this long, give it up after as long again; 0 never",
    )
}

/// What a command is told.
pub(super) fn terminal(
    route: Route,
    arguments: &ArgMatches,
    surroundings: &Surroundings<'_>,
) -> Result<Terminal, Exit> {
    let flags = Flags(arguments);
    let topic = arguments.get_one::<String>(TOPIC).cloned().unwrap_or_default();
    if topic.is_empty() {
        return Err(Exit::usage("the topic is empty"));
    }
    let timeout = flags.one(TIMEOUT).map(|it| it.duration()).transpose()?;
    let output = flags.output(route)?;
    let stays = timeout.is_some() || output.as_ref().is_some_and(|output| output.count.is_some());
    let idle = flags.one(IDLE_TIMEOUT).map(|it| it.duration_or_never()).transpose()?.flatten();
    let largest = flags.one(MAX_MESSAGE).map(|it| it.size_up_to(MESSAGE_MAX)).transpose()?;
    let reconnect = match () {
        () if arguments.get_flag(RECONNECT) => Reconnect::Always,
        () if arguments.get_flag(NO_RECONNECT) => Reconnect::Never,
        () => Reconnect::Later,
    };
    Ok(Terminal {
        address: flags.address(surroundings)?,
        route,
        topic,
        ca: flags.one(CA).map(|it| PathBuf::from(it.text)),
        fields: flags.fields()?,
        reconnect,
        timeout,
        idle,
        message_bytes_max: largest.unwrap_or(MESSAGE_MAX.0),
        input: flags.input(route, stays)?,
        output,
    })
}

/// What clap has read.
struct Flags<'a>(&'a ArgMatches);

impl Flags<'_> {
    /// The values of a flag that may be there many times.
    fn many(&self, name: &str) -> impl Iterator<Item = Written> {
        let texts = self.0.try_get_many::<String>(name).ok().flatten().into_iter().flatten();
        let source = Source::Flag(format!("--{name}"));
        let is_secret = name == HEADER;
        texts.map(move |text| Written { source: source.clone(), text: text.clone(), is_secret })
    }

    /// The value of a flag, if this command has it and it is there.
    fn one(&self, name: &str) -> Option<Written> {
        self.many(name).last()
    }

    fn is_set(&self, name: &str) -> bool {
        self.0.try_get_one::<bool>(name).ok().flatten().is_some_and(|is_set| *is_set)
    }

    fn address(&self, surroundings: &Surroundings<'_>) -> Result<Address, Exit> {
        let variable = || {
            let text = (surroundings.environment)(URL_VARIABLE).filter(|text| !text.is_empty())?;
            let source = Source::Variable(URL_VARIABLE.to_owned());
            Some(Written { source, text, is_secret: false })
        };
        let default =
            || Written { source: Source::Default, text: URL_DEFAULT.to_owned(), is_secret: false };
        let url = self.one(URL).or_else(variable).unwrap_or_else(default);
        Address::parse(&url.text).map_err(|error| url.wrong(error))
    }

    fn fields(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Exit> {
        let mut fields = vec![];
        for written in self.many(HEADER) {
            let field = written.text.split_once(':').and_then(|(name, value)| {
                let name = name.parse::<HeaderName>().ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            let (name, mut value) =
                field.ok_or_else(|| written.wrong("is not a field like Name: value"))?;
            let is_ours = [CONNECTION, UPGRADE, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name)
                || name.as_str().starts_with("sec-websocket-");
            if is_ours {
                return Err(written.source.wrong(format_args!("{name} is the handshake's own")));
            }
            // it may be a password
            value.set_sensitive(true);
            fields.push((name, value));
        }
        if let Some(written) = self.one(ORIGIN_FLAG) {
            let value = HeaderValue::from_str(&written.text);
            let value = value.map_err(|_| written.wrong("cannot stand in a field"))?;
            fields.push((ORIGIN, value));
        }
        Ok(fields)
    }

    fn input(&self, route: Route, stays: bool) -> Result<Option<Input>, Exit> {
        if matches!(route, Route::Sub | Route::Pull) {
            return Ok(None);
        }
        let words: Vec<_> = self.many(MESSAGE).map(|written| written.text).collect();
        let files: Vec<_> = self.many(FILE).map(|written| PathBuf::from(written.text)).collect();
        let supply = match (words.is_empty(), files.is_empty()) {
            (false, _) => Supply::Words(words),
            (true, false) => Supply::Files(files),
            (true, true) => Supply::Lines,
        };
        let rate = self.one(RATE).map(|it| it.rate_or_unlimited()).transpose()?.flatten();
        let is_binary = self.is_set(BINARY);
        Ok(Some(Input { supply, is_binary, rate, stays: stays && route == Route::Bus }))
    }

    fn output(&self, route: Route) -> Result<Option<Output>, Exit> {
        if sends(route) {
            return Ok(None);
        }
        let parallel = self.one(PARALLEL).map(|it| it.count(PARALLEL_MAX)).transpose()?;
        let parallel = parallel.unwrap_or(NonZeroUsize::MIN);
        let form = match self.one(EXEC) {
            Some(Written { text: command, .. }) => Form::Exec { command, parallel },
            None if self.is_set(JSON) => Form::Json,
            None if self.is_set(BINARY) => Form::Lengths,
            None => Form::Lines,
        };
        let count = self.one(COUNT).map(|it| it.number_of_things()).transpose()?;
        let count = count.and_then(|count| NonZeroU64::new(count as u64));
        Ok(Some(Output { form, count }))
    }
}
