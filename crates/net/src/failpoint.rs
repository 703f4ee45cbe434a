//! Places at which the fault tests break a guarantee on purpose, to show that a test notices.
//!
//! Compiled out without the feature `failpoints`.

use std::fmt::Arguments;

/// Whether the guarantee of this name is to be broken. Always `false` without the feature `failpoints`.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn is_set(_name: Arguments<'_>) -> bool {
    false
}

/// Whether the environment variable `FAILPOINTS` sets this name, as in `FAILPOINTS="forget-running-calls=return"`.
#[cfg(feature = "failpoints")]
pub fn is_set(name: Arguments<'_>) -> bool {
    use std::sync::OnceLock;

    // Reads the variable once; it stays in force until the process ends.
    static SCENARIO: OnceLock<()> = OnceLock::new();
    SCENARIO.get_or_init(|| std::mem::forget(fail::FailScenario::setup()));
    fail::fail_point!(&name.to_string(), |_| true);
    false
}
