//! An answer of the tenant as an HTTP response.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures_util::stream;

use super::apply_fault::Ending;
use super::response::{GraphResponse, JSON, Payload};
use crate::server::cut_after;

/// Writes the headers that every answer of Graph has, and ends the body as `ending` says.
pub(super) fn respond(
    answer: GraphResponse,
    request_id: &str,
    client_request_id: &str,
    ending: Ending,
) -> Response<Body> {
    let mut headers = HeaderMap::new();
    let mut set = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            headers.insert(name, value);
        }
    };
    if !matches!(answer.content, Payload::Page(_)) {
        set("request-id", request_id);
        set("client-request-id", client_request_id);
        set(
            "x-ms-ags-diagnostic",
            "{\"ServerInfo\":{\"DataCenter\":\"Sandbox\",\"Slice\":\"E\",\"Ring\":\"1\"}}",
        );
    }
    set("Cache-Control", "private");
    for (name, value) in &answer.headers {
        set(name, value);
    }
    let body = match answer.content {
        Payload::Empty => Body::empty(),
        Payload::Json(mut json) => {
            set("Content-Type", JSON);
            match ending {
                Ending::Complete => Body::from(json),
                Ending::ByteOrderMark => {
                    json.splice(..0, *b"\xEF\xBB\xBF");
                    Body::from(json)
                }
                Ending::Truncated => {
                    json.truncate(json.len() / 2);
                    Body::from(json)
                }
                Ending::Cut => {
                    set("Content-Length", &json.len().to_string());
                    json.truncate(json.len() / 2);
                    cut_after(std::iter::once(Bytes::from(json)))
                }
            }
        }
        Payload::Page(page) => {
            set("Content-Type", "text/html");
            Body::from(page)
        }
        Payload::Stream(kind, chunks) => {
            set("Content-Type", &kind);
            match ending {
                Ending::Complete | Ending::ByteOrderMark => {
                    Body::from_stream(stream::iter(chunks.map(Ok::<_, std::io::Error>)))
                }
                Ending::Truncated | Ending::Cut => cut_after(chunks.take(2)),
            }
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}
