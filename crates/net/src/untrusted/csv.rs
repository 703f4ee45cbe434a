//! Comma-separated values (RFC 4180). No cell is a formula for a spreadsheet (OWASP page "CSV Injection").

/// A table under construction.
#[derive(Debug)]
pub struct Table {
    text: String,
}

impl Table {
    /// Returns a table that has only a heading.
    pub fn new(columns: &[&str]) -> Self {
        Self { text: columns.join(",") + "\r\n" }
    }

    /// Returns the same with the mark of UTF-8. Excel takes a file without it for one in the code page of the system.
    pub fn for_excel(columns: &[&str]) -> Self {
        let Self { text } = Self::new(columns);
        Self { text: format!("\u{feff}{text}") }
    }

    /// Adds a line.
    pub fn add<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        let cells: Vec<_> = cells.into_iter().map(quoted).collect();
        self.text.push_str(&cells.join(","));
        self.text.push_str("\r\n");
    }

    /// Returns the table as text.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// Quotes a cell. An apostrophe keeps a spreadsheet from taking the cell for a formula.
fn quoted(cell: &str) -> String {
    if cell.is_empty() {
        return String::new();
    }
    let first = cell.trim_start().chars().next();
    let is_formula = first.is_some_and(|c| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c))
        || cell.starts_with(['\t', '\r', '\n']);
    let mark = if is_formula { "'" } else { "" };
    format!("\"{mark}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn cell_is_never_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\u{ff1d}1"] {
            assert_eq!(quoted(formula), format!("\"'{formula}\""));
        }
        assert_eq!(quoted("a \"b\", c@example.com"), "\"a \"\"b\"\", c@example.com\"");
        assert_eq!(quoted(""), "");
    }
}
