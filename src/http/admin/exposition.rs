//! All that is counted, as Prometheus reads it.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{self, CONTENT_TYPE};
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::super::answer::{self, Answer};
use super::Watch;
use super::watch::Seen;
use crate::code::REFUSALS;
use crate::metrics::{Count, Counted, Part, Parts as _};

/// In front of every name.
const PREFIX: &str = "mercury";
const MICROSECONDS: f64 = 1e6;

/// Names of a series' labels and their values. Never a topic: there may be a million of them.
type Labels = Vec<(&'static str, String)>;

/// The page of metrics.
pub(super) fn answer(watch: &Watch) -> Answer {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(watch.see()));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).expect("a String takes all");
    answer::page(text, CONTENT_TYPE)
}

impl Collector for Seen {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(&mut encoder);
        self.counts(&mut page)?;
        self.by_pattern(&mut page)?;
        self.by_shard(&mut page)?;
        self.process(&mut page)
    }
}

impl Seen {
    /// Every counter there is, under its own name.
    fn counts(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let each = self.metrics.each();
        for parts in each.chunk_by(|count, next| count.name == next.name) {
            let Count { name, help, is_now, .. } = parts[0];
            let series = parts.iter().filter_map(|count| Some((labels(count.part)?, count.value)));
            if is_now {
                page.gauges(name, help, series)?;
            } else {
                page.counters(name, help, series)?;
            }
        }
        Ok(())
    }

    /// How large batches are, and how long they take; all shards together.
    fn by_pattern(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let label = |(word, counted): (&str, _)| (vec![("pattern", word.to_owned())], counted);
        page.histograms(
            "batch_messages",
            "Messages that left together: those of a batch, or a puller's jobs of one turn.",
            1.0,
            self.metrics.by_pattern(|counters| &counters.batch_messages).map(label),
        )?;
        page.histograms(
            "fan_out_seconds",
            "From a batch's first message to its last receiver; of many batches, some are timed.",
            MICROSECONDS,
            self.metrics.by_pattern(|counters| &counters.fan_out).map(label),
        )
    }

    /// What each shard says.
    fn by_shard(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let shards = self.metrics.shards();
        let label = |number: usize| vec![("shard", number.to_string())];
        let each = || shards.iter().enumerate().map(|(number, shard)| (label(number), shard));
        page.gauges(
            "shard_connections",
            "WebSocket connections of each shard.",
            each().map(|(labels, shard)| (labels, shard.connections.total())),
        )?;
        page.histograms(
            "loop_lag_seconds",
            "How late each shard's loop answered the ticks of the clock.",
            MICROSECONDS,
            each().map(|(labels, shard)| (labels, shard.pulse.lag.counted())),
        )?;
        page.gauges(
            "heartbeat_age_seconds",
            "Since each shard's loop last answered the clock; over 5 s it is stuck.",
            (0..shards.len()).map(|number| (label(number), self.silence(number).as_secs_f64())),
        )?;
        page.gauges(
            "inbox_entries",
            "Connections and messages that wait for each shard to take them over.",
            self.inboxes.iter().enumerate().map(|(number, inbox)| (label(number), inbox.entries)),
        )?;
        page.gauges(
            "inbox_bytes",
            "Their bodies.",
            self.inboxes.iter().enumerate().map(|(number, inbox)| (label(number), inbox.bytes)),
        )
    }

    /// The process, and what it may use.
    fn process(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let one = |value: u64| [(vec![], value)];
        page.gauges(
            "memory_max_bytes",
            "What all queues may hold, --memory-max.",
            one(self.memory_max),
        )?;
        page.gauges("descriptors", "Descriptors that clients use.", one(self.descriptors))?;
        page.gauges("descriptors_max", "Those that they may use.", one(self.descriptors_max))?;
        page.gauges(
            "shards",
            "Threads that topics are spread over.",
            one(self.metrics.shards().len() as u64),
        )?;
        page.gauges(
            "draining",
            "1 once the broker was told to stop.",
            one(self.is_draining.into()),
        )?;
        page.gauges(
            "start_time_seconds",
            "When the broker started, in seconds since 1970.",
            [(vec![], self.started.as_secs_f64())],
        )?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let help = "What was built.";
        page.0.encode_descriptor("build", help, None, MetricType::Info)?.encode_info(&version)
    }
}

/// What tells a part of a count from the others; nothing if there is no such code.
fn labels(part: Part) -> Option<Labels> {
    Some(match part {
        Part::Whole => vec![],
        Part::Pattern(word) => vec![("pattern", word.to_owned())],
        Part::Code(place) => vec![("code", REFUSALS.get(place)?.name.to_owned())],
        Part::Bare => vec![("code", "none".to_owned())],
    })
}

/// What is written to.
struct Page<'page, 'text>(&'page mut DescriptorEncoder<'text>);

impl Page<'_, '_> {
    /// What happened, series by series.
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in series {
            let mut metric = family.encode_family(&labels)?;
            metric.encode_counter::<NoLabelSet, _, f64>(&value, None)?;
        }
        Ok(())
    }

    /// What exists now.
    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels, impl EncodeGaugeValue)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in series {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// What was counted by size, of which so many are one unit.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a sum of so many has no need of its last digit"
    )]
    fn histograms(
        &mut self,
        name: &str,
        help: &str,
        unit: f64,
        series: impl IntoIterator<Item = (Labels, Counted)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, Counted { steps, sum, count }) in series {
            let steps: Vec<_> =
                steps.iter().map(|(end, count)| (*end as f64 / unit, *count)).collect();
            let mut metric = family.encode_family(&labels)?;
            metric.encode_histogram::<NoLabelSet>(sum as f64 / unit, count, &steps, None)?;
        }
        Ok(())
    }
}
