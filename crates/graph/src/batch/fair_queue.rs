//! What waits for a place in a batch: a line for each piece of work, served in turn, so that a search through a
//! whole tenant does not keep a small one waiting, and two large ones share evenly.

use std::collections::VecDeque;

/// Lines of `T`, each known by its number.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    lines: VecDeque<(u64, VecDeque<T>)>,
    len: usize,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { lines: VecDeque::new(), len: 0 }
    }
}

impl<T> FairQueue<T> {
    /// How many wait in all lines.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Joins the end of line `number`.
    pub(crate) fn push(&mut self, number: u64, waiting: T) {
        self.line(number).push_back(waiting);
        self.len += 1;
    }

    /// Goes back to the front of line `number`.
    pub(crate) fn push_front(&mut self, number: u64, waiting: T) {
        self.line(number).push_front(waiting);
        self.len += 1;
    }

    fn line(&mut self, number: u64) -> &mut VecDeque<T> {
        let place = self.lines.iter().position(|(line, _)| *line == number).unwrap_or_else(|| {
            self.lines.push_back((number, VecDeque::new()));
            self.lines.len() - 1
        });
        &mut self.lines[place].1
    }

    /// The first of the line whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let (number, mut line) = self.lines.pop_front()?;
        let waiting = line.pop_front();
        if !line.is_empty() {
            self.lines.push_back((number, line));
        }
        self.len -= usize::from(waiting.is_some());
        waiting
    }
}
