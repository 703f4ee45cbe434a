//! The transfer encodings (RFC 2045, 6), decoded piece by piece.

/// Decodes the lines of a part. The last line end before a boundary belongs to the boundary (RFC 2046, 5.1.1), so a
/// line end is held back until more follows.
#[derive(Debug)]
pub(super) enum Decoder {
    Identity { held: LineEnd },
    Base64 { bits: u32, count: u8 },
    Quoted { held: LineEnd, state: Quoted },
}

/// A line end that may belong to the boundary.
#[derive(Debug, Default)]
pub(super) struct LineEnd(Vec<u8>);

#[derive(Debug, Default)]
pub(super) enum Quoted {
    #[default]
    Plain,
    Equals,
    Digit(u8),
}

impl Decoder {
    /// Returns the decoder for a `Content-Transfer-Encoding`. An unknown one is read as it stands.
    pub(super) fn of(encoding: Option<&str>) -> Self {
        match encoding.map(|encoding| encoding.trim().to_ascii_lowercase()).as_deref() {
            Some("base64") => Self::Base64 { bits: 0, count: 0 },
            Some("quoted-printable") => Self::Quoted { held: LineEnd::default(), state: Quoted::Plain },
            _ => Self::Identity { held: LineEnd::default() },
        }
    }

    /// Whether the content is encoded.
    pub(super) fn is_encoding(&self) -> bool {
        !matches!(self, Self::Identity { .. })
    }

    /// Decodes a piece of a line, or a line with its end, into `out`.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Identity { held } => held.pass(piece, out),
            Self::Base64 { bits, count } => {
                for byte in piece {
                    let Some(value) = base64_value(*byte) else {
                        // Padding ends a group; what is not in the alphabet is skipped (RFC 2045, 6.8).
                        if *byte == b'=' {
                            (*bits, *count) = (0, 0);
                        }
                        continue;
                    };
                    *bits = *bits << 6 | u32::from(value);
                    *count += 6;
                    if *count >= 8 {
                        *count -= 8;
                        out.push((*bits >> *count & 0xff) as u8);
                    }
                }
            }
            Self::Quoted { held, state } => {
                for byte in piece {
                    quoted(*byte, held, state, out);
                }
            }
        }
    }

    /// Returns what was held back, where no boundary follows.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Identity { held } | Self::Quoted { held, .. } => out.append(&mut held.0),
            Self::Base64 { .. } => {}
        }
    }
}

impl LineEnd {
    fn pass(&mut self, mut piece: &[u8], out: &mut Vec<u8>) {
        if self.0 == b"\r"
            && let Some(rest) = piece.strip_prefix(b"\n")
        {
            self.0.push(b'\n');
            piece = rest;
        }
        if piece.is_empty() {
            return;
        }
        out.append(&mut self.0);
        let end =
            [&b"\r\n"[..], b"\n", b"\r"].into_iter().find(|end| piece.ends_with(end)).unwrap_or_default();
        let (content, end) = piece.split_at(piece.len() - end.len());
        out.extend_from_slice(content);
        self.0.extend_from_slice(end);
    }
}

fn base64_value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

fn quoted(byte: u8, held: &mut LineEnd, state: &mut Quoted, out: &mut Vec<u8>) {
    match (&state, byte) {
        (Quoted::Plain, b'=') => *state = Quoted::Equals,
        (Quoted::Plain, b'\r' | b'\n') => held.pass(&[byte], out),
        (Quoted::Plain, _) => {
            out.append(&mut held.0);
            out.push(byte);
        }
        // A soft line break.
        (Quoted::Equals, b'\r' | b' ' | b'\t') => {}
        (Quoted::Equals, b'\n') => *state = Quoted::Plain,
        (Quoted::Equals, _) if byte.is_ascii_hexdigit() => *state = Quoted::Digit(byte),
        (Quoted::Equals, _) => {
            out.append(&mut held.0);
            out.extend_from_slice(&[b'=', byte]);
            *state = Quoted::Plain;
        }
        (Quoted::Digit(high), _) => {
            let high = *high;
            let digits = [high, byte];
            let value =
                std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
            out.append(&mut held.0);
            match value.filter(|_| byte.is_ascii_hexdigit()) {
                Some(value) => out.push(value),
                None => out.extend_from_slice(&[b'=', high, byte]),
            }
            *state = Quoted::Plain;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes pieces of this length.
    fn decoded(encoding: &str, text: &[u8], length: usize) -> Vec<u8> {
        let mut decoder = Decoder::of(Some(encoding));
        let mut out = Vec::new();
        text.chunks(length).for_each(|piece| decoder.push(piece, &mut out));
        out
    }

    #[test]
    fn line_end_before_boundary_is_not_content() {
        for length in 1..=9 {
            assert_eq!(decoded("7bit", b"a\r\nb\r\n", length), b"a\r\nb");
            assert_eq!(decoded("8bit", b"a\n\nb\r\r\n", length), b"a\n\nb\r");
            assert_eq!(decoded("quoted-printable", b"a=3D=\r\nb=0D=0A\r\n\r\n", length), b"a=b\r\n\r\n");
            assert_eq!(decoded("BASE64", b"YQ==\r\nYm\r\n Jj\r\n", length), b"abbc");
        }
        assert_eq!(decoded("quoted-printable", b"=ZZ =4", 2), b"=ZZ ");
    }

    proptest! {
        #[test]
        fn pieces_do_not_change_what_is_decoded(text in prop::collection::vec(any::<u8>(), 0..200), length in 1..40_usize) {
            for encoding in ["binary", "base64", "quoted-printable"] {
                prop_assert_eq!(decoded(encoding, &text, length), decoded(encoding, &text, 200));
            }
        }

        #[test]
        fn base64_decodes_to_what_was_encoded(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
            prop_assert_eq!(decoded("base64", text.as_bytes(), 7), bytes);
        }
    }
}
