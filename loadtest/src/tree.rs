//! The topics of a load: the same tree under every root, and who stands where in it.

use std::fmt::Write as _;
use std::ops::Range;

/// Levels below a root, bound well within what brokers allow of segments.
pub(crate) const DEPTH_MAX: usize = 16;

/// The levels that subscribers stand at, as the command line says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Levels {
    /// Every one, from the root to the leaves.
    All,
    /// The leaves alone, which is where publishers are.
    Leaf,
    /// These, counted from the root, which is 0.
    Listed(Vec<usize>),
}

/// Topics: `roots` of them, each with `branching` children at each of `depth` levels below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Topics of one segment.
    roots: usize,
    /// Segments below the root, of a topic that is published to.
    depth: usize,
    /// Children of every topic above the leaves.
    branching: usize,
    /// Where subscribers stand, in turn; 0 is the root.
    levels: Vec<usize>,
}

/// One topic of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Number of its root.
    root: usize,
    /// Segments below the root.
    level: usize,
    /// Its number among those of its level under its root; in base `branching`, its digits are
    /// its segments.
    node: usize,
}

impl Levels {
    /// `all`, `leaf`, `root`, or numbers between commas.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "all" => return Ok(Self::All),
            "leaf" => return Ok(Self::Leaf),
            "root" => return Ok(Self::Listed(vec![0])),
            _ => {}
        }
        let mut levels: Vec<usize> = text
            .split(',')
            .map(|level| level.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|_| "levels are all, root, leaf, or numbers like 0,2".to_owned())?;
        levels.sort_unstable();
        levels.dedup();
        Ok(Self::Listed(levels))
    }
}

impl Tree {
    /// Topics of one segment.
    pub(crate) fn flat(roots: usize) -> Self {
        Self { roots, depth: 0, branching: 1, levels: vec![0] }
    }

    /// Trees below `roots` topics, or what is wrong with their numbers.
    pub(crate) fn new(
        roots: usize,
        depth: usize,
        branching: usize,
        levels: &Levels,
    ) -> Result<Self, String> {
        let levels = match levels {
            Levels::All => (0..=depth).collect(),
            Levels::Leaf => vec![depth],
            Levels::Listed(levels) => levels.clone(),
        };
        if let Some(level) = levels.iter().find(|level| **level > depth) {
            return Err(format!("subscribers at level {level} of topics of depth {depth}"));
        }
        Ok(Self { roots, depth, branching, levels })
    }

    /// Roots.
    pub(crate) fn roots(&self) -> usize {
        self.roots
    }

    /// The same under another number of roots.
    pub(crate) fn with_roots(&self, roots: usize) -> Self {
        Self { roots, ..self.clone() }
    }

    /// Segments below the root, of a topic that is published to.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Topics that publishers may be at, under all roots; none if they are too many to count.
    pub(crate) fn leaves(&self) -> Option<usize> {
        self.branching.checked_pow(u32::try_from(self.depth).ok()?)?.checked_mul(self.roots)
    }

    /// Receivers go round the roots, then round the levels, then round the topics of a level.
    pub(crate) fn of_receiver(&self, number: usize) -> Place {
        let (root, turn) = (number % self.roots, number / self.roots);
        let level = self.levels[turn % self.levels.len()];
        let node = turn / self.levels.len() % self.width(level);
        Place { root, level, node }
    }

    /// Publishers go round the roots, then round their leaves.
    pub(crate) fn of_publisher(&self, number: usize) -> Place {
        let (root, turn) = (number % self.roots, number / self.roots);
        Place { root, level: self.depth, node: turn % self.width(self.depth) }
    }

    /// The leaves at and below a place, counted through all roots.
    pub(crate) fn leaves_below(&self, place: Place) -> Range<usize> {
        let each = self.width(self.depth - place.level);
        let first = place.root * self.width(self.depth) + place.node * each;
        first..first + each
    }

    /// The name of a topic: the root's number, then a digit for each segment below it.
    pub(crate) fn topic(&self, place: Place) -> String {
        let mut topic = place.root.to_string();
        for level in (0..place.level).rev() {
            let digit = place.node / self.width(level) % self.branching;
            write!(topic, "/{digit}").expect("a String takes all");
        }
        topic
    }

    /// Topics of a level under one root.
    fn width(&self, level: usize) -> usize {
        self.branching.pow(u32::try_from(level).expect("the command line bounds the depth"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(levels: &str) -> Tree {
        Tree::new(2, 2, 3, &Levels::parse(levels).unwrap()).unwrap()
    }

    #[test]
    fn levels_are_words_or_numbers() {
        assert_eq!(Levels::parse("root"), Ok(Levels::Listed(vec![0])));
        assert_eq!(Levels::parse("2,0, 2"), Ok(Levels::Listed(vec![0, 2])));
        assert!(Levels::parse("").is_err() && Levels::parse("1,leaf").is_err());
        assert!(Tree::new(1, 2, 3, &Levels::Listed(vec![3])).is_err());
    }

    #[test]
    fn publishers_are_at_leaves_of_all_roots() {
        let tree = tree("all");
        assert_eq!(tree.leaves(), Some(18));
        let topics: Vec<_> = (0..20).map(|number| tree.topic(tree.of_publisher(number))).collect();
        assert_eq!(topics[..6], ["0/0/0", "1/0/0", "0/0/1", "1/0/1", "0/0/2", "1/0/2"]);
        assert_eq!(topics[6..8], ["0/1/0", "1/1/0"]);
        assert_eq!(topics[16..], ["0/2/2", "1/2/2", "0/0/0", "1/0/0"]);
    }

    #[test]
    fn receivers_are_at_all_levels_in_turn() {
        let tree = tree("all");
        let topics: Vec<_> = (0..14).map(|number| tree.topic(tree.of_receiver(number))).collect();
        assert_eq!(topics[..6], ["0", "1", "0/0", "1/0", "0/0/0", "1/0/0"]);
        assert_eq!(topics[6..], ["0", "1", "0/1", "1/1", "0/0/1", "1/0/1", "0", "1"]);
    }

    #[test]
    fn a_place_is_above_the_leaves_whose_names_begin_with_its_own() {
        let tree = tree("all");
        let name_of_leaf = |leaf| tree.topic(Place { root: leaf / 9, level: 2, node: leaf % 9 });
        for number in 0..200 {
            let place = tree.of_receiver(number);
            let topic = tree.topic(place);
            let below: Vec<_> = (0..18)
                .filter(|leaf| {
                    let name = name_of_leaf(*leaf);
                    name == topic || name.starts_with(&format!("{topic}/"))
                })
                .collect();
            assert_eq!(tree.leaves_below(place).collect::<Vec<_>>(), below, "{topic}");
        }
    }

    #[test]
    fn too_many_to_count_are_none() {
        let tree = Tree::new(1000, DEPTH_MAX, 1000, &Levels::All).unwrap();
        assert_eq!(tree.leaves(), None);
    }
}
