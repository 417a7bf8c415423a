//! What went wrong, counted, and the first of it in words.

/// Faults that are told in a sentence; the rest is only counted.
pub(crate) const EXAMPLES_MAX: usize = 5;

/// Everything that should not have happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// Deliveries that never came.
    pub(crate) lost: u64,
    /// Deliveries that came again.
    pub(crate) duplicated: u64,
    /// Deliveries behind a later message of the same publisher.
    pub(crate) reordered: u64,
    /// Messages nobody of this run sent, or not to there.
    pub(crate) alien: u64,
    /// Messages that changed on the way.
    pub(crate) mangled: u64,
    /// Connections that ended before we closed them, or did not end then.
    pub(crate) disconnected: u64,
    /// Spawned brokers that did not end as they should.
    pub(crate) crashed: u64,
    /// The first few, in words.
    pub(crate) examples: Vec<String>,
}

impl Faults {
    /// Nothing went wrong.
    pub(crate) fn is_none(&self) -> bool {
        let Self { lost, duplicated, reordered, alien, mangled, disconnected, crashed, .. } = self;
        lost + duplicated + reordered + alien + mangled + disconnected + crashed == 0
    }

    /// Adds what went wrong elsewhere.
    pub(crate) fn join(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.alien += other.alien;
        self.mangled += other.mangled;
        self.disconnected += other.disconnected;
        self.crashed += other.crashed;
        for example in other.examples {
            self.tell(|| example);
        }
    }

    /// Keeps a sentence if there are few yet.
    #[cold]
    pub(crate) fn tell(&mut self, sentence: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(sentence());
        }
    }
}
