//! Who hears whom: the publishers that each receiver gets messages of.
//!
//! Publishers get ranks in the order of their leaves, so those below any topic have ranks in a row:
//! a delivery is checked with one subtraction and one comparison.

use crate::scenario::{Pattern, Plan};

/// All pairs of a receiver and a publisher that it hears.
pub(crate) struct Audience {
    /// The rank of each publisher.
    ranks: Vec<u32>,
    /// What each receiver hears.
    ears: Vec<Ear>,
    /// How often each message of a publisher must arrive, by publisher.
    deliveries: Vec<u32>,
    /// How many pairs there are.
    pairs: usize,
}

/// What one receiver hears.
#[derive(Debug, Clone, Copy)]
struct Ear {
    /// The lowest rank that it hears.
    first: u32,
    /// How many from there on.
    count: u32,
    /// The number of its first pair.
    pair: usize,
}

impl Audience {
    /// Who hears whom in `plan`, whose leaves can be counted.
    pub(crate) fn new(plan: &Plan) -> Self {
        let leaves = plan.tree.leaves().expect("the plan was checked");
        let leaf = |number| plan.tree.leaves_below(plan.tree.of_publisher(number)).start;
        // where the ranks of each leaf begin, and where the last one's end
        let mut starts = vec![0; leaves + 1];
        (0..plan.publishers).for_each(|number| starts[leaf(number) + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let rank = |number| {
            let place: &mut u32 = &mut next[leaf(number)];
            *place += 1;
            *place - 1
        };
        let ranks: Vec<u32> = (0..plan.publishers).map(rank).collect();
        let mut pairs = 0;
        let ear = |number| {
            let below = plan.tree.leaves_below(plan.tree.of_receiver(number));
            let (first, end) = (starts[below.start], starts[below.end]);
            let ear = Ear { first, count: end - first, pair: pairs };
            pairs += ear.count as usize;
            ear
        };
        let ears: Vec<Ear> = (0..plan.receivers).map(ear).collect();
        let deliveries = deliveries(plan.pattern, &ranks, &ears);
        Self { ranks, ears, deliveries, pairs }
    }

    /// The number of the pair of `receiver` and `publisher`; none if the one must not hear the
    /// other. A bus pairs a peer with itself.
    #[inline]
    pub(crate) fn pair(&self, receiver: usize, publisher: usize) -> Option<usize> {
        let ear = self.ears[receiver];
        let place = self.ranks.get(publisher)?.wrapping_sub(ear.first);
        (place < ear.count).then(|| ear.pair + place as usize)
    }

    /// How many pairs there are.
    pub(crate) fn pairs(&self) -> usize {
        self.pairs
    }

    /// How often each message of `publisher` must arrive.
    pub(crate) fn deliveries(&self, publisher: usize) -> u32 {
        self.deliveries[publisher]
    }
}

/// A difference at both ends of what each receiver hears, summed up along the ranks.
fn deliveries(pattern: Pattern, ranks: &[u32], ears: &[Ear]) -> Vec<u32> {
    let mut begun = vec![0_u32; ranks.len() + 1];
    let mut ended = begun.clone();
    for ear in ears {
        begun[ear.first as usize] += 1;
        ended[(ear.first + ear.count) as usize] += 1;
    }
    let mut members = 0;
    let by_rank: Vec<u32> = begun
        .iter()
        .zip(&ended)
        .map(|(begun, ended)| {
            members = members + begun - ended;
            members
        })
        .collect();
    let members_of = |rank: &u32| by_rank[*rank as usize];
    ranks
        .iter()
        .map(|rank| match pattern {
            Pattern::Bus => members_of(rank).saturating_sub(1),
            Pattern::PubSub => members_of(rank),
            Pattern::PushPull => members_of(rank).min(1),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::tests::plan;

    fn deliveries_of(flags: &str) -> Vec<u32> {
        let plan = plan(flags).unwrap();
        let audience = Audience::new(&plan);
        (0..plan.publishers).map(|publisher| audience.deliveries(publisher)).collect()
    }

    #[test]
    fn deliveries_follow_the_topics() {
        let flags = "fanout --subscribers 10 --publishers 4 --topics 4";
        assert_eq!(deliveries_of(flags), [3, 3, 2, 2]);
        assert_eq!(deliveries_of("bus --peers 10 --topics 3 --senders 3"), [3, 2, 2]);
        assert_eq!(deliveries_of("pushpull"), [1; 4]);
    }

    #[test]
    fn deliveries_add_up_along_the_ancestors() {
        // 0, 0/0, 0/0/0, 0, 0/1, 0/0/1, 0, 0/0: the publishers are at 0/0/0, 0/0/1, 0/1/0, 0/1/1
        assert_eq!(deliveries_of("fanout --subscribers 8 --depth 2"), [6, 6, 4, 4]);
        let root = "fanout --subscribers 5 --depth 3 --branching 2 --subscribers-at root";
        assert_eq!(deliveries_of(root), [5; 8]);
    }

    /// The rule in the words of the protocol: a message on `a/b/c` is heard at `a/b/c`, `a/b`, `a`.
    #[test]
    fn each_hears_what_is_published_at_and_below_its_topic() {
        for flags in [
            "fanout --subscribers 40 --depth 3 --branching 3 --topics 2",
            "fanout --subscribers 40 --depth 2 --branching 4 --subscribers-at 0,2 --publishers 40",
            "fanout --subscribers 40 --depth 1 --branching 5 --subscribers-at leaf --publishers 7",
            "fanout --subscribers 10 --publishers 4 --topics 4",
            "bus --peers 10 --topics 3 --senders 7",
        ] {
            let plan = plan(flags).unwrap();
            let audience = Audience::new(&plan);
            let mut seen = vec![];
            for receiver in 0..plan.receivers {
                let ear = plan.tree.topic(plan.tree.of_receiver(receiver));
                for publisher in 0..plan.publishers {
                    let mouth = plan.tree.topic(plan.tree.of_publisher(publisher));
                    let hears = mouth == ear || mouth.starts_with(&format!("{ear}/"));
                    let pair = audience.pair(receiver, publisher);
                    assert_eq!(pair.is_some(), hears, "{flags}: {ear} of {mouth}");
                    seen.extend(pair);
                }
                assert_eq!(audience.pair(receiver, plan.publishers), None);
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..audience.pairs()).collect::<Vec<_>>(), "{flags}");
        }
    }
}
