use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::attachments::{AttachedFile, NestedMessage, Sha256, Unexamined};

const ROOM: Room = Room { depth: 3, parts: 100, url_bytes: 10_000 };

/// Reads a message in pieces of this length.
fn read(text: &[u8], room: Room, length: usize) -> NestedMessage {
    let mut reader = MimeReader::within(room);
    text.chunks(length).for_each(|piece| reader.push(piece));
    reader.finish().0
}

fn whole(text: &str) -> NestedMessage {
    read(text.as_bytes(), ROOM, usize::MAX)
}

fn names(message: &NestedMessage) -> Vec<&str> {
    message.attachments.iter().map(|file| file.name.as_str()).collect()
}

fn parts(boundary: &str, parts: &[&str]) -> String {
    let parts: Vec<String> =
        parts.iter().map(|part| ["--", boundary, "\r\n", part, "\r\n"].concat()).collect();
    format!(
        "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\nignored\r\n{}--{boundary}--\r\nignored\r\n",
        parts.concat()
    )
}

const FILE: &str = "Content-Type: application/pdf; name=\"=?utf-8?B?w7xiZXIucGRm?=\"\r\n\
                    Content-Disposition: attachment;\r\n filename*0*=utf-8''%C3%BC;\r\n filename*1*=ber.pdf\r\n\
                    Content-Transfer-Encoding: base64\r\n\r\nYWxw\r\naGE=";

#[test]
fn parts_of_message_have_their_digests() {
    let html = "Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                <a href=3D\"https://evil.example/=E4\">x</a>";
    let logo = "Content-Type: image/png; name=logo.png\r\nContent-ID: <l>\r\n\r\nline\r\n\r\n";
    let text = format!(
        "Subject: =?iso-8859-1?Q?=FCber?=\r\n fold\r\nFROM: Eve <eve@evil.example>\r\nMessage-ID: <1@evil.example>\r\n{}",
        parts("x y", &[&parts("x", &[html, "\r\nwww.plain.example"]), FILE, logo])
    );
    let message = whole(&text);
    assert_eq!(message.subject.as_deref(), Some("über fold"));
    assert_eq!(message.from.as_deref(), Some("Eve <eve@evil.example>"));
    assert_eq!(message.message_id.as_deref(), Some("<1@evil.example>"));
    assert_eq!(message.urls.urls, ["https://evil.example/%C3%A4", "http://www.plain.example/"]);
    assert_eq!(names(&message), ["über.pdf", "logo.png"]);
    let [pdf, logo] = message.attachments.as_slice() else { panic!("{message:?}") };
    assert_eq!((pdf.sha256, pdf.size, pdf.is_inline), (Some(Sha256::of(b"alpha")), Some(5), false));
    assert_eq!((logo.sha256, logo.is_inline), (Some(Sha256::of(b"line\r\n\r\n")), true));
    assert_eq!(message.unexamined, None);
}

#[test]
fn message_in_message_is_read_however_it_is_attached() {
    let inner = format!("Subject: inner\r\n{}", parts("in", &[FILE]));
    let plain = format!("Content-Type: message/rfc822\r\n\r\n{inner}");
    let encoded = format!(
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        STANDARD.encode(&inner)
    );
    let file = format!("Content-Type: application/octet-stream; name=a.EML\r\n\r\n{inner}");
    let digest = parts("d", &[&format!("\r\n{inner}")]).replace("multipart/mixed", "multipart/digest");
    let message = whole(&parts("out", &[&plain, &encoded, &file, &digest]));
    assert_eq!(names(&message), ["inner", "", "a.EML", "inner"]);
    for file in &message.attachments {
        let nested = file.nested.as_ref().unwrap();
        assert_eq!(nested.subject.as_deref(), Some("inner"));
        assert_eq!(nested.attachments[0].sha256, Some(Sha256::of(b"alpha")));
    }
    // The line end before the boundary is not part of the file.
    let content = inner.trim_end();
    assert_eq!(message.attachments[2].sha256, Some(Sha256::of(format!("{content}\r\n").as_bytes())));
}

#[test]
fn broken_message_is_read_as_far_as_it_goes() {
    assert_eq!(whole(""), NestedMessage::default());
    assert_eq!(whole("no header\nSubject : a\n\nhttps://x.example").urls.urls, ["https://x.example/"]);
    let open = parts("b", &[FILE]).replace("--b--", "");
    assert_eq!(names(&whole(&open)), ["über.pdf"]);
    let in_headers =
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b; name=c\n--b\n\nhi\n--b--";
    assert_eq!(whole(in_headers).attachments, []);
    let long = format!("Subject: {}\nMessage-ID: <a>\n\n", "x".repeat(200_000));
    let message = whole(&long);
    assert_eq!((message.subject.unwrap().len(), message.message_id.as_deref()), (1024, Some("<a>")));
    let unbounded = "Content-Type: multipart/mixed\n\nx";
    assert_eq!(whole(unbounded).attachments[0].content_type.as_deref(), Some("multipart/mixed"));
}

#[test]
fn bomb_of_messages_ends_at_its_bound() {
    let text = "Content-Type: message/rfc822\n\n".repeat(100_000);
    let mut message = &whole(&text);
    for _ in 0..ROOM.depth {
        let [AttachedFile { nested: Some(nested), .. }] = message.attachments.as_slice() else { panic!() };
        message = nested;
    }
    let [last] = message.attachments.as_slice() else { panic!("{message:?}") };
    assert_eq!((&last.unexamined, &last.nested), (&Some(Unexamined::TooDeep), &None));
    assert!(last.sha256.is_some() && last.is_incomplete());

    let opened: Vec<_> =
        (0..10_000).map(|n| format!("Content-Type: multipart/x; boundary={n}\n\n--{n}\n")).collect();
    let deep = opened.concat();
    assert!(whole(&deep).attachments[0].unexamined == Some(Unexamined::TooDeep));

    let many = "Content-Type: multipart/x; boundary=b\n\n".to_owned() + &"--b\nA: b\n\n".repeat(100_000);
    let message = whole(&many);
    assert_eq!((message.attachments.len(), message.unexamined), (0, Some(Unexamined::TooMany)));
    let files = "--b\nContent-Type: a/b\n\nx\n".repeat(ROOM.parts + 1);
    let message = whole(&format!("Content-Type: multipart/x; boundary=b\n\n{files}"));
    assert_eq!((message.attachments.len(), message.unexamined), (ROOM.parts, Some(Unexamined::TooMany)));

    let mut encoded = b"Subject: end\n\n".to_vec();
    for _ in 0..10 {
        let head = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n";
        encoded = format!("{head}{}", STANDARD.encode(&encoded)).into_bytes();
    }
    let message = read(&encoded, ROOM, 100);
    assert!(message.attachments[0].is_incomplete());
}

/// Texts that messages consist of.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("--b\r\n".to_owned()),
        Just("--b--\r\n".to_owned()),
        Just("--c\n".to_owned()),
        Just("Content-Type: multipart/mixed; boundary=b\r\n".to_owned()),
        Just("Content-Type: multipart/digest;\n boundary=\"c\"\n".to_owned()),
        Just("Content-Type: message/rfc822\n".to_owned()),
        Just("Content-Type: text/html\n".to_owned()),
        Just("Content-Transfer-Encoding: base64\r\n".to_owned()),
        Just("Content-Transfer-Encoding: quoted-printable\r\n".to_owned()),
        Just("Content-Disposition: attachment; filename=x.eml\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        "[ -~\r\n=-]{0,20}",
    ]
}

proptest! {
    #[test]
    fn pieces_do_not_change_what_is_read(fragments in prop::collection::vec(fragment(), 0..30), length in 1..50_usize) {
        let text = fragments.concat();
        prop_assert_eq!(read(text.as_bytes(), ROOM, length), read(text.as_bytes(), ROOM, usize::MAX));
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes, ROOM, 64);
    }
}
