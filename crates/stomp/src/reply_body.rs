//! The text of a reply.

use std::sync::Arc;

use bytes::Bytes;

/// The text of a reply, in pieces, so that a large one needs no room in one place. Clones share the pieces.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyBody {
    pieces: Arc<[Bytes]>,
    length: usize,
}

impl ReplyBody {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }
}

impl From<Vec<Bytes>> for ReplyBody {
    fn from(pieces: Vec<Bytes>) -> Self {
        let length = pieces.iter().map(Bytes::len).sum();
        Self { pieces: pieces.into(), length }
    }
}

impl From<Bytes> for ReplyBody {
    fn from(whole: Bytes) -> Self {
        Self { length: whole.len(), pieces: [whole].into() }
    }
}

impl From<&'static str> for ReplyBody {
    fn from(whole: &'static str) -> Self {
        Bytes::from(whole).into()
    }
}

impl From<String> for ReplyBody {
    fn from(whole: String) -> Self {
        Bytes::from(whole).into()
    }
}
