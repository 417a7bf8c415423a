//! A byte stream cut into frames at random: what one began waits here for the next.

/// The beginning of an item whose end has not come.
#[derive(Debug, Default)]
pub(crate) struct Carry {
    bytes: Vec<u8>,
}

impl Carry {
    /// Lets `item` take one item after the other from the front, which returns how long it was, or
    /// None while it is not all there.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut item: impl FnMut(&[u8]) -> Result<Option<usize>, String>,
    ) -> Result<(), String> {
        let mut all = |bytes: &[u8]| {
            let mut used = 0;
            while let Some(size) = item(&bytes[used..])? {
                used += size;
            }
            Ok::<_, String>(used)
        };
        if self.bytes.is_empty() {
            let used = all(bytes)?;
            self.bytes.extend_from_slice(&bytes[used..]);
        } else {
            self.bytes.extend_from_slice(bytes);
            let used = all(&self.bytes)?;
            self.bytes.drain(..used);
        }
        Ok(())
    }
}
