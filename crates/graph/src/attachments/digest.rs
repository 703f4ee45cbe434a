//! SHA-256, the digest by which files are known.

use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256};

/// A SHA-256 digest, written in 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256([u8; 32]);

/// A text that is not a SHA-256 digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 digest, which has 64 hexadecimal digits")]
pub struct InvalidDigest;

impl Sha256 {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut context = DigestContext::default();
        context.update(bytes);
        context.finish().1
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256 {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let text = text.trim();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidDigest);
        }
        let mut digest = [0; 32];
        for (nth, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * nth..2 * nth + 2], 16).map_err(|_| InvalidDigest)?;
        }
        Ok(Self(digest))
    }
}

impl serde::Serialize for Sha256 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Computes a digest piece by piece, and counts the bytes.
pub struct DigestContext {
    context: Context,
    bytes: u64,
}

impl Default for DigestContext {
    fn default() -> Self {
        Self { context: Context::new(&SHA256), bytes: 0 }
    }
}

impl fmt::Debug for DigestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestContext").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl DigestContext {
    /// Takes in the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.context.update(piece);
        self.bytes += piece.len() as u64;
    }

    /// Returns the number of bytes, and their digest.
    pub fn finish(self) -> (u64, Sha256) {
        let digest = self.context.finish();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        (self.bytes, Sha256(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_read_as_it_is_written() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of(b"").to_string(), empty);
        assert_eq!(format!(" {} ", empty.to_uppercase()).parse(), Ok(Sha256::of(b"")));
        for wrong in ["", "e3b0", &empty[1..], &format!("{}g", &empty[1..]), &"ä".repeat(32)] {
            assert_eq!(wrong.parse::<Sha256>(), Err(InvalidDigest), "{wrong}");
        }
    }
}
