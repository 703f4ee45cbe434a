//! Reads files that hold one value: a secret, a token, a key.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The largest file, in bytes: more than any secret or token. A file that is named by mistake must not fill the memory.
const LARGEST: u64 = 64 * 1024;

/// Reads the text of a small file.
///
/// # Errors
/// A text to follow "cannot be read: ". It never holds content of the file.
pub fn read_small(path: &Path) -> io::Result<String> {
    let unusable = |why: String| io::Error::new(ErrorKind::InvalidData, why);
    // Opening a pipe would block, and reading a device would never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(unusable("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(unusable(format!("it is larger than {} KiB", LARGEST / 1024)));
    }
    String::from_utf8(bytes).map_err(|_| unusable("it is not UTF-8 text".to_owned()))
}
