//! The settings that may change while the broker runs, as every thread sees them.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::config::Origins;
use crate::limits::Limits;

/// The settings that hold now. Looking takes no lock, and who has looked keeps what it saw.
#[derive(Debug, Clone)]
pub(crate) struct Live(Arc<ArcSwap<Settings>>);

/// What may change.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Those of the limits that are looked at anew; the others stay as they were at the start.
    pub(crate) limits: Limits,
    /// The sites that may connect; `None` is all.
    pub(crate) origins: Option<Origins>,
}

impl Live {
    /// The settings of the start.
    pub(crate) fn new(limits: Limits, origins: Option<Origins>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Settings { limits, origins })))
    }

    /// From here on these hold.
    pub(crate) fn adopt(&self, limits: Limits, origins: Option<Origins>) {
        self.0.store(Arc::new(Settings { limits, origins }));
    }

    /// What holds now, for a look.
    pub(crate) fn now(&self) -> Guard<Arc<Settings>> {
        self.0.load()
    }

    /// What holds now, to keep; to be compared by pointer with what holds later.
    pub(crate) fn kept(&self) -> Arc<Settings> {
        self.0.load_full()
    }
}
