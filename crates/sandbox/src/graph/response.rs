//! An endpoint's response, before it is wrapped into HTTP or into a part of a batch.

use std::borrow::Cow;

use bytes::Bytes;

/// The content type of Graph's JSON.
pub(super) const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;\
                               IEEE754Compatible=false;charset=utf-8";

/// A response, before it is wrapped into HTTP or into a part of a batch.
pub(super) struct GraphResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: Payload,
}

/// The body of a response.
pub(super) enum Payload {
    Empty,
    Json(Vec<u8>),
    /// Bytes that are produced while they are sent, with their content type.
    Stream(Cow<'static, str>, Box<dyn Iterator<Item = Bytes> + Send>),
    /// A web page of another server between client and Graph, without Graph's headers.
    Page(Bytes),
}

impl GraphResponse {
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), content: Payload::Empty }
    }

    pub(super) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), content: Payload::Json(body.into()) }
    }

    /// The page that a proxy between client and Graph shows to a browser.
    pub(super) fn page() -> Self {
        let page = Bytes::from_static(
            b"<!DOCTYPE html><html><body><h1>Please sign in to the proxy</h1></body></html>",
        );
        Self { status: 200, headers: Vec::new(), content: Payload::Page(page) }
    }
}

/// Returns a JSON response whose body `write` writes.
pub(super) fn written(status: u16, write: impl FnOnce(&mut Vec<u8>)) -> GraphResponse {
    let mut body = Vec::with_capacity(1024);
    write(&mut body);
    GraphResponse::json(status, body)
}
