//! Entra's refusal of a token.

/// Status, `error`, AADSTS number and description.
pub(super) struct Denial(pub(super) u16, pub(super) &'static str, pub(super) u32, pub(super) String);
