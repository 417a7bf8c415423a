//! Which number of shards to choose, from what each delivered: figures in, a sentence out.

use crate::report::Spread;

/// Fewer runs of a setting do not show how far they spread.
pub(super) const ROUNDS_MIN: usize = 3;
/// More shards have to give this many times as much to be worth their cores.
const GAIN_MIN: f64 = 1.1;

/// What one number of shards delivered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// So many shards.
    pub(super) shards: u32,
    /// CPUs that they could run on.
    pub(super) cpus: usize,
    /// Deliveries a second of each run.
    pub(super) throughput: Spread,
    /// Who kept it from being more, in most of the runs.
    pub(super) bound: Bound,
    /// No run had a fault.
    pub(super) is_ok: bool,
}

/// Who kept a load from being more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// Nobody was saturated.
    Nobody,
    /// The server.
    Server,
    /// The client, or a CPU that it shared with the server.
    Client,
}

/// The choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// The least shards from which on more gave nothing, whether or not that is their fault.
    pub(super) knee: Option<u32>,
    /// The shards to take; none if these figures do not tell.
    pub(super) shards: Option<u32>,
    /// Both in words, with the reason.
    pub(super) sentence: String,
}

/// Chooses; `steps` ascend by shards, and there is at least one.
pub(super) fn choose(steps: &[Step]) -> Choice {
    let undecided = |sentence: String| Choice { knee: None, shards: None, sentence };
    let rounds = steps.iter().map(|step| step.throughput.values).min().unwrap_or(0);
    if let [only] = steps {
        return undecided(format!("no choice: only {} was tried", shards(only.shards)));
    }
    if rounds < ROUNDS_MIN {
        return undecided(format!(
            "no choice: {rounds} of {ROUNDS_MIN} rounds that it takes to see how far runs spread"
        ));
    }
    let faulty = steps.iter().filter(|step| !step.is_ok).map(|step| step.shards.to_string());
    let faulty: Vec<String> = faulty.collect();
    if !faulty.is_empty() {
        return undecided(format!(
            "no choice: there were faults with --shards {}",
            faulty.join(", ")
        ));
    }
    let is_knee = |at: &usize| steps[at + 1..].iter().all(|more| !gains(&steps[*at], more));
    let at = (0..steps.len()).find(is_knee).expect("nothing follows the last");
    let (knee, more) = (&steps[at], &steps[at + 1..]);
    let are_told = steps[..=at].iter().all(Step::is_told);
    let is_told = are_told && (more.is_empty() || more.iter().any(Step::is_told));
    let sentence = match (is_told, more.is_empty()) {
        (false, _) => cannot_tell(steps, at),
        (true, true) => still_rising(steps),
        (true, false) => enough(knee, more),
    };
    Choice { knee: Some(knee.shards), shards: is_told.then_some(knee.shards), sentence }
}

impl Step {
    /// Its figure is that of the shards, each on a CPU, and not the client's.
    fn is_told(&self) -> bool {
        self.bound != Bound::Client && self.has_cpus()
    }

    fn has_cpus(&self) -> bool {
        self.shards as usize <= self.cpus
    }
}

/// More shards gave a good deal more, and no run of theirs as little as one with fewer.
fn gains(fewer: &Step, more: &Step) -> bool {
    let (fewer, more) = (&fewer.throughput, &more.throughput);
    more.median >= fewer.median * GAIN_MIN && !fewer.overlaps(more)
}

/// More gave nothing more.
fn enough(knee: &Step, more: &[Step]) -> String {
    let told = more.iter().filter(|step| step.is_told());
    let gave = told.map(|step| {
        let ratio = step.throughput.median / knee.throughput.median;
        let within =
            if knee.throughput.overlaps(&step.throughput) { ", within the spread" } else { "" };
        format!("{} gave {ratio:.2} times as much{within}", shards(step.shards))
    });
    let gave = gave.collect::<Vec<_>>().join("; ");
    let mut sentence = format!("choose --shards {}: {gave}", knee.shards);
    if knee.bound == Bound::Nobody {
        sentence += "; nobody was saturated there, so a larger window or rate might say otherwise";
    }
    sentence
}

/// The most that was tried gave the most.
fn still_rising(steps: &[Step]) -> String {
    let [.., before, last] = steps else { unreachable!("there are two or more") };
    format!(
        "choose --shards {}, the most that was tried: it gave {:.2} times as much as {}, so more \
         may give more",
        last.shards,
        last.throughput.median / before.throughput.median,
        before.shards
    )
}

/// What the figures are figures of, if not of shards.
fn cannot_tell(steps: &[Step], knee: usize) -> String {
    let untold = |is: &dyn Fn(&&Step) -> bool| {
        let numbers = steps.iter().filter(is).map(|step| step.shards.to_string());
        let numbers: Vec<String> = numbers.collect();
        (!numbers.is_empty()).then(|| numbers.join(" and "))
    };
    let bound = untold(&|step| step.bound == Bound::Client)
        .map(|numbers| format!("with {numbers} the client was the bottleneck, or on the same CPU"));
    let crowded = untold(&|step| !step.has_cpus()).map(|numbers| {
        let cpus = steps.iter().map(|step| step.cpus).max().unwrap_or(0);
        let cpus = if cpus == 1 { "1 CPU".to_owned() } else { format!("{cpus} CPUs") };
        format!("{numbers} had {cpus} to run on beside the client")
    });
    let why = bound.into_iter().chain(crowded).collect::<Vec<_>>().join(", and ");
    let floor = if knee > 0 && steps[..knee].iter().all(Step::is_told) {
        format!("at least --shards {}, since fewer gave less, but ", steps[knee].shards)
    } else {
        String::new()
    };
    format!(
        "{floor}this machine can't tell which --shards to choose: {why}; leave the default of one \
         for each core, and measure with the client on cores of its own"
    )
}

fn shards(number: u32) -> String {
    if number == 1 { "1 shard".to_owned() } else { format!("{number} shards") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of 1, 2, 4 and so on shards on 64 CPUs, bound by the server.
    fn steps(runs: &[[f64; 3]]) -> Vec<Step> {
        let numbers = (0..).map(|power| 1 << power);
        let step = |(shards, runs): (u32, &[f64; 3])| Step {
            shards,
            cpus: 64,
            throughput: Spread::of(runs.to_vec()).unwrap(),
            bound: Bound::Server,
            is_ok: true,
        };
        numbers.zip(runs).map(step).collect()
    }

    fn chosen(steps: &[Step]) -> (Option<u32>, Option<u32>, String) {
        let Choice { knee, shards, sentence } = choose(steps);
        (knee, shards, sentence)
    }

    #[test]
    fn a_clear_knee() {
        let steps = steps(&[
            [99.0, 100.0, 101.0],
            [190.0, 195.0, 199.0],
            [201.0, 203.0, 204.0],
            [180.0; 3],
        ]);
        let (knee, shards, sentence) = chosen(&steps);
        assert_eq!((knee, shards), (Some(2), Some(2)));
        assert_eq!(
            sentence,
            "choose --shards 2: 4 shards gave 1.04 times as much; 8 shards gave 0.92 times as much"
        );
    }

    #[test]
    fn what_lost_messages_is_no_choice() {
        let mut steps = steps(&[[100.0; 3], [0.0; 3], [300.0; 3]]);
        (steps[1].is_ok, steps[2].is_ok) = (false, false);
        let sentence = "no choice: there were faults with --shards 2, 4";
        assert_eq!(chosen(&steps), (None, None, sentence.to_owned()));
    }

    #[test]
    fn steps_that_are_small_alone_are_not_small_together() {
        let steps = steps(&[[100.0; 3], [108.0; 3], [117.0; 3]]);
        assert_eq!(chosen(&steps).1, Some(2), "four gave 17 % more than one");
    }

    #[test]
    fn flat_is_one() {
        let mut steps = steps(&[[99.0, 100.0, 104.0], [98.0, 101.0, 103.0]]);
        let sentence = "choose --shards 1: 2 shards gave 1.01 times as much, within the spread";
        assert_eq!(chosen(&steps), (Some(1), Some(1), sentence.to_owned()));
        steps[0].bound = Bound::Nobody;
        let (_, shards, sentence) = chosen(&steps);
        assert_eq!(shards, Some(1));
        assert!(
            sentence.contains("; nobody was saturated there, so a larger window"),
            "{sentence}"
        );
    }

    #[test]
    fn noise_is_no_gain() {
        let steps = steps(&[[60.0, 100.0, 140.0], [90.0, 130.0, 190.0]]);
        let (knee, shards, sentence) = chosen(&steps);
        assert_eq!((knee, shards), (Some(1), Some(1)));
        assert!(sentence.ends_with("gave 1.30 times as much, within the spread"), "{sentence}");
    }

    #[test]
    fn falling_is_one() {
        let steps = steps(&[[100.0; 3], [80.0; 3], [60.0; 3]]);
        let (_, shards, sentence) = chosen(&steps);
        assert_eq!(shards, Some(1));
        assert!(sentence.contains("2 shards gave 0.80 times as much; 4 shards"), "{sentence}");
    }

    #[test]
    fn rising_to_the_end_asks_for_more() {
        let steps = steps(&[[100.0; 3], [180.0; 3], [300.0; 3]]);
        let (knee, shards, sentence) = chosen(&steps);
        assert_eq!((knee, shards), (Some(4), Some(4)));
        assert!(sentence.contains("it gave 1.67 times as much as 2, so more may"), "{sentence}");
    }

    #[test]
    fn a_client_at_its_end_tells_nothing() {
        let mut bound = steps(&[[100.0; 3], [101.0; 3]]);
        for step in &mut bound {
            step.bound = Bound::Client;
        }
        let (knee, shards, sentence) = chosen(&bound);
        assert_eq!((knee, shards), (Some(1), None));
        let start = "this machine can't tell which --shards to choose: with 1 and 2 the client was";
        assert!(sentence.starts_with(start), "{sentence}");
        // what follows the knee is all the client's, so that more might have given more
        let mut bound = steps(&[[100.0; 3], [150.0; 3], [152.0; 3]]);
        bound[2].bound = Bound::Client;
        let (knee, shards, sentence) = chosen(&bound);
        assert_eq!((knee, shards), (Some(2), None));
        assert!(sentence.starts_with("at least --shards 2, since fewer gave less"), "{sentence}");
        assert!(sentence.contains(": with 4 the client was the bottleneck"), "{sentence}");
        // nor are fewer to blame where they had the client beside them
        let mut beside = bound.clone();
        beside[0].bound = Bound::Client;
        let (knee, shards, sentence) = chosen(&beside);
        assert_eq!((knee, shards), (Some(2), None));
        assert!(sentence.contains("choose: with 1 and 4 the client was"), "{sentence}");
        assert!(sentence.starts_with("this machine can't tell"), "{sentence}");
        // one that is not says enough
        bound.extend(steps(&[[1.0; 3], [1.0; 3], [1.0; 3], [153.0; 3]]).pop());
        assert_eq!(chosen(&bound).1, Some(2));
    }

    #[test]
    fn shards_on_one_cpu_are_no_cores() {
        let mut crowded = steps(&[[100.0; 3], [98.0; 3]]);
        for step in &mut crowded {
            step.cpus = 1;
        }
        let (knee, shards, sentence) = chosen(&crowded);
        assert_eq!((knee, shards), (Some(1), None));
        assert!(sentence.contains(": 2 had 1 CPU to run on beside the client;"), "{sentence}");
    }

    #[test]
    fn little_is_no_choice() {
        let one = steps(&[[100.0; 3]]);
        assert_eq!(chosen(&one), (None, None, "no choice: only 1 shard was tried".to_owned()));
        let mut few = steps(&[[100.0; 3], [200.0; 3]]);
        few[1].throughput = Spread::of(vec![200.0; 2]).unwrap();
        let (knee, shards, sentence) = chosen(&few);
        assert_eq!((knee, shards), (None, None));
        assert!(sentence.starts_with("no choice: 2 of 3 rounds"), "{sentence}");
    }
}
