//! Content that must be what was examined before.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::functions::incident_sink::ContentError;
use graph::attachments::{DigestContext, Sha256};
use soar::ByteStream;

/// Passes the content on, and fails at its end if it is not what was examined before.
pub(super) fn verified(
    content: ByteStream<ContentError>,
    expected: Option<Sha256>,
) -> ByteStream<ContentError> {
    let Some(expected) = expected else { return content };
    let start = (content, Some(DigestContext::default()));
    stream::try_unfold(start, move |(mut content, digest)| async move {
        let Some(mut digest) = digest else { return Ok(None) };
        if let Some(piece) = content.try_next().await? {
            digest.update(&piece);
            return Ok(Some((piece, (content, Some(digest)))));
        }
        let (_, found) = digest.finish();
        if found == expected { Ok(None) } else { Err("the content changed while it was read".into()) }
    })
    .boxed()
}
