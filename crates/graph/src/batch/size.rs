//! The size of batches. Outlook works on a few parts of a batch at a time, and a gateway on the way may not wait for
//! the last of them. So batches that take too long are cut, and grow again later.

/// The sizes that batches are cut to, largest first.
const SMALLER: [usize; 3] = [10, 5, 1];
/// After this many batches in time, batches grow to the next larger size.
const GROW_AFTER: usize = 8;

/// How many parts a batch may have. The number shrinks when batches take too long, and grows again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchSize {
    configured: usize,
    current: usize,
    /// How many batches of the current size came back in time, one after the other.
    in_time: usize,
}

impl BatchSize {
    /// Starts with the configured size.
    pub(crate) fn new(configured: usize) -> Self {
        Self { configured, current: configured, in_time: 0 }
    }

    /// Returns the current number.
    pub(crate) fn get(self) -> usize {
        self.current
    }

    /// Returns how many parts a batch may have that carries a request which was in `slow_batches` that took too long.
    pub(crate) fn after(slow_batches: u32) -> usize {
        match slow_batches {
            0 => usize::MAX,
            1 => SMALLER[0],
            // The request itself may be what takes so long, so it delays no others any more.
            _ => 1,
        }
    }

    /// Records that a batch of `parts` took too long.
    pub(crate) fn took_too_long(&mut self, parts: usize) {
        let smaller = SMALLER.into_iter().find(|smaller| *smaller < parts).unwrap_or(1);
        self.current = self.current.min(smaller);
        self.in_time = 0;
    }

    /// Records that a batch came back in time.
    pub(crate) fn came_in_time(&mut self) {
        self.in_time += 1;
        if self.in_time < GROW_AFTER {
            return;
        }
        self.in_time = 0;
        let larger = SMALLER.into_iter().rev().find(|larger| *larger > self.current);
        self.current = larger.unwrap_or(self.configured).min(self.configured);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_batches_are_cut_step_by_step() {
        let mut size = BatchSize::new(20);
        let mut sizes = Vec::new();
        for _ in 0..4 {
            sizes.push(size.get());
            size.took_too_long(size.get());
        }
        assert_eq!(sizes, [20, 10, 5, 1]);
    }

    #[test]
    fn batches_in_time_grow_up_to_the_configured_size() {
        for (configured, expected) in [(20, [1, 5, 10, 20, 20]), (8, [1, 5, 8, 8, 8])] {
            let mut size = BatchSize::new(configured);
            size.took_too_long(2);
            let mut sizes = Vec::new();
            for _ in 0..expected.len() {
                sizes.push(size.get());
                (0..GROW_AFTER).for_each(|_| size.came_in_time());
            }
            assert_eq!(sizes, expected);
        }
    }
}
