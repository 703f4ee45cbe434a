//! The tokens of KQL (Kusto page "The string data type" for literals).

use chrono::DateTime;

/// A token of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Number(usize),
    /// `datetime(…)`, in milliseconds since 1970.
    Time(i64),
    Symbol(&'static str),
}

/// Longer symbols come first.
const SYMBOLS: [&str; 13] = ["==", "=~", "!=", ">=", "<=", ">", "<", "|", "(", ")", ",", "=", "~"];

/// Divides a query into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\n', '\r', '\t']);
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (token, length) = if first == '"' || first == '\'' {
            literal(rest)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            word(rest)?
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let number = rest[..length].parse().map_err(|_| "a number is too large".to_owned())?;
            (Token::Number(number), length)
        } else {
            let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
            let symbol = symbol.ok_or_else(|| format!("'{first}' is not expected"))?;
            (Token::Symbol(symbol), symbol.len())
        };
        tokens.push(token);
        rest = &rest[length..];
    }
}

fn word(rest: &str) -> Result<(Token, usize), String> {
    let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let word = &rest[..length];
    let Some(argument) = rest[length..].strip_prefix('(').filter(|_| word == "datetime") else {
        return Ok((Token::Word(word.to_owned()), length));
    };
    let (argument, _) = argument.split_once(')').ok_or("')' is missing after datetime")?;
    let time = DateTime::parse_from_rfc3339(argument.trim());
    let time = time.map_err(|_| format!("'{argument}' is not a datetime"))?;
    Ok((Token::Time(time.timestamp_millis()), length + argument.len() + 2))
}

/// Reads a string literal at the start of `rest`, and returns it with its length in bytes. A backslash begins an
/// escape; an unknown escape, a line end within the literal and a missing quote are errors.
fn literal(rest: &str) -> Result<(Token, usize), String> {
    let mut characters = rest.char_indices();
    let (_, quote) = characters.next().ok_or("a literal is expected")?;
    let mut value = String::new();
    while let Some((at, character)) = characters.next() {
        match character {
            c if c == quote => return Ok((Token::Text(value), at + 1)),
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => break,
            '\\' => {
                let (_, escape) = characters.next().ok_or("the string literal does not end")?;
                value.push(match escape {
                    '\\' | '"' | '\'' => escape,
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => {
                        let digits: String = characters.by_ref().take(4).map(|(_, digit)| digit).collect();
                        let code = (digits.len() == 4).then(|| u32::from_str_radix(&digits, 16).ok());
                        let character = code.flatten().and_then(char::from_u32);
                        character.ok_or_else(|| format!("'\\u{digits}' is not an escape"))?
                    }
                    other => return Err(format!("'\\{other}' is not an escape")),
                });
            }
            c => value.push(c),
        }
    }
    Err("the string literal does not end".to_owned())
}

/// Reads a text that has to be one string literal of KQL and nothing else, and returns its value.
///
/// # Errors
/// What is wrong with it.
pub fn kql_literal(text: &str) -> Result<String, String> {
    match literal(text)? {
        (Token::Text(value), length) if length == text.len() => Ok(value),
        _ => Err("more follows the string literal".to_owned()),
    }
}
