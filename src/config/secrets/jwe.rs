//! The encrypted form of App Host's protected secrets: JWE in its compact form (RFC 7516), opened with the
//! symmetric key of a JWK (RFC 7517).
//!
//! The platform writes `dir` with `A256GCM`, where the JWK's key encrypts the content. As the library of the platform's
//! own framework does, this reader also supports `A256KW`, where every secret has a content key of its own.

use aes_kw::{KeyInit, KwAes256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::Deserialize;

use net::Secret;

/// The length of an AES-256 key.
const KEY_BYTES: usize = 32;
/// The length of a wrapped key (RFC 3394).
const WRAPPED_BYTES: usize = KEY_BYTES + 8;
const TAG_BYTES: usize = 16;

/// A secret could not be opened. The messages contain neither key nor content.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::config) enum JweError {
    #[error("it is not a JSON Web Key with 256 secret bits (kty oct, k)")]
    NoKey,
    #[error("it is not a JWE of five parts")]
    Form,
    #[error("it is encrypted by {alg} and {enc}; only dir and A256KW with A256GCM are known")]
    Unknown { alg: String, enc: String },
    #[error("the key does not open it, or it was changed")]
    WrongKey,
    #[error("what is in it is not UTF-8 text")]
    NoText,
}

/// The key that the secrets were encrypted with.
pub(in crate::config) struct Key([u8; KEY_BYTES]);

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    k: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    /// Extensions that a reader must support or reject (RFC 7516, 4.1.13); this one supports none. Compression would
    /// change the content.
    crit: Option<serde_json::Value>,
    zip: Option<serde_json::Value>,
}

impl Key {
    /// Reads a JSON Web Key.
    pub(in crate::config) fn from_jwk(json: &str) -> Result<Self, JweError> {
        let jwk: Jwk = serde_json::from_str(json).map_err(|_| JweError::NoKey)?;
        if jwk.kty != "oct" {
            return Err(JweError::NoKey);
        }
        // Some writers add padding.
        let bytes = URL_SAFE_NO_PAD.decode(jwk.k.trim_end_matches('=')).map_err(|_| JweError::NoKey)?;
        bytes.try_into().map(Self).map_err(|_| JweError::NoKey)
    }

    /// Decrypts the secret in `token`.
    pub(in crate::config) fn open(&self, token: &str) -> Result<Secret, JweError> {
        let parts: Vec<&str> = token.split('.').collect();
        let [protected, key, nonce, content, tag] = parts[..] else { return Err(JweError::Form) };
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JweError::Form);
        let header: Header = serde_json::from_slice(&decoded(protected)?).map_err(|_| JweError::Form)?;
        let content_key = match (header.alg.as_str(), header.enc.as_str()) {
            _ if header.crit.is_some() || header.zip.is_some() => return Err(JweError::Form),
            ("dir", "A256GCM") if key.is_empty() => self.0,
            ("dir", "A256GCM") => return Err(JweError::Form),
            ("A256KW", "A256GCM") => self.unwrap(&decoded(key)?)?,
            _ => return Err(JweError::Unknown { alg: header.alg, enc: header.enc }),
        };
        let nonce: [u8; NONCE_LEN] = decoded(nonce)?.try_into().map_err(|_| JweError::Form)?;
        let (mut sealed, tag) = (decoded(content)?, decoded(tag)?);
        // A shorter tag would be easier to forge.
        if tag.len() != TAG_BYTES {
            return Err(JweError::Form);
        }
        sealed.extend(tag);
        let cipher = UnboundKey::new(&AES_256_GCM, &content_key).map_err(|_| JweError::WrongKey)?;
        let opened = LessSafeKey::new(cipher)
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(protected), &mut sealed)
            .map_err(|_| JweError::WrongKey)?;
        std::str::from_utf8(opened).map(Secret::new).map_err(|_| JweError::NoText)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<[u8; KEY_BYTES], JweError> {
        if wrapped.len() != WRAPPED_BYTES {
            return Err(JweError::Form);
        }
        let mut key = [0; KEY_BYTES];
        let opener = KwAes256::new(&self.0.into());
        opener.unwrap_key(wrapped, &mut key).map_err(|_| JweError::WrongKey)?;
        Ok(key)
    }
}
