//! Entry points for the fuzz targets. Not part of the public interface.

use url::Url;

use crate::answers::{Read, SignedIn};
use crate::client::{address_of, value};
use crate::{Error, Reference};

/// Reads a reference, whose address has to stay where references lead, and an answer of Vault as all that it may be.
pub fn vault_answers(data: &[u8]) {
    let (text, body) = data.split_at(data.iter().position(|byte| *byte == 0xFF).unwrap_or(data.len()));
    let body = body.get(1..).unwrap_or_default();
    let reference = Reference::parse(&String::from_utf8_lossy(text));
    if let (Some(reference), Ok(server)) = (&reference, Url::parse("https://vault.example.com/base/")) {
        let url = address_of(&server, reference.segments());
        let path: Vec<_> = url.path_segments().into_iter().flatten().collect();
        assert_eq!(url.origin(), server.origin());
        assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
        assert_eq!(path[..2], ["base", "v1"], "{url}");
        assert_eq!(path.len(), 2 + reference.segments().count(), "{url}");
        assert_eq!(format!("{reference:?}"), "Reference(***)");
    }
    if let Ok(signed_in) = serde_json::from_slice::<SignedIn>(body) {
        drop(signed_in.token());
    }
    if let Ok(read) = serde_json::from_slice::<Read>(body) {
        let secret = read.values().ok_or(Error::Deleted);
        let read = value(&secret, reference.as_ref().map_or("key", Reference::key));
        // An error has none of the server's words.
        assert!(read.is_ok_and(|secret| body.len() > secret.expose().len()) || body.len() > 2);
    }
}
