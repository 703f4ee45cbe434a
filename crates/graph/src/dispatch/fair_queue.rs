//! The requests that wait for a place: one lane for each piece of work, served in turn, so that a search through a
//! whole tenant does not delay a small one, and two large ones share evenly.

use std::collections::VecDeque;

/// Lanes of `T`, each known by its number.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    lanes: VecDeque<(u64, VecDeque<T>)>,
    len: usize,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { lanes: VecDeque::new(), len: 0 }
    }
}

impl<T> FairQueue<T> {
    /// Returns how many entries wait in all lanes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the entry that is removed next.
    pub(crate) fn first(&self) -> Option<&T> {
        self.lanes.front()?.1.front()
    }

    /// Adds an entry to the end of lane `number`.
    pub(crate) fn push(&mut self, number: u64, entry: T) {
        self.lane(number).push_back(entry);
        self.len += 1;
    }

    /// Adds an entry to the front of lane `number`.
    pub(crate) fn push_front(&mut self, number: u64, entry: T) {
        self.lane(number).push_front(entry);
        self.len += 1;
    }

    fn lane(&mut self, number: u64) -> &mut VecDeque<T> {
        let index = self.lanes.iter().position(|(lane, _)| *lane == number).unwrap_or_else(|| {
            self.lanes.push_back((number, VecDeque::new()));
            self.lanes.len() - 1
        });
        &mut self.lanes[index].1
    }

    /// Removes the first entry of the lane whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let (number, mut lane) = self.lanes.pop_front()?;
        let entry = lane.pop_front();
        if !lane.is_empty() {
            self.lanes.push_back((number, lane));
        }
        self.len -= usize::from(entry.is_some());
        entry
    }
}
