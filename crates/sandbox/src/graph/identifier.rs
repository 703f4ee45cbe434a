//! Ids as Exchange makes them: long, base64, case-sensitive, some with `/` and `+`, some with `-` and `_`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::generate::Origin;
use super::rng::mix;

/// The length of a message's id.
const MESSAGE_ID_LENGTH: usize = 152;
const FOLDER_ID_LENGTH: usize = 120;
/// Makes every id start with `AAMkAG`, like Exchange's.
const PREFIX: [u8; 4] = [0x00, 0x03, 0x24, 0x00];

/// A message of a mailbox: as it was made, or as something later put it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    Original(Origin),
    /// Written, moved or copied here, by number.
    Added(u32),
}

impl Key {
    fn to_number(self) -> u64 {
        match self {
            Self::Original(Origin::Everyday(number)) => u64::from(number),
            Self::Original(Origin::Phish(copy)) => 1 << 32 | u64::from(copy),
            Self::Added(number) => 2 << 32 | u64::from(number),
        }
    }

    fn from_number(number: u64) -> Option<Self> {
        let low = u32::try_from(number & 0xffff_ffff).ok()?;
        match number >> 32 {
            0 => Some(Self::Original(Origin::Everyday(low))),
            1 => Some(Self::Original(Origin::Phish(low))),
            2 => Some(Self::Added(low)),
            _ => None,
        }
    }
}

/// The id of a message.
pub(super) fn message_id(seed: u64, mailbox: u32, key: Key) -> String {
    let number = key.to_number();
    let mut bytes = [0u8; 113];
    fill(
        &mut bytes,
        mix(seed, mailbox.into(), 0xB0C5),
        mix(seed, mailbox.into(), number ^ 0xA1D0_0000_0000_0000),
    );
    bytes[40..48].copy_from_slice(&(number ^ mask(seed, mailbox)).to_be_bytes());
    encode(&bytes, seed, mailbox)
}

/// Which message of this mailbox an id names. `Err` if it is no id at all.
pub(super) fn message_key(seed: u64, mailbox: u32, id: &str) -> Result<Option<Key>, MalformedId> {
    if !is_well_formed(id, MESSAGE_ID_LENGTH) {
        return Err(MalformedId);
    }
    let bytes = if url_safe(seed, mailbox) { URL_SAFE.decode(id) } else { STANDARD.decode(id) };
    let key = bytes
        .ok()
        .and_then(|bytes| bytes.get(40..48).and_then(|number| number.try_into().ok()))
        .and_then(|number| Key::from_number(u64::from_be_bytes(number) ^ mask(seed, mailbox)));
    // Every character counts, not only those that carry the number.
    Ok(key.filter(|key| message_id(seed, mailbox, *key) == id))
}

/// Not the form of an id: cut, double-encoded, or something else altogether.
#[derive(Debug)]
pub(super) struct MalformedId;

pub(super) fn folder_id(seed: u64, mailbox: u32, folder: u8) -> String {
    let mut bytes = [0u8; 89];
    fill(
        &mut bytes,
        mix(seed, mailbox.into(), 0xB0C5),
        mix(seed, mailbox.into(), 0xF01D + u64::from(folder)),
    );
    encode(&bytes, seed, mailbox)
}

pub(super) fn is_folder_id(text: &str) -> bool {
    is_well_formed(text, FOLDER_ID_LENGTH)
}

fn is_well_formed(id: &str, length: usize) -> bool {
    id.len() == length
        && id.starts_with("AAMkA")
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte))
}

fn fill(bytes: &mut [u8], mailbox: u64, message: u64) {
    let (own, rest) = bytes.split_at_mut(40);
    for (part, chance) in [(own, mailbox), (rest, message)] {
        for (nth, chunk) in (0u64..).zip(part.chunks_mut(8)) {
            let random = mix(chance, nth, 0).to_be_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
    bytes[..4].copy_from_slice(&PREFIX);
}

fn encode(bytes: &[u8], seed: u64, mailbox: u32) -> String {
    if url_safe(seed, mailbox) { URL_SAFE.encode(bytes) } else { STANDARD.encode(bytes) }
}

/// Half of the mailboxes use the URL-safe alphabet.
fn url_safe(seed: u64, mailbox: u32) -> bool {
    mix(seed, mailbox.into(), 0xA1F4).is_multiple_of(2)
}

fn mask(seed: u64, mailbox: u32) -> u64 {
    mix(seed, mailbox.into(), 0x3A5C)
}
