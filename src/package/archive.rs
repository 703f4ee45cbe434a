//! Archives of a few small files. Their bytes depend only on the files: times and owners are fixed.

use std::io::{self, Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// All users may read a file, and its owner may write it.
const MODE: u32 = 0o644;

/// A file in an archive.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Its path in the archive.
    pub(super) name: &'a str,
    pub(super) content: &'a [u8],
}

/// Returns a ZIP file of these files.
pub(super) fn zip(entries: &[Entry<'_>]) -> io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        // 1980-01-01, the first day that the format knows.
        .last_modified_time(DateTime::default())
        .unix_permissions(MODE);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for Entry { name, content } in entries {
        archive.start_file(*name, options)?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// Returns a tar file of these files, compressed by gzip.
pub(super) fn tar_gz(entries: &[Entry<'_>]) -> io::Result<Vec<u8>> {
    // The header of gzip has neither a name nor a time by default.
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for Entry { name, content } in entries {
        // A new header has user and group 0, and the time 1970-01-01.
        let mut header = tar::Header::new_ustar();
        header.set_mode(MODE);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, name, *content)?;
    }
    archive.into_inner()?.finish()
}
