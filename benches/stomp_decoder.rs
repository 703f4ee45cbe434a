//! What reading a frame costs that comes in small pieces, as they do over a network: the time grows with the size of
//! its body, not with the square of it. `cargo bench --bench stomp_decoder`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::time::{Duration, Instant};

use bytes::BytesMut;
use stomp::{FrameCodec, ServerCommand};
use tokio_util::codec::Decoder;

/// Bytes that come at once.
const PIECE: usize = 512;
/// How many times each is read; the quickest counts, since all else is the machine's.
const TIMES: usize = 9;

fn main() {
    let (small, large) = (quickest(1 << 19), quickest(1 << 23));
    println!("512 KiB in pieces of {PIECE} bytes: {small:.2?}");
    println!("8 MiB in pieces of {PIECE} bytes: {large:.2?}");
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    println!("16 times the size takes {ratio:.1} times as long");
    assert!(ratio < 64.0, "looking at all of it with every piece takes 256 times as long");
}

fn quickest(size: usize) -> Duration {
    let wire = [b"MESSAGE\n\n".to_vec(), vec![b'x'; size], vec![0]].concat();
    let once = || {
        let mut codec = FrameCodec::<ServerCommand>::default();
        let mut buffer = BytesMut::new();
        let started = Instant::now();
        let frames = wire
            .chunks(PIECE)
            .filter_map(|piece| {
                buffer.extend_from_slice(piece);
                codec.decode(&mut buffer).unwrap()
            })
            .count();
        assert_eq!(frames, 1);
        started.elapsed()
    };
    (0..TIMES).map(|_| once()).min().unwrap()
}
