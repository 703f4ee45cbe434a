//! Promise: whatever bytes a STOMP peer sends, however they are cut, they become the same frames or an error, and
//! what is written can be read back.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use stomp::{ClientCommand, CodecError, Frame, FrameCodec, HeartBeat, Limits, Received, ServerCommand};
use tokio_util::codec::{Decoder, Encoder};

type Server = FrameCodec<ServerCommand>;
type Client = FrameCodec<ClientCommand>;

/// Everything `wire` holds when it arrives in the given pieces, and the error that ended it.
fn read<In>(codec: &mut FrameCodec<In>, pieces: &[&[u8]]) -> (Vec<Received<In>>, Option<CodecError>)
where
    FrameCodec<In>: Decoder<Item = Received<In>, Error = CodecError>,
{
    let mut buffer = BytesMut::new();
    let mut items = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error)),
            }
        }
    }
    loop {
        match codec.decode_eof(&mut buffer) {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return (items, None),
            Err(error) => return (items, Some(error)),
        }
    }
}

fn server_frames(wire: &[u8]) -> Vec<Frame<ServerCommand>> {
    let (items, error) = read(&mut Server::new(), &[wire]);
    assert!(error.is_none(), "{error:?}");
    items
        .into_iter()
        .filter_map(|item| match item {
            Received::Frame(frame) => Some(frame),
            Received::HeartBeat => None,
        })
        .collect()
}

fn server_error(wire: &[u8]) -> CodecError {
    read(&mut Server::new(), &[wire]).1.expect("an error")
}

fn written(frame: Frame<ClientCommand>) -> Result<Vec<u8>, CodecError> {
    let mut wire = BytesMut::from(&b"before"[..]);
    let outcome = Server::new().encode(frame, &mut wire);
    let rest = wire.split_off("before".len()).to_vec();
    outcome.map(|()| rest.clone()).inspect_err(|_| assert!(rest.is_empty(), "half a frame was written"))
}

#[test]
fn real_broker_message_is_decoded() {
    let wire =
        b"MESSAGE\nack:ID\\cvm-1-2\\c3\nreply-to:/queue/acks.201.fn\nbody-text:caf\xc3\xa9\n\n{\"a\":1}\0\n";
    let frames = server_frames(wire);
    assert_eq!(
        frames,
        [Frame::new(ServerCommand::Message)
            .with_header("ack", "ID:vm-1-2:3")
            .with_header("reply-to", "/queue/acks.201.fn")
            .with_header("body-text", "caf\u{e9}")
            .with_body("{\"a\":1}")]
    );
}

#[test]
fn body_with_content_length_may_contain_nul() {
    let frames = server_frames(b"MESSAGE\ncontent-length:5\n\na\0b\0c\0MESSAGE\n\na\0");
    assert_eq!(frames.iter().map(|f| &f.body[..]).collect::<Vec<_>>(), [&b"a\0b\0c"[..], b"a"]);
}

#[test]
fn non_utf8_body_is_preserved_as_bytes() {
    assert_eq!(&server_frames(b"MESSAGE\n\n\xed\xa0\xbd\xff\0")[0].body[..], b"\xed\xa0\xbd\xff");
}

#[test]
fn first_repeated_header_wins_and_all_are_kept() {
    let frames = server_frames(b"MESSAGE\nfoo:World\nfoo:Hello\ncontent-length:1\ncontent-length:7\n\nx\0");
    assert_eq!(frames[0].header("foo"), Some("World"));
    assert_eq!(frames[0].headers.iter().collect::<Vec<_>>(), [("foo", "World"), ("foo", "Hello")]);
    assert_eq!(&frames[0].body[..], b"x");
}

#[test]
fn lines_may_end_in_carriage_return_and_line_feed() {
    let frames =
        server_frames(b"\r\n\r\nMESSAGE\r\nfoo:bar \r\n\r\na\r\n\0\r\nRECEIPT\r\nreceipt-id:1\r\n\r\n\0");
    assert_eq!(frames[0], Frame::new(ServerCommand::Message).with_header("foo", "bar ").with_body("a\r\n"));
    assert_eq!(frames[1].header("receipt-id"), Some("1"));
}

#[test]
fn line_ends_between_frames_are_heart_beats() {
    let (items, error) = read(&mut Server::new(), &[b"\n\r", b"\nRECEIPT\n\n\0", b"\n"]);
    let beats = items.iter().filter(|item| **item == Received::HeartBeat).count();
    assert_eq!((items.len(), beats), (4, 3));
    assert!(error.is_none());
    let mut wire = BytesMut::new();
    Server::new().encode(HeartBeat, &mut wire).unwrap();
    assert_eq!(read(&mut Client::new(), &[&wire]).0, [Received::HeartBeat]);
}

#[test]
fn connect_and_connected_headers_are_not_escaped() {
    let connected = &server_frames(b"CONNECTED\nsession:ID:vm-1\\n\n\n\0")[0];
    assert_eq!(connected.header("session"), Some("ID:vm-1\\n"));
    let connect = Frame::new(ClientCommand::Connect).with_header("passcode", "a:b\\c");
    assert_eq!(written(connect).unwrap(), b"CONNECT\npasscode:a:b\\c\n\n\0");
}

#[test]
fn undefined_escape_is_accepted_only_in_error_before_connected() {
    assert!(matches!(server_error(b"MESSAGE\nfoo:a\\tb\n\n\0"), CodecError::UndefinedEscape));
    assert!(matches!(server_error(b"MESSAGE\nfoo:a\\\n\n\0"), CodecError::UndefinedEscape));
    let error = &server_frames(b"ERROR\nmessage:User name [corp\\user] is invalid.\n\n\0")[0];
    assert_eq!(error.header("message"), Some("User name [corp\\user] is invalid."));
}

#[test]
fn invalid_stomp_is_rejected() {
    assert!(matches!(server_error(b"HTTP/1.1 400 Bad Request\r\n"), CodecError::UnknownCommand));
    assert!(matches!(server_error(b"SEND\n\n\0"), CodecError::UnknownCommand));
    assert!(matches!(server_error(b"MESSAGE\nfoo\n\n\0"), CodecError::MalformedHeader));
    assert!(matches!(server_error(b"MESSAGE\n:foo\n\n\0"), CodecError::MalformedHeader));
    assert!(matches!(server_error(b"MESSAGE\nfoo:\xff\n\n\0"), CodecError::NotUtf8));
    assert!(matches!(server_error(b"MESSAGE\nfoo:a\0b\n\n\0"), CodecError::ForbiddenCharacter));
    assert!(matches!(server_error(b"MESSAGE\nfoo:a\rb\n\n\0"), CodecError::ForbiddenCharacter));
    assert!(matches!(server_error(b"MESSAGE\ncontent-length:+1\n\na\0"), CodecError::MalformedLength));
    assert!(matches!(server_error(b"MESSAGE\ncontent-length:1\n\nab\0"), CodecError::WrongLength));
    assert!(matches!(server_error(b"MESSAGE\ncontent-length:9\n\nab\0"), CodecError::Truncated));
    assert!(matches!(server_error(b"MESSAGE\nfoo:bar\n"), CodecError::Truncated));
    assert!(matches!(read(&mut Client::new(), &[b"STOMP\n\n\0"]).1, Some(CodecError::UnknownCommand)));
}

#[test]
fn oversized_frame_is_rejected_before_it_is_complete() {
    let limits = Limits { line: 20, headers: 2, body: 4 };
    let error = |wire: &[u8]| read(&mut Server::with_limits(limits), &[wire]).1;
    assert!(matches!(error(&[b'A'; 21]), Some(CodecError::LineTooLong(20))));
    assert!(matches!(error(b"MESSAGE\nfoo:01234567890123456\n"), Some(CodecError::LineTooLong(20))));
    assert!(matches!(error(b"MESSAGE\na:1\nb:2\nc:3\n"), Some(CodecError::TooManyHeaders(2))));
    assert!(matches!(error(b"MESSAGE\n\n12345"), Some(CodecError::BodyTooLarge(4))));
    assert!(matches!(error(b"MESSAGE\ncontent-length:5\n\n"), Some(CodecError::BodyTooLarge(4))));
    let huge = b"MESSAGE\ncontent-length:99999999999999999999999\n\n";
    assert!(matches!(server_error(huge), CodecError::BodyTooLarge(_)));
    assert!(error(b"MESSAGE\r\nfoo:0123456789012345\r\nb:2\r\n\r\n1234\0").is_none());
}

#[test]
fn damaged_message_is_salvaged_if_its_end_is_known() {
    let limits = Limits { line: 20, headers: 3, body: 4 };
    let next = b"MESSAGE\nack:next\n\n1234\0";
    for (damaged, words) in [
        (&b"MESSAGE\nfoo:01234567890123456\nack:a1\n\n12\0"[..], "longer than 20 bytes"),
        (b"MESSAGE\na:1\nb:2\nc:3\nd:4\nack:a1\n\n12\0", "more than 3 headers"),
        (b"MESSAGE\na:1\nb:2\nc:3\nack:a1\ncontent-length:2\n\n12\0", "more than 3 headers"),
        (b"MESSAGE\nno colon\nack:a1\n\n12\0", "name:value"),
        (b"MESSAGE\n:empty\nack:a1\n\n12\0", "name:value"),
        (b"MESSAGE\nfoo:\\t\nack:a1\n\n12\0", "undefined escape"),
        (b"MESSAGE\nfoo:\xff\nack:a1\n\n12\0", "UTF-8"),
        (b"MESSAGE\nfoo:\rbar\nack:a1\n\n12\0", "must not be in it"),
        (b"MESSAGE\nack:a1\n\n12345678\0", "larger than 4 bytes"),
        (b"MESSAGE\nack:a1\ncontent-length:8\n\n12\0\x004567\0", "larger than 4 bytes"),
    ] {
        let wire = [damaged, next].concat();
        for piece in 1..=wire.len() {
            let pieces: Vec<&[u8]> = wire.chunks(piece).collect();
            let (items, error) = read(&mut Server::with_limits(limits).salvaging(), &pieces);
            assert!(error.is_none(), "{words}, in pieces of {piece}: {error:?}");
            let [Received::Frame(salvaged), Received::Frame(next)] = &items[..] else { panic!("{items:?}") };
            assert_eq!(salvaged.header("ack"), Some("a1"));
            assert!(salvaged.damage.as_ref().is_some_and(|damage| damage.contains(words)), "{salvaged:?}");
            assert_eq!(
                (next.header("ack"), &next.body[..], &next.damage),
                (Some("next"), &b"1234"[..], &None)
            );
        }
        assert!(read(&mut Server::with_limits(limits), &[damaged]).1.is_some(), "it is strict by default");
    }
}

#[test]
fn message_with_unknown_end_or_other_frame_is_not_salvaged() {
    let limits = Limits { line: 20, headers: 3, body: 4 };
    for wire in [
        &b"MESSAGE\ncontent-length:one\n\n1\0"[..],
        b"MESSAGE\ncontent-length:\\t\n\n1\0",
        b"MESSAGE\ncontent-length:00000000000000000001\n\n1\0",
        b"MESSAGE\nfoo:\0bar\n\n1\0",
        b"MESSAGE\ncontent-length:8\n\n123456789\0",
        b"MESSAGE\ncontent-length:3\n\n1234\0",
        b"RECEIPT\nno colon\n\n\0",
        b"ERROR\n\n12345\0",
    ] {
        let (items, error) = read(&mut Server::with_limits(limits).salvaging(), &[wire]);
        assert!(items.is_empty() && error.is_some(), "{}: {items:?}", String::from_utf8_lossy(wire));
    }
}

#[test]
fn frame_that_cannot_be_decoded_is_not_encoded() {
    let send = || Frame::new(ClientCommand::Send);
    let connect = || Frame::new(ClientCommand::Connect);
    assert!(matches!(written(send().with_header("a", "b\0")), Err(CodecError::ForbiddenCharacter)));
    assert!(matches!(written(send().with_header("", "b")), Err(CodecError::MalformedHeader)));
    assert!(matches!(written(send().with_header("content-length", "1")), Err(CodecError::LengthGiven)));
    assert!(matches!(
        written(connect().with_header("passcode", "a\nb")),
        Err(CodecError::ForbiddenCharacter)
    ));
    assert!(matches!(
        written(connect().with_header("passcode", "a\rb")),
        Err(CodecError::ForbiddenCharacter)
    ));
    assert!(matches!(written(connect().with_header("a:b", "c")), Err(CodecError::ForbiddenCharacter)));
    assert!(matches!(written(connect().with_body("x")), Err(CodecError::BodyNotAllowed("CONNECT"))));
    let long = "x".repeat(Limits::default().line);
    assert!(matches!(written(send().with_header("a", long)), Err(CodecError::LineTooLong(_))));
}

#[test]
fn content_length_is_written_for_send_but_not_for_ack() {
    let send = Frame::new(ClientCommand::Send).with_header("destination", "/queue/a");
    assert_eq!(written(send).unwrap(), b"SEND\ndestination:/queue/a\ncontent-length:0\n\n\0");
    let ack = Frame::new(ClientCommand::Ack).with_header("id", "ID:1\r\n\\");
    assert_eq!(written(ack).unwrap(), b"ACK\nid:ID\\c1\\r\\n\\\\\n\n\0");
}

fn command() -> impl Strategy<Value = ServerCommand> {
    prop_oneof![
        Just(ServerCommand::Connected),
        Just(ServerCommand::Message),
        Just(ServerCommand::Receipt),
        Just(ServerCommand::Error)
    ]
}

fn frame() -> impl Strategy<Value = Frame<ServerCommand>> {
    let text = "[a-c:\\\\\r\n \u{e9}\u{1f600}]{0,8}";
    let name = "[a-c:\\\\\r\n\u{e9}-]{1,8}";
    (command(), vec((name, text), 0..5), vec(any::<u8>(), 0..40)).prop_map(|(command, headers, body)| {
        let plain = |text: String| match command {
            ServerCommand::Connected => text.replace(['\r', '\n'], ""),
            _ => text,
        };
        let mut frame = Frame::new(command);
        for (name, value) in headers {
            let name = match command {
                ServerCommand::Connected => format!("n{}", plain(name).replace(':', "")),
                _ => name,
            };
            frame.headers.push(name, plain(value));
        }
        match command {
            ServerCommand::Message | ServerCommand::Error => frame.with_body(body),
            _ => frame,
        }
    })
}

fn wire_of(frames: &[Frame<ServerCommand>]) -> Vec<u8> {
    let mut wire = BytesMut::new();
    for frame in frames {
        Client::new().encode(frame.clone(), &mut wire).unwrap();
        Client::new().encode(HeartBeat, &mut wire).unwrap();
    }
    wire.to_vec()
}

/// `wire` cut at each of `cuts` (taken modulo its length).
fn cut<'w>(wire: &'w [u8], cuts: &[usize]) -> Vec<&'w [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (wire.len() + 1)).collect();
    cuts.sort_unstable();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(wire.len()));
    starts.zip(ends).map(|(start, end)| &wire[start..end]).collect()
}

/// Bytes that look enough like STOMP to get far into the decoder.
fn stompish() -> impl Strategy<Value = Vec<u8>> {
    let tokens: [&[u8]; 12] = [
        b"MESSAGE",
        b"ERROR",
        b"\n",
        b"\r",
        b"\0",
        b":",
        b"\\",
        b"c",
        b"content-length:",
        b"3",
        b"\xff",
        b"\xc3\xa9",
    ];
    let token = proptest::sample::select(tokens.to_vec());
    vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(frames in vec(frame(), 0..4)) {
        let (items, error) = read(&mut Server::new(), &[&wire_of(&frames)]);
        prop_assert!(error.is_none());
        let expected: Vec<_> =
            frames.into_iter().flat_map(|f| [Received::Frame(f), Received::HeartBeat]).collect();
        prop_assert_eq!(items, expected);
    }

    #[test]
    fn any_split_of_the_bytes_gives_the_same_frames(
        frames in vec(frame(), 0..4), cuts in vec(any::<usize>(), 0..20)
    ) {
        let wire = wire_of(&frames);
        let whole = read(&mut Server::new(), &[&wire]);
        let split = read(&mut Server::new(), &cut(&wire, &cuts));
        prop_assert!(split.1.is_none());
        prop_assert_eq!(whole.0, split.0);
    }

    #[test]
    fn bad_bytes_are_refused_alike_however_they_are_split(
        wire in prop_oneof![vec(any::<u8>(), 0..100), stompish()], cuts in vec(any::<usize>(), 0..20)
    ) {
        let limits = Limits { line: 30, headers: 3, body: 10 };
        let whole = read(&mut Server::with_limits(limits), &[&wire]);
        let split = read(&mut Server::with_limits(limits), &cut(&wire, &cuts));
        prop_assert_eq!(whole.0, split.0);
        prop_assert_eq!(whole.1.is_some(), split.1.is_some());
    }

    #[test]
    fn messages_are_salvaged_alike_however_they_are_split(
        rest in stompish(), cuts in vec(any::<usize>(), 0..20)
    ) {
        let wire = [b"MESSAGE\n", &rest[..]].concat();
        let codec = || Server::with_limits(Limits { line: 30, headers: 3, body: 10 }).salvaging();
        let whole = read(&mut codec(), &[&wire]);
        let split = read(&mut codec(), &cut(&wire, &cuts));
        prop_assert_eq!(whole.1.is_some(), split.1.is_some(), "{:?} {:?}", whole, split);
        prop_assert_eq!(whole.0, split.0);
    }

    #[test]
    fn no_frame_beyond_the_limits_passes(
        wire in stompish(), line in 0_usize..40, headers in 0_usize..3, body in 0_usize..10
    ) {
        let (items, _) = read(&mut Server::with_limits(Limits { line, headers, body }), &[&wire]);
        for item in items {
            let Received::Frame(frame) = item else { continue };
            prop_assert!(frame.body.len() <= body);
            prop_assert!(frame.headers.len() <= headers);
            prop_assert!(frame.headers.iter().all(|(name, value)| name.len() + value.len() < line.max(1)));
        }
    }

    #[test]
    fn what_the_limits_let_out_they_let_in(
        frame in frame(), line in 0_usize..30, headers in 0_usize..5, body in 0_usize..40
    ) {
        let mut codec = Server::with_limits(Limits { line, headers, body });
        let mut wire = BytesMut::new();
        if codec.encode(frame.clone(), &mut wire).is_ok() {
            prop_assert_eq!(read(&mut codec, &[&wire]).0, [Received::Frame(frame)]);
        }
    }
}
