//! An innocent pair on a shard that somebody floods: its round trips without and with each flood.
//!
//! Quiet and flooded rounds alternate, so that a machine that slows down slows both. The flooders
//! have a thread of their own, which gives way to everybody: on a full machine they would take the
//! innocent pair's time, and the broker's, by their sending alone.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use thread_priority::{ThreadPriority, set_current_thread_priority};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::connection::{Connection, Target};
use crate::interrupt::Interrupt;
use crate::load::Load;
use crate::measurement::measure;
use crate::output;
use crate::progress::Progress;
use crate::report::Report;
use crate::run::runtime;
use crate::scenario::Plan;

/// What a flooder writes at a time, about.
const WRITE_BYTES: usize = 256 * 1024;
/// Read at a time of what comes back.
const READ_BYTES: usize = 256 * 1024;
/// A mask, of which nobody reads what is under it.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// How long the deaf do not read before they hang up and come again.
const DEAF_FOR: Duration = Duration::from_millis(100);
/// How often a flooder looks whether it is over.
const LOOK: Duration = Duration::from_millis(10);

/// What the hostile do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flood {
    /// Ping, and read the pongs
    Pings,
    /// Ping, and read nothing
    Deaf,
    /// Begin a message and go on with fragments of nothing
    Fragments,
    /// Publish messages of a byte
    Tiny,
    /// Publish messages of 64 KiB: no flood of frames, but as many bytes, to compare
    Large,
    /// Send messages of a byte where nobody hears them
    Ignored,
    /// Connect and hang up with a reset
    Resets,
}

/// The pair beside one flood.
struct Row {
    flood: Flood,
    /// A quiet round and the flooded one behind it.
    rounds: Vec<[Figures; 2]>,
}

/// What one round said.
#[derive(Debug, Clone, Copy)]
struct Figures {
    p50: f64,
    p99: f64,
}

impl Flood {
    /// Where the flooder connects, and what it writes again and again.
    fn script(self) -> (&'static str, Vec<u8>) {
        let repeat = |frame: &[u8]| frame.repeat(WRITE_BYTES.div_ceil(frame.len()));
        match self {
            Self::Pings => ("/sub/hostile", repeat(&frame(0x89, 0))),
            Self::Deaf => ("/sub/hostile", repeat(&frame(0x89, 125))),
            Self::Fragments => ("/pub/hostile", [frame(0x01, 0), repeat(&frame(0x00, 0))].concat()),
            Self::Tiny => ("/pub/hostile", repeat(&frame(0x82, 1))),
            Self::Large => ("/pub/hostile", repeat(&frame(0x82, 64 * 1024))),
            Self::Ignored => ("/sub/hostile", repeat(&frame(0x82, 1))),
            Self::Resets => ("/sub/hostile", vec![]),
        }
    }
}

/// A client's frame of zeros behind their mask.
fn frame(first: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![first];
    if let Ok(short @ 0..=125) = u8::try_from(length) {
        frame.push(0x80 | short);
    } else {
        frame.push(0x80 | 127);
        frame.extend((length as u64).to_be_bytes());
    }
    frame.extend(MASK);
    frame.resize(frame.len() + length, 0);
    frame
}

/// Measures round after round, each flood in turn, until all are over or somebody presses Ctrl-C.
pub(crate) async fn run(
    plan: Plan,
    target: &Target,
    floods: &[Flood],
    rounds: u32,
    bytes_per_second: Option<f64>,
    is_quiet: bool,
) -> Result<Vec<Report>, String> {
    let mut rows: Vec<Row> =
        floods.iter().map(|flood| Row { flood: *flood, rounds: vec![] }).collect();
    let mut reports = vec![];
    let mut interrupt = Interrupt::listen();
    'rounds: for round in 0..rounds {
        for row in &mut rows {
            eprintln!("round {} of {rounds}: {:?}", round + 1, row.flood);
            let quiet = one(&plan, target).await?;
            if quiet.interrupted {
                reports.push(quiet);
                break 'rounds;
            }
            let over = Arc::new(AtomicBool::new(false));
            let attacker = start(row.flood, target.clone(), bytes_per_second, Arc::clone(&over))?;
            let flooded = one(&plan, target).await;
            over.store(true, Relaxed);
            attacker.join().map_err(|_| "a flooder panicked".to_owned())??;
            let flooded = flooded?;
            let is_cut = flooded.interrupted;
            if !is_cut {
                row.rounds.push([Figures::of(&quiet), Figures::of(&flooded)]);
            }
            reports.extend([quiet, flooded]);
            if is_cut || interrupt.was_heard().await {
                break 'rounds;
            }
        }
    }
    rows.retain(|row| !row.rounds.is_empty());
    if !is_quiet && !rows.is_empty() {
        output::print(&table(&rows))?;
    }
    Ok(reports)
}

/// One round of the innocent pair.
async fn one(plan: &Plan, target: &Target) -> Result<Report, String> {
    let load = Load::connect(plan.clone(), target).await?;
    Ok(measure(&load, None, Progress::new(false)).await)
}

fn start(
    flood: Flood,
    target: Target,
    bytes_per_second: Option<f64>,
    over: Arc<AtomicBool>,
) -> Result<thread::JoinHandle<Result<(), String>>, String> {
    let flooding = move || {
        if set_current_thread_priority(ThreadPriority::Min).is_err() {
            eprintln!("not permitted to give way: the flooder competes with the innocent pair");
        }
        let runtime = runtime().map_err(|error| error.to_string())?;
        runtime.block_on(async {
            while !over.load(Relaxed) {
                attack(flood, &target, bytes_per_second, &over).await?;
            }
            Ok(())
        })
    };
    let thread = thread::Builder::new().name("hostile".to_owned()).spawn(flooding);
    thread.map_err(|error| format!("no thread for the flooder: {error}"))
}

/// One connection's flood, until the broker ends it or it is over.
async fn attack(
    flood: Flood,
    target: &Target,
    bytes_per_second: Option<f64>,
    over: &AtomicBool,
) -> Result<(), String> {
    let address = target.resolve().await.map_err(|error| error.to_string())?;
    let (path, script) = flood.script();
    if flood == Flood::Resets {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        stream.set_zero_linger().map_err(|error| error.to_string())?;
        return Ok(());
    }
    let opened = Connection::open(target, address.into(), path, None).await;
    let opened = opened.map_err(|refusal| refusal.to_string())?;
    let mut reader = opened.reader;
    let connection = opened.connection;
    let reading = async {
        let mut buffer = vec![0; READ_BYTES];
        while flood != Flood::Deaf && matches!(reader.read(&mut buffer).await, Ok(1..)) {}
        if flood == Flood::Deaf {
            // long enough for the broker to have had enough of it
            sleep(DEAF_FOR).await;
        }
    };
    let ended = async {
        while !over.load(Relaxed) {
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = reading => {}
        () = connection.flood(&script, bytes_per_second) => {}
        () = ended => {}
    }
    Ok(())
}

impl Figures {
    fn of(report: &Report) -> Self {
        let [p50, p99] = [50.0, 99.0].map(|percentile| {
            Duration::from_nanos(report.latency.value_at_percentile(percentile)).as_secs_f64() * 1e6
        });
        Self { p50, p99 }
    }
}

/// Medians over the rounds, in us, and how the ratios of the rounds spread.
fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>16}",
        "flood", "quiet p50", "p99", "p50, us", "p99, us", "p99 ratio", "min to max"
    );
    for row in rows {
        let middle = |value: &dyn Fn(&[Figures; 2]) -> f64| spread(&row.rounds, value)[1];
        let [least, ratio, most] = spread(&row.rounds, |[quiet, flooded]| flooded.p99 / quiet.p99);
        write!(
            text,
            "\n{:<10} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {ratio:>10.2} {:>16}",
            format!("{:?}", row.flood).to_lowercase(),
            middle(&|[quiet, _]| quiet.p50),
            middle(&|[quiet, _]| quiet.p99),
            middle(&|[_, flooded]| flooded.p50),
            middle(&|[_, flooded]| flooded.p99),
            format!("{least:.2} to {most:.2}"),
        )
        .expect("a String takes all");
    }
    text
}

/// Least, median and most.
fn spread(rounds: &[[Figures; 2]], value: impl Fn(&[Figures; 2]) -> f64) -> [f64; 3] {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}
