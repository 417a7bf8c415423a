//! A report as it is kept: figures with names and units, and what the plots are drawn from.

use serde::{Deserialize, Serialize};

use super::{Event, Remark, Row};
use crate::bottleneck::Bottleneck;
use crate::series::Series;

/// The result of one load, as a file holds it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The scenario, or its part.
    pub(crate) name: String,
    /// What is counted.
    pub(crate) event: Event,
    /// All figures, group by group.
    pub(crate) rows: Vec<Row>,
    /// The latency distribution.
    pub(crate) latency: Vec<Percentile>,
    /// Throughput and CPU over time.
    pub(crate) series: Series,
    /// Who kept the load from being more.
    pub(crate) bottleneck: Bottleneck,
    /// The first faults, in words.
    pub(crate) faults: Vec<String>,
    /// Somebody pressed Ctrl-C.
    pub(crate) interrupted: bool,
    /// All was delivered once and in order.
    pub(crate) ok: bool,
}

/// A point of a latency distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentile {
    /// So many per cent of the deliveries took no longer.
    pub(crate) percentile: f64,
    /// Than this.
    pub(crate) microseconds: f64,
}

impl Summary {
    /// The row of this name in its group.
    pub(crate) fn row(&self, group: &str, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.group == group && row.name == name)
    }

    /// What is to be said before its figures; `name` stands before each sentence, unless it is
    /// empty.
    pub(crate) fn remarks(&self, name: &str) -> Vec<Remark> {
        let said = |sentence: &str| match name {
            "" => sentence.to_owned(),
            name => format!("{name}: {sentence}"),
        };
        let mut remarks: Vec<Remark> =
            self.faults.iter().map(|fault| Remark::Bad(said(fault))).collect();
        if self.ok {
            remarks.push(Remark::Good(said(self.event.is_fine())));
        }
        if self.interrupted {
            remarks.push(Remark::Note(said("somebody ended it early")));
        }
        let bottleneck = self.bottleneck.sentence.iter();
        remarks.extend(bottleneck.map(|sentence| Remark::Note(said(sentence))));
        remarks
    }
}
