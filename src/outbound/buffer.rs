//! Frames in one buffer, counted as long as it exists: all that it takes, not only what is in use.

use std::fmt;
use std::ops::{Deref, Range};
use std::rc::Rc;
use std::sync::Arc;

use super::marks::Marks;
use crate::limits::BUFFER_BYTES;
use crate::memory::Meter;

/// Frames in one buffer, shared by all who have yet to get them.
pub type Batch = Rc<Buffer>;

/// Bytes that a shard's meter counts until they are dropped.
pub struct Buffer {
    bytes: Vec<u8>,
    meter: Arc<Meter>,
    /// Where its frames begin.
    marks: Marks,
}

impl Buffer {
    /// Counts these bytes from now on.
    #[must_use]
    pub fn new(bytes: Vec<u8>, meter: &Arc<Meter>) -> Self {
        meter.hold(bytes.len());
        Self::held(bytes, meter)
    }

    /// Goes on counting bytes that were counted before, and begins to count the room behind them.
    #[must_use]
    pub fn held(bytes: Vec<u8>, meter: &Arc<Meter>) -> Self {
        meter.hold(BUFFER_BYTES + bytes.capacity() - bytes.len());
        Self { bytes, meter: Arc::clone(meter), marks: Marks::default() }
    }

    /// Whether a copy of so many of its bytes may be held.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.meter.has_room(bytes + BUFFER_BYTES)
    }

    /// A copy of a part of it.
    pub(super) fn copy(&self, part: Range<usize>) -> Self {
        Self::new(self.bytes[part].to_vec(), &self.meter)
    }

    /// Appends these bytes, unless there is no room for them; says whether it did.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> bool {
        let has_room = self.meter.has_room(bytes.len());
        if has_room {
            let before = self.bytes.capacity();
            self.bytes.extend_from_slice(bytes);
            self.meter.hold(self.bytes.capacity() - before);
            self.marks = Marks::default();
        }
        has_room
    }

    /// The last beginning of a frame that is not behind `at`.
    pub(super) fn floor(&self, at: usize) -> usize {
        self.marks.floor(&self.bytes, at)
    }

    /// The first beginning of a frame that is not before `at`.
    pub(super) fn ceiling(&self, at: usize) -> usize {
        self.marks.ceiling(&self.bytes, at)
    }

    /// How many frames these are.
    pub(super) fn frames(&self, range: Range<usize>) -> u64 {
        self.marks.count(&self.bytes, range) as u64
    }

    /// What it takes of memory, at least.
    pub(super) const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The bytes alone, no longer counted.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.meter.release(self.bytes.capacity());
        std::mem::take(&mut self.bytes)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.meter.release(self.bytes.capacity() + BUFFER_BYTES);
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Budget;

    #[test]
    fn the_room_behind_the_bytes_counts_as_well() {
        let counters = Arc::<crate::metrics::Counters>::default();
        let meter = Meter::new(Arc::new(Budget::new(usize::MAX)), Arc::clone(&counters));
        let meter = Arc::new(meter);
        let mut bytes = Vec::with_capacity(1000);
        bytes.push(1);
        let mut buffer = Buffer::new(bytes, &meter);
        let held = || counters.memory_bytes.value();
        assert_eq!(held(), (1000 + BUFFER_BYTES) as u64);
        assert!(buffer.extend(&[2; 999]));
        assert_eq!(held(), (1000 + BUFFER_BYTES) as u64);
        assert!(buffer.extend(&[3; 100]));
        assert_eq!(held(), (buffer.capacity() + BUFFER_BYTES) as u64);
        assert_eq!(buffer.into_bytes().len(), 1100);
        assert_eq!(held(), 0);
        drop(Buffer::new(vec![4; 10], &meter));
        assert_eq!(held(), 0);
    }
}
