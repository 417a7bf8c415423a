//! Whether the broker lives, and whether it should get new clients.

use super::super::answer::{Answer, Denial, page};
use super::Desk;
use crate::code::RefusalCode;
use crate::refusal::Refusal;

/// Whoever hears this knows that the process is there.
pub(super) fn live(json: bool) -> Answer {
    well("live", json)
}

/// Whether new clients are welcome, and if not, why.
pub(super) fn ready(desk: &Desk, json: bool) -> Result<Answer, Denial> {
    let seen = desk.watch.see();
    if seen.is_draining {
        return Err(Refusal::draining().into());
    }
    if let Some((shard, stuck)) = seen.stuck() {
        let message = format!("shard {shard} is stuck: its loop has not answered for {stuck:.1?}");
        return Err(Denial::new(RefusalCode::ShardStuck, message));
    }
    Ok(well("ready", json))
}

fn well(state: &str, json: bool) -> Answer {
    let body = if json { format!("{{\"status\":\"{state}\"}}\n") } else { format!("{state}\n") };
    page(body, Refusal::content_type(json))
}
