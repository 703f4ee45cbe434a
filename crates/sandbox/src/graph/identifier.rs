//! Ids as Exchange makes them: long, base64 and case-sensitive.
//!
//! A message has two ids ("Obtain immutable identifiers for Outlook resources"): the default one changes with every
//! move, the immutable one stays. Both address the message.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::options::IdAlphabet;

use super::generate::Origin;
use super::rng::mix;

/// The length of a message's id.
const MESSAGE_ID_LENGTH: usize = 152;
const FOLDER_ID_LENGTH: usize = 120;
/// Makes every default id start with `AAMkA`, as Exchange's do.
const PREFIX: [u8; 4] = [0x00, 0x03, 0x24, 0x00];
/// The length of a message's immutable id.
const IMMUTABLE_ID_LENGTH: usize = 68;
/// Makes every immutable id start with `AAkALg`, as Exchange's do.
const IMMUTABLE_PREFIX: [u8; 5] = [0x00, 0x09, 0x00, 0x2e, 0x00];

/// A message at its place in a mailbox: the place from the start, or a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    Original(Origin),
    /// Written or moved here, by number.
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

/// Which of a message's two ids a response shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum IdForm {
    /// The id that changes with every move.
    #[default]
    Default,
    /// The id that stays, shown with `Prefer: IdType="ImmutableId"`.
    Immutable,
}

/// The message that an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// By its present place.
    Place(Key),
    /// By its first place.
    Root(Key),
}

/// Not the form of an id: cut, double-encoded, or another text.
#[derive(Debug)]
pub(super) struct MalformedId;

/// Makes and reads the ids of a tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    pub(super) seed: u64,
    pub(super) alphabet: IdAlphabet,
}

impl Ids {
    /// The default id of the message that lies at `key`.
    pub(super) fn message(self, mailbox: u32, key: Key) -> String {
        let number = key.to_number();
        let mut bytes = [0u8; 113];
        fill(
            &mut bytes,
            mix(self.seed, mailbox.into(), 0xB0C5),
            mix(self.seed, mailbox.into(), number ^ 0xA1D0_0000_0000_0000),
        );
        bytes[40..48].copy_from_slice(&(number ^ self.mask(mailbox)).to_be_bytes());
        self.encode(&bytes, mailbox)
    }

    /// The immutable id of the message whose first place was `root`.
    pub(super) fn immutable(self, mailbox: u32, root: Key) -> String {
        let number = root.to_number();
        let mut bytes = [0u8; 51];
        fill(
            &mut bytes,
            mix(self.seed, mailbox.into(), 0xB0C6),
            mix(self.seed, mailbox.into(), number ^ 0xA1D1_0000_0000_0000),
        );
        bytes[..5].copy_from_slice(&IMMUTABLE_PREFIX);
        bytes[40..48].copy_from_slice(&(number ^ self.mask(mailbox)).to_be_bytes());
        self.encode(&bytes, mailbox)
    }

    /// Returns the message of this mailbox that an id names, in either form.
    pub(super) fn named(self, mailbox: u32, id: &str) -> Result<Option<Named>, MalformedId> {
        let immutable = is_well_formed(id, IMMUTABLE_ID_LENGTH, "AAkALg");
        if !immutable && !is_well_formed(id, MESSAGE_ID_LENGTH, "AAMkA") {
            return Err(MalformedId);
        }
        let bytes = if self.is_url_safe(mailbox) { URL_SAFE.decode(id) } else { STANDARD.decode(id) };
        let key = bytes
            .ok()
            .and_then(|bytes| bytes.get(40..48).and_then(|number| number.try_into().ok()))
            .and_then(|number| Key::from_number(u64::from_be_bytes(number) ^ self.mask(mailbox)));
        // Every character counts, not only those that hold the number.
        Ok(key.and_then(|key| {
            if immutable {
                (self.immutable(mailbox, key) == id).then_some(Named::Root(key))
            } else {
                (self.message(mailbox, key) == id).then_some(Named::Place(key))
            }
        }))
    }

    pub(super) fn folder(self, mailbox: u32, folder: u32) -> String {
        let mut bytes = [0u8; 89];
        fill(
            &mut bytes,
            mix(self.seed, mailbox.into(), 0xB0C5),
            mix(self.seed, mailbox.into(), 0xF01D + u64::from(folder)),
        );
        self.encode(&bytes, mailbox)
    }

    fn encode(self, bytes: &[u8], mailbox: u32) -> String {
        if self.is_url_safe(mailbox) { URL_SAFE.encode(bytes) } else { STANDARD.encode(bytes) }
    }

    fn is_url_safe(self, mailbox: u32) -> bool {
        match self.alphabet {
            IdAlphabet::UrlSafe => true,
            IdAlphabet::Mixed => mix(self.seed, mailbox.into(), 0xA1F4).is_multiple_of(2),
        }
    }

    fn mask(self, mailbox: u32) -> u64 {
        mix(self.seed, mailbox.into(), 0x3A5C)
    }
}

pub(super) fn is_folder_id(text: &str) -> bool {
    is_well_formed(text, FOLDER_ID_LENGTH, "AAMkA")
}

fn is_well_formed(id: &str, length: usize, prefix: &str) -> bool {
    id.len() == length
        && id.starts_with(prefix)
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
