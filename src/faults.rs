//! Panics on demand, to show what a panic does: a message whose text names a place makes the code
//! there panic, and another one blocks its shard. Only where tests are built; everywhere else
//! nothing is left of it.

pub(crate) use self::switch::{heed, pass};

/// Where a panic can be asked for, by the message `faults: panic in the ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// What a connection has for itself.
    Connection,
    /// A change of the broker, half done.
    Broker,
    /// The task that gives out what gathered.
    Flusher,
    /// The task that looks at deadlines.
    Sweep,
    /// One HTTP connection, when its request has come whole.
    Visit,
}

/// A release never has it, whatever features it is built with.
#[cfg(all(feature = "faults", debug_assertions))]
mod switch {
    use std::cell::Cell;
    use std::time::Duration;

    use crate::faults::Place;

    thread_local! {
        /// What was asked for and has not happened yet, on this thread.
        static ASKED: Cell<Option<Place>> = const { Cell::new(None) };
    }

    /// Longer than a shard may be silent.
    const STUCK_FOR: Duration = Duration::from_secs(8);

    /// Takes note of a message that asks for a panic, or is stuck as it asks for that.
    pub(crate) fn heed(message: &[u8]) {
        let place = match message {
            b"faults: panic in the connection" => Place::Connection,
            b"faults: panic in the broker" => Place::Broker,
            b"faults: panic in the flusher" => Place::Flusher,
            b"faults: panic in the sweep" => Place::Sweep,
            b"faults: panic in the visit" => Place::Visit,
            b"faults: be stuck" => return std::thread::sleep(STUCK_FOR),
            _ => return,
        };
        ASKED.set(Some(place));
    }

    /// Panics if it was asked for here; the panic's place is the caller's.
    #[track_caller]
    pub(crate) fn pass(place: Place) {
        if ASKED.get() == Some(place) {
            ASKED.set(None);
            panic!("asked for: {place:?}");
        }
    }
}

#[cfg(not(all(feature = "faults", debug_assertions)))]
mod switch {
    use crate::faults::Place;

    #[inline]
    pub(crate) const fn heed(_: &[u8]) {}

    #[inline]
    pub(crate) const fn pass(_: Place) {}
}
