//! Entry points for the fuzz targets. Not part of the public interface.

use std::path::Path;

use super::chain::{LineHash, chained};
use super::reader::{BreakKind, Line, TrailReport, read_from};

/// Reads two trails, as the command `audit` does. Then chains the objects among their lines, and verifies that chain as
/// it is, and without one of its lines.
pub fn audit_trail(data: &[u8]) {
    let (first, second) = data.split_at(data.iter().position(|byte| *byte == 0xFF).unwrap_or(data.len()));
    let report = read(&[first, second.get(1..).unwrap_or_default()]);
    for file in &report.files {
        assert!(file.cut + file.unchained <= file.lines && file.breaks.len() <= 100, "{file:?}");
        assert!(file.breaks.iter().all(|it| (1..=file.lines).contains(&it.line)), "{file:?}");
    }
    assert!(report.lines.iter().all(|line| line.contains_key("file")));

    let mut chain: Vec<String> = Vec::new();
    for line in data.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok())
    {
        let line = serde_json::Value::Object(line).to_string();
        let before = chain.last().map(|line| LineHash::of(line.as_bytes()));
        // A line of the trail is never an empty object.
        chain.push(chained(if line == "{}" { "{\"act\":\"\"}" } else { &line }, before.as_ref()));
    }
    let whole = verified(&chain);
    assert!(whole.breaks.is_empty() && whole.cut == 0 && whole.lines == chain.len(), "{whole:?}");
    assert_eq!(whole.head, chain.last().map(|line| LineHash::of(line.as_bytes()).text().to_owned()));
    if chain.len() > 2 {
        chain.remove(1);
        let breaks: Vec<_> = verified(&chain).breaks.iter().map(|it| (it.line, it.kind)).collect();
        assert_eq!(breaks, [(2, BreakKind::OtherHash)], "{chain:?}");
    }
}

fn verified(chain: &[String]) -> super::reader::FileReport {
    read(&[chain.concat().as_bytes()]).files.remove(0)
}

fn read(files: &[&[u8]]) -> TrailReport {
    let files = files.iter().map(|file| (Path::new("trail"), Ok(*file)));
    let report = read_from(files);
    assert!(report.is_ok(), "bytes can be read: {report:?}");
    report.unwrap_or_default()
}
