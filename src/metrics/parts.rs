//! Counts with parts: one for each pattern, or one for each code.

use super::Counter;

/// Refusals have no more codes than this.
pub const REFUSAL_CODES_MAX: usize = 64;

/// What patterns are called outside, in the order of [`ByPattern::each`].
pub const PATTERNS: [&str; 3] = ["bus", "pubsub", "pushpull"];

/// Which part of a count it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// What is about one pattern, by the name that it has outside.
    Pattern(&'static str),
    /// What has the code at this place of the table of refusals.
    Code(usize),
    /// What the HTTP library refuses itself, without a code.
    Bare,
}

/// What is counted under one name.
pub trait Parts {
    /// Each part and its count, from any thread; always the same parts, in one order.
    fn parts(&self) -> Vec<(Part, u64)>;

    /// All parts together, from any thread.
    fn total(&self) -> u64 {
        self.parts().iter().fold(0, |sum, (_, value)| sum.wrapping_add(*value))
    }
}

/// One of a thing for each pattern, which never mix.
#[derive(Debug, Default)]
pub struct ByPattern<T = Counter> {
    /// That of `/bus`.
    pub bus: T,
    /// That of `/pub` and `/sub`.
    pub pubsub: T,
    /// That of `/push` and `/pull`.
    pub pushpull: T,
}

/// Refusals by code.
#[derive(Debug)]
pub struct ByCode {
    coded: [Counter; REFUSAL_CODES_MAX],
    /// Those without a code, which the HTTP library answers itself.
    pub bare: Counter,
}

impl<T> ByPattern<T> {
    /// All of them, by the names that patterns have outside.
    pub const fn each(&self) -> [(&'static str, &T); 3] {
        let [bus, pubsub, pushpull] = PATTERNS;
        [(bus, &self.bus), (pubsub, &self.pubsub), (pushpull, &self.pushpull)]
    }
}

impl Default for ByCode {
    fn default() -> Self {
        Self { coded: std::array::from_fn(|_| Counter::default()), bare: Counter::default() }
    }
}

impl ByCode {
    /// That of the code at this place of the table of refusals.
    #[must_use]
    pub fn of(&self, place: usize) -> &Counter {
        &self.coded[place]
    }
}

impl Parts for Counter {
    fn parts(&self) -> Vec<(Part, u64)> {
        vec![(Part::Whole, self.value())]
    }
}

impl Parts for ByPattern {
    fn parts(&self) -> Vec<(Part, u64)> {
        self.each().map(|(word, counter)| (Part::Pattern(word), counter.value())).into()
    }
}

impl Parts for ByCode {
    fn parts(&self) -> Vec<(Part, u64)> {
        let coded = self.coded.iter().enumerate();
        let coded = coded.map(|(place, counter)| (Part::Code(place), counter.value()));
        coded.chain([(Part::Bare, self.bare.value())]).collect()
    }
}
