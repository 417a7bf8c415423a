//! The topics of one pattern by name: made for their first user, freed after their last.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use ahash::RandomState;

use super::slots::Slots;
use crate::slack;

/// A topic's place in its tree; valid while somebody uses the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopicId(u32);

/// Topics with their state. A publisher uses all ancestors of its topic, so that publishing is
/// a walk over ids and never a look-up by name.
#[derive(Debug, Default)]
pub(super) struct TopicTree<T> {
    names: HashMap<Arc<str>, TopicId, RandomState>,
    topics: Slots<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    name: Arc<str>,
    users: u32,
    state: T,
}

impl<T: Default> TopicTree<T> {
    /// The topic of that name, if anybody uses it.
    pub(super) fn find(&self, name: &str) -> Option<TopicId> {
        self.names.get(name).copied()
    }

    /// Adds a user to a topic that may be new; says whether it is.
    pub(super) fn acquire(&mut self, name: &str) -> (TopicId, bool) {
        if let Some(id) = self.find(name) {
            self.hold(id);
            return (id, false);
        }
        let name: Arc<str> = name.into();
        let entry = Entry { name: Arc::clone(&name), users: 1, state: T::default() };
        let id = TopicId(self.topics.insert(entry));
        self.names.insert(name, id);
        (id, true)
    }

    /// Adds a user to a topic.
    pub(super) fn hold(&mut self, id: TopicId) {
        self.topics.at_mut(id.0).users += 1;
    }

    /// Takes a user away; the state of the topic if that was the last one.
    pub(super) fn release(&mut self, id: TopicId) -> Option<T> {
        let entry = self.topics.at_mut(id.0);
        entry.users -= 1;
        if entry.users > 0 {
            return None;
        }
        let entry = self.topics.remove(id.0);
        self.names.remove(&entry.name);
        if let Some(kept) = slack::kept(self.names.len(), self.names.capacity()) {
            self.names.shrink_to(kept);
        }
        Some(entry.state)
    }

    /// The name of a topic.
    pub(super) fn name(&self, id: TopicId) -> &str {
        &self.topics.at(id.0).name
    }

    /// The state of a topic that may be gone.
    pub(super) fn get_mut(&mut self, id: TopicId) -> Option<&mut T> {
        self.topics.find(id.0).map(|entry| &mut entry.state)
    }

    /// All topics.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.topics.iter().map(|entry| (&*entry.name, &entry.state))
    }

    /// Topics at `count` places from `from` on, with how many use them; where to go on. A topic
    /// keeps its place while it exists.
    pub(super) fn part(
        &self,
        from: u32,
        count: usize,
    ) -> (impl Iterator<Item = (&Arc<str>, u32, &T)>, Option<u32>) {
        let (entries, next) = self.topics.part(from, count);
        (entries.map(|entry| (&entry.name, entry.users, &entry.state)), next)
    }

    /// Whether nobody uses any topic.
    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.names.is_empty()
    }
}

impl<T> Index<TopicId> for TopicTree<T> {
    type Output = T;

    fn index(&self, id: TopicId) -> &T {
        &self.topics.at(id.0).state
    }
}

impl<T> IndexMut<TopicId> for TopicTree<T> {
    fn index_mut(&mut self, id: TopicId) -> &mut T {
        &mut self.topics.at_mut(id.0).state
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn a_topic_lives_from_its_first_user_to_its_last() {
        let mut tree = TopicTree::<u32>::default();
        let (id, new) = tree.acquire("a/b");
        assert!(new);
        tree[id] = 7;
        assert_eq!(tree.acquire("a/b"), (id, false));
        assert_eq!(tree.find("a/b"), Some(id));
        assert_eq!(tree.find("a"), None);
        assert_eq!(tree.release(id), None);
        assert_eq!(tree.release(id), Some(7));
        assert!(tree.is_empty());
    }

    #[test]
    fn a_peak_of_names_leaves_no_room_behind() {
        let mut tree = TopicTree::<u32>::default();
        let ids: Vec<_> = (0..100_000).map(|number| tree.acquire(&number.to_string()).0).collect();
        for (number, id) in ids.into_iter().enumerate() {
            assert_eq!(tree.find(&number.to_string()), Some(id));
            assert_eq!(tree.release(id), Some(0));
        }
        assert!(tree.is_empty());
        assert!(tree.names.capacity() <= 8, "room for {} names", tree.names.capacity());
    }

    #[test]
    fn names_are_hashed_with_keys_of_their_tree() {
        let hashes = |tree: &TopicTree<u32>| {
            ["a", "b", "c/d"].map(|name| BuildHasher::hash_one(tree.names.hasher(), name))
        };
        let trees: [TopicTree<u32>; 2] = Default::default();
        assert_ne!(hashes(&trees[0]), hashes(&trees[1]));
        assert_eq!(hashes(&trees[0]), hashes(&trees[0]));
    }
}
