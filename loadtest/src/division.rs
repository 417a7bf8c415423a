//! Divides a load among client threads: topic t belongs to thread t mod N, with all its members,
//! so that no message crosses from one thread's books to another's.

use crate::scenario::{Extent, Pace, Plan};

/// Tags have 24 bits.
const TAGS: u32 = 1 << 24;

/// The part of each thread, or what is wrong with the number of threads.
pub(crate) fn divide(plan: &Plan, threads: usize) -> Result<Vec<Plan>, String> {
    if threads == 1 {
        return Ok(vec![plan.clone()]);
    }
    let (topics, publishers) = (plan.tree.roots(), plan.publishers);
    for (count, what) in [(topics, "topics"), (publishers, "publishers")] {
        if threads > count {
            return Err(format!(
                "{threads} client threads for {count} {what}: each needs one of its own, as \
                 topics are divided among them"
            ));
        }
    }
    Ok((0..threads).map(|number| part(plan, threads, number)).collect())
}

/// Member i is on topic i mod T everywhere, so who is on a thread's topics are again the members
/// i mod its T, in the same order.
fn part(plan: &Plan, threads: usize, number: usize) -> Plan {
    let of_topics = |topics: usize| (topics + threads - 1 - number) / threads;
    let all_topics = plan.tree.roots();
    let topics = of_topics(all_topics);
    let members = |all: usize| all / all_topics * topics + of_topics(all % all_topics);
    let (receivers, publishers) = (members(plan.receivers), members(plan.publishers));
    let pace = match plan.pace {
        Pace::Rate(rate) => Pace::Rate(rate * share(publishers, plan.publishers)),
        window @ Pace::Window(_) => window,
    };
    let extent = match plan.extent {
        Extent::Messages(messages) => {
            let (each, rest) =
                (messages / plan.publishers as u64, messages % plan.publishers as u64);
            let rest = usize::try_from(rest).expect("less than the publishers");
            Extent::Messages(each * publishers as u64 + members(rest) as u64)
        }
        time @ Extent::Time { .. } => time,
    };
    let tag = (plan.tag + u32::try_from(number).expect("threads are few")) % TAGS;
    let tree = plan.tree.with_roots(topics);
    Plan { receivers, publishers, tree, pace, extent, tag, ..plan.clone() }
}

#[expect(clippy::cast_precision_loss, reason = "the command line allows a million of each")]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audience::Audience;
    use crate::scenario;

    fn plan(flags: &str) -> Plan {
        scenario::tests::plan(flags).unwrap()
    }

    /// How often each message of every publisher must arrive, and how many it sends, sorted.
    fn publishers_of<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Vec<(u32, u64)> {
        let each = |plan: &Plan| {
            let audience = Audience::new(plan);
            (0..plan.publishers)
                .map(|number| (audience.deliveries(number), plan.quota(number)))
                .collect::<Vec<_>>()
        };
        let mut all: Vec<_> = plans.into_iter().flat_map(each).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn the_parts_are_the_whole() {
        for (topics, depth) in (1..=7).flat_map(|topics| [(topics, 0), (topics, 2)]) {
            for publishers in [7, 9, 16] {
                for subscribers in [7, 23, 40] {
                    let whole = plan(&format!(
                        "fanout --topics {topics} --publishers {publishers} --subscribers \
                         {subscribers} --messages 1001 --depth {depth}"
                    ));
                    for threads in 1..=topics {
                        let parts = divide(&whole, threads).unwrap();
                        assert_eq!(publishers_of(&parts), publishers_of([&whole]));
                        let sum = |part: fn(&Plan) -> usize| parts.iter().map(part).sum::<usize>();
                        assert_eq!(sum(|part| part.tree.roots()), topics);
                        assert_eq!(sum(|part| part.receivers), subscribers);
                    }
                }
            }
        }
    }

    #[test]
    fn rates_are_shared_and_names_differ() {
        let whole = plan("fanout --topics 3 --publishers 4 --subscribers 9 --rate 1000");
        let parts = divide(&whole, 2).unwrap();
        let rates: Vec<_> = parts.iter().map(|part| part.pace).collect();
        assert_eq!(rates, [Pace::Rate(750.0), Pace::Rate(250.0)]);
        assert_ne!(parts[0].path(0), parts[1].path(0));
    }

    #[test]
    fn a_thread_has_a_topic_and_a_publisher() {
        let error = divide(&plan("fanout --topics 3 --publishers 4"), 4).unwrap_err();
        assert!(error.starts_with("4 client threads for 3 topics: "), "{error}");
        let error = divide(&plan("fanout --topics 4 --publishers 3"), 4).unwrap_err();
        assert!(error.starts_with("4 client threads for 3 publishers: "), "{error}");
    }
}
