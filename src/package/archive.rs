//! Archives of a few small files whose bytes depend on nothing but the files: no time, no owner, no order but the
//! given one. A crate for each would be many times what is needed of it.

use std::io::{self, Write};

use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};

/// Everybody may read a file, and its owner may write it.
const MODE: u16 = 0o644;
/// A regular file, as Unix marks it.
const REGULAR: u16 = 0o100_000;
/// 1980-01-01, the first day there is in a ZIP file.
const FIRST_DAY: u16 = 1 << 5 | 1;
/// The version of the format that DEFLATE needs, and Unix as the maker, whose modes are understood then.
const DEFLATE_VERSION: u16 = 20;
const MADE_BY: u16 = 3 << 8 | DEFLATE_VERSION;
const DEFLATED: u16 = 8;
/// A tar file is made of blocks.
const BLOCK: usize = 512;

/// A file in an archive.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Its path in the archive, ASCII.
    pub(super) name: &'a str,
    pub(super) content: &'a [u8],
}

/// A ZIP file (PKWARE's APPNOTE) of these files.
pub(super) fn zip(entries: &[Entry<'_>]) -> io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for Entry { name, content } in entries {
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
        deflated.write_all(content)?;
        let deflated = deflated.finish()?;
        let mut crc = Crc::new();
        crc.update(content);

        // What the file's own header and the directory have in common.
        let mut common = Vec::new();
        for half in [DEFLATE_VERSION, 0, DEFLATED, 0, FIRST_DAY] {
            common.extend(half.to_le_bytes());
        }
        for word in [crc.sum(), length(deflated.len())?, length(content.len())?] {
            common.extend(word.to_le_bytes());
        }
        common.extend(short(name.len())?.to_le_bytes());
        common.extend([0; 2]); // no extra field

        directory.extend(b"PK\x01\x02");
        directory.extend(MADE_BY.to_le_bytes());
        directory.extend(&common);
        directory.extend([0; 6]); // no comment, first disk, no inner attributes
        directory.extend((u32::from(REGULAR | MODE) << 16).to_le_bytes());
        directory.extend(length(archive.len())?.to_le_bytes());
        directory.extend(name.as_bytes());

        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(name.as_bytes());
        archive.extend(deflated);
    }
    let count = short(entries.len())?;
    let (size, at) = (length(directory.len())?, length(archive.len())?);
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count, count].map(u16::to_le_bytes).concat());
    archive.extend([size, at].map(u32::to_le_bytes).concat());
    archive.extend([0; 2]); // no comment
    Ok(archive)
}

/// A tar file (ustar, of POSIX), compressed by gzip, of these files.
pub(super) fn tar_gz(entries: &[Entry<'_>]) -> io::Result<Vec<u8>> {
    // Without a name and with time zero, which is what is written by default.
    let mut archive = GzEncoder::new(Vec::new(), Compression::best());
    for Entry { name, content } in entries {
        let mut header = [0_u8; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| -> io::Result<()> {
            let place = header.get_mut(at..at + bytes.len()).ok_or(io::ErrorKind::InvalidInput)?;
            place.copy_from_slice(bytes);
            Ok(())
        };
        if name.len() > 100 {
            return Err(too_large());
        }
        put(0, name.as_bytes())?;
        put(100, format!("{MODE:07o}\0").as_bytes())?;
        put(108, b"0000000\0")?; // user 0
        put(116, b"0000000\0")?; // group 0
        put(124, format!("{:011o}\0", length(content.len())?).as_bytes())?;
        put(136, b"00000000000\0")?; // 1970
        put(148, b"        ")?; // the sum, as it is counted
        put(156, b"0")?; // a regular file
        put(257, b"ustar\x0000")?;
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        archive.write_all(&header)?;
        archive.write_all(content)?;
        archive.write_all(&[0; BLOCK][..content.len().next_multiple_of(BLOCK) - content.len()])?;
    }
    archive.write_all(&[0; 2 * BLOCK])?;
    archive.finish()
}

fn length(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes).map_err(|_| too_large())
}

fn short(number: usize) -> io::Result<u16> {
    u16::try_from(number).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "this is more than the archive's format holds")
}
