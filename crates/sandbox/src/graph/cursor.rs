//! Reads an OData expression from left to right.

use super::refusal::Refusal;

/// A position in an expression.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn error(&self, what: &str) -> Refusal {
        Refusal::invalid_filter(&format!("Syntax error: {what} at position {} in '{}'.", self.at, self.text))
    }

    /// Takes `word` if it comes next. A blank at its end stands for at least one blank.
    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches(' ');
        if word.starts_with(' ') && trimmed.len() == rest.len() {
            return false;
        }
        let Some(after) = trimmed.strip_prefix(word.trim()) else { return false };
        if word.ends_with(' ') && !after.starts_with(' ') {
            return false;
        }
        self.at = self.text.len() - after.len();
        true
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<(), Refusal> {
        if self.keyword(word) { Ok(()) } else { Err(self.error(&format!("'{}' expected", word.trim()))) }
    }

    /// A name, a number, a date: everything up to a blank, comma or parenthesis.
    pub(super) fn word(&mut self) -> &'a str {
        let rest = self.rest().trim_start_matches(' ');
        let start = self.text.len() - rest.len();
        let length = rest.find([' ', ',', '(', ')', '\'']).unwrap_or(rest.len());
        self.at = start + length;
        &self.text[start..self.at]
    }

    /// A string literal, in which quotes are doubled.
    pub(super) fn string(&mut self) -> Result<String, Refusal> {
        self.expect("'")?;
        let mut value = String::new();
        let mut characters = self.rest().char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if character != '\'' {
                value.push(character);
            } else if characters.peek().is_some_and(|(_, next)| *next == '\'') {
                characters.next();
                value.push('\'');
            } else {
                self.at += at + 1;
                return Ok(value);
            }
        }
        Err(self.error("unterminated string literal"))
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Refusal> {
        match self.word() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.error("'true' or 'false' expected")),
        }
    }
}
