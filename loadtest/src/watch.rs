//! Looks at a load now and then while something else drives it.

use std::convert::Infallible;
use std::rc::Rc;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::load::Load;
use crate::progress::{Part, Progress};
use crate::series::{SAMPLE, Sampler};

/// Takes samples of what `count` counts and shows how it goes, until it is dropped.
pub(crate) async fn watch(
    load: &Rc<Load>,
    part: Part,
    sampler: &mut Sampler,
    progress: &mut Progress,
    count: impl Fn(&Load) -> u64,
) -> Infallible {
    let start = Instant::now();
    let mut look = interval(SAMPLE);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.tick().await;
    progress.begin(part, load);
    loop {
        look.tick().await;
        sampler.sample(load.now(), count(load));
        progress.show(part, start.elapsed(), load);
    }
}
