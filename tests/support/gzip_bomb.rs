//! A small body that becomes a large one when it is unpacked.

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

const MIB: usize = 1 << 20;

/// Returns a gzip of so many MiB of blanks, without an end. After a full flush the compressor starts over, so each MiB
/// but the first has the same bytes.
pub(crate) fn gzip_bomb(mebibytes: usize) -> Bytes {
    let mut compressor = Compress::new(Compression::fast(), false);
    let blanks = vec![b' '; MIB];
    let mut flushed = || {
        let mut packed = Vec::with_capacity(MIB);
        compressor.compress_vec(&blanks, &mut packed, FlushCompress::Full).unwrap();
        packed
    };
    // The header of RFC 1952, without a name or time.
    let header = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    let bomb = [header, flushed(), flushed().repeat(mebibytes - 1)].concat();
    assert!(bomb.len() < MIB, "a bomb is small: {}", bomb.len());
    bomb.into()
}
