//! Exponential back-off: how long to wait before something is tried again.

use std::time::Duration;

/// Waits that grow by a constant factor up to a cap.
///
/// Each wait is changed by a random share, so that clients that failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// How many times longer each wait is than the one before.
    pub factor: f64,
    /// No wait is longer, apart from its jitter.
    pub cap: Duration,
    /// The random share.
    pub jitter: Jitter,
}

/// By how much a wait is changed at random.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Jitter {
    /// The wait is at most this share longer, and never shorter.
    Longer(f64),
    /// The wait is at most this share shorter, and never longer.
    Shorter(f64),
}

impl Backoff {
    /// Creates a back-off whose waits double from `first` up to `cap`.
    pub const fn new(first: Duration, cap: Duration, jitter: Jitter) -> Self {
        Self { first, factor: 2.0, cap, jitter }
    }

    /// Returns the wait after `n` waits that did not help, with its jitter.
    pub fn delay(&self, n: u32) -> Duration {
        self.jitter.apply(self.nominal(n))
    }

    /// Returns the wait after `n` waits that did not help, without jitter.
    pub fn nominal(&self, n: u32) -> Duration {
        // The exponent is bounded so that the product stays a finite number.
        let exponent = i32::try_from(n.min(64)).unwrap_or(64);
        let seconds = self.first.as_secs_f64() * self.factor.powi(exponent);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.cap).min(self.cap)
    }
}

impl Jitter {
    /// Changes `wait` by a random share.
    pub fn apply(self, wait: Duration) -> Duration {
        let random = fastrand::f64();
        match self {
            Self::Longer(share) => wait + wait.mul_f64(share * random),
            Self::Shorter(share) => wait.mul_f64(1.0 - share * random),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_cap() {
        let backoff = Backoff::new(SECOND, 10 * SECOND, Jitter::Longer(0.0));
        let waits: Vec<_> = (0..6).map(|n| backoff.delay(n).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.delay(u32::MAX), 10 * SECOND);
    }

    #[test]
    fn another_factor_grows_faster() {
        let backoff = Backoff { factor: 10.0, ..Backoff::new(SECOND, 3600 * SECOND, Jitter::Longer(0.0)) };
        assert_eq!((backoff.nominal(2), backoff.nominal(9)), (100 * SECOND, 3600 * SECOND));
    }

    #[test]
    fn zero_stays_zero() {
        assert_eq!(Backoff::new(Duration::ZERO, SECOND, Jitter::Shorter(0.5)).delay(50), Duration::ZERO);
    }

    #[test]
    fn jitter_stays_within_its_share() {
        for (jitter, least, most) in [(Jitter::Longer(0.1), 10, 11), (Jitter::Shorter(0.5), 5, 10)] {
            let backoff = Backoff::new(10 * SECOND, 60 * SECOND, jitter);
            let waits: Vec<_> = (0..100).map(|_| backoff.delay(0)).collect();
            assert!(waits.iter().all(|wait| (least * SECOND..=most * SECOND).contains(wait)), "{waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
        }
    }
}
