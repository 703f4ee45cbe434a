//! What fuzzers and property tests throw bytes at: one target for each kind of thing that comes from outside.
//!
//! A target panics where a promise is broken. A panic of the code that it calls is a finding as well. The targets are
//! run by `fuzz_targets/` with a fuzzer, by `tests/corpus.rs` with what fuzzers have found, and by `tests/injection.rs`
//! with hostile values.

use std::path::Path;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

pub use ::graph::fuzzing::{graph_answers, graph_links};
pub use ::vault::fuzzing::vault_answers;
pub use fn_exchange_online::audit::fuzzing::audit_trail;
use fn_exchange_online::config::{Environment, Settings, ini};
pub use fn_exchange_online::functions::fuzzing::{function_call, removal_plan};
pub use fn_exchange_online::worker::fuzzing::broker_headers;
pub use soar::fuzzing::soar_answers;
use stomp::{ClientCommand, Command, Frame, FrameCodec, Limits, Received, ServerCommand};

mod customizations;
mod graph;
mod patterns;
mod scrubber;
mod texts;

pub use self::customizations::customizations;
pub use self::graph::{addresses, kql, odata};
pub use self::patterns::address_patterns;
pub use self::scrubber::scrubber;
pub use self::texts::texts;

/// Takes bytes, and panics where they break a promise.
pub type Target = fn(&[u8]);

/// All targets, by the name of their program in `fuzz/fuzz_targets` and of their directory in `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 17] = [
    ("stomp", stomp),
    ("app_config", app_config),
    ("function_call", function_call),
    ("graph_answers", graph_answers),
    ("soar_answers", soar_answers),
    ("addresses", addresses),
    ("odata", odata),
    ("kql", kql),
    ("texts", texts),
    ("address_patterns", address_patterns),
    ("audit_trail", audit_trail),
    ("broker_headers", broker_headers),
    ("customizations", customizations),
    ("graph_links", graph_links),
    ("scrubber", scrubber),
    ("vault_answers", vault_answers),
    ("removal_plan", removal_plan),
];

/// The texts of a target that takes several: what stands between bytes that no UTF-8 has, at most `N`; the rest are
/// empty.
pub(crate) fn texts_of<const N: usize>(data: &[u8]) -> [String; N] {
    let mut parts = data.split(|byte| *byte == SEPARATOR);
    std::array::from_fn(|_| String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned())
}

/// Separates the texts of a target that takes several.
pub const SEPARATOR: u8 = 0xFF;

const LIMITS: Limits = Limits { line: 256, headers: 16, body: 1024 };

/// STOMP, read by both ends: cut anywhere, the same bytes are the same frames; the buffer stays bounded; and what was
/// read can be written and read again.
pub fn stomp(data: &[u8]) {
    let Some((cut, wire)) = data.split_first() else { return };
    one_end::<ServerCommand>(usize::from(*cut), wire);
    one_end::<ClientCommand>(usize::from(*cut), wire);
}

fn one_end<C: Command + PartialEq + std::fmt::Debug>(cut: usize, wire: &[u8]) {
    // One end of two takes messages that are not whole, too.
    let codec = || {
        let codec = FrameCodec::<C>::with_limits(LIMITS);
        if cut < 128 { codec } else { codec.salvaging() }
    };
    let (whole, whole_error) = read(codec(), &[wire]);
    let pieces: Vec<&[u8]> = wire.chunks(cut % 32 + 1).collect();
    let (cut, cut_error) = read(codec(), &pieces);
    assert_eq!((&whole, &whole_error), (&cut, &cut_error), "where the bytes are cut must not matter");
    for received in whole {
        let Received::Frame(frame) = received else { continue };
        let mut codec = FrameCodec::<C>::with_limits(LIMITS);
        let mut wire = BytesMut::new();
        if frame.damage.is_some() {
            continue;
        }
        // What an end reads it need not be allowed to write: a body where none belongs, a line that grew by escapes.
        if codec.encode(frame.clone(), &mut wire).is_ok() {
            assert_eq!(read(codec, &[&wire]).0, [Received::Frame(frame)]);
        }
    }
}

/// What `pieces` hold, and the error that ended them.
fn read<C: Command>(mut codec: FrameCodec<C>, pieces: &[&[u8]]) -> (Vec<Received<C>>, Option<String>) {
    let mut buffer = BytesMut::new();
    let mut items = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(item)) => {
                    if let Received::Frame(Frame { headers, body, damage, .. }) = &item {
                        // Of a message that is not whole, the headers that its answer needs come in any case.
                        let needed = if damage.is_some() { 6 } else { 0 };
                        assert!(headers.len() <= LIMITS.headers + needed && body.len() <= LIMITS.body);
                    }
                    items.push(item);
                }
                Ok(None) => break,
                Err(error) => return (items, Some(error.to_string())),
            }
        }
        let kept = buffer.len().saturating_sub(piece.len());
        assert!(kept <= LIMITS.body.max(LIMITS.line) + 2, "{kept} bytes are kept");
    }
    (items, None)
}

/// `app.config`: its syntax, and the settings.
pub fn app_config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let document = match ini::parse(&text) {
        Ok(document) => document,
        Err(syntax) => {
            assert!(!syntax.faults.is_empty());
            syntax.readable
        }
    };
    let lines = text.lines().count().max(text.split('\r').count()) + 1;
    assert!(document.sections.len() <= lines);
    let variables = [("SECRET", "s3cr$t"), ("EMPTY", ""), ("HOME", "/home/a")];
    let environment: Environment = variables.into_iter().collect();
    match Settings::of_text(&text, Path::new("app.config"), &environment) {
        Ok(loaded) => assert!(!loaded.settings.soar.host.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
