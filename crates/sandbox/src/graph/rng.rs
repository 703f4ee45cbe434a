//! A stateless, deterministic random number generator: numbers and GUIDs derived from a seed.

use std::fmt::Write as _;

/// Returns a pseudo-random number that depends on all three arguments.
pub(super) fn mix(seed: u64, first: u64, second: u64) -> u64 {
    step(step(step(seed) ^ first.wrapping_mul(0x9E37_79B9_7F4A_7C15)) ^ second)
}

/// The finisher of SplitMix64.
pub(super) fn step(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Returns one of `choices`, which must not be empty.
pub(super) fn pick<T: Copy>(choices: &[T], by: u64) -> T {
    choices[below(by, choices.len())]
}

/// Returns a number below `bound`, which must not be 0.
pub(super) fn below(by: u64, bound: usize) -> usize {
    usize::try_from(by % (bound as u64)).unwrap_or(0)
}

/// Returns a number between 0 and 1.
#[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
pub(super) fn unit(by: u64) -> f64 {
    (by >> 11) as f64 / (1u64 << 53) as f64
}

/// Returns a hash of a text that is the same in every run.
pub(super) fn hash(seed: u64, text: &str) -> u64 {
    // FNV-1a, with a finisher that spreads its entropy over all bits.
    let fnv = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    step(fnv ^ seed)
}

/// Returns a version 4 GUID.
pub(super) fn guid(high: u64, low: u64) -> String {
    let mut text = String::with_capacity(36);
    let _ = write!(
        text,
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0x0fff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    );
    text
}
