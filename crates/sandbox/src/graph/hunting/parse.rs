//! The part of KQL that a builder of queries needs. Everything else is refused, so that no client relies on a query
//! that means something else at Microsoft.
//!
//! ```text
//! query     = table { "|" step }
//! step      = "where" condition | "project" columns | "distinct" columns | "take" number
//!           | "sort by" column [ "asc" | "desc" ] | "join kind=inner (" query ") on" column
//! condition = and { "or" and } ;  and = one { "and" one } ;  one = "(" condition ")" | comparison
//! comparison = column operator literal | column ( "in" | "in~" ) "(" literal { "," literal } ")"
//! ```

use super::lexer::{Token, tokens};
use super::table::{Kind, Table};

/// A table and what is done with its rows.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) table: Table,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Step {
    Where(Condition),
    Project(Vec<String>),
    Distinct(Vec<String>),
    Take(usize),
    Sort { column: String, descending: bool },
    Join { right: Pipeline, on: String },
}

/// What rows have to meet.
#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Text { column: String, operator: TextOperator, values: Vec<String> },
    Time { column: String, operator: TimeOperator, value: i64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOperator {
    Is,
    IsIgnoringCase,
    IsNot,
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeOperator {
    From,
    After,
    UpTo,
    Before,
}

/// Reads a query.
pub(super) fn parse(text: &str) -> Result<Pipeline, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let (pipeline, _) = parser.pipeline()?;
    if parser.at < parser.tokens.len() { Err(parser.unexpected()) } else { Ok(pipeline) }
}

/// The columns at one point of a pipeline.
type Columns = Vec<(String, Kind)>;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn pipeline(&mut self) -> Result<(Pipeline, Columns), String> {
        let name = self.word()?;
        let table = Table::named(&name).ok_or_else(|| format!("'{name}' is not a table"))?;
        let mut columns: Columns =
            table.columns().iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        let mut steps = Vec::new();
        while self.symbol("|") {
            let step = self.step(&mut columns)?;
            steps.push(step);
        }
        Ok((Pipeline { table, steps }, columns))
    }

    fn step(&mut self, columns: &mut Columns) -> Result<Step, String> {
        let operator = self.word()?;
        Ok(match operator.as_str() {
            "where" => Step::Where(self.condition(columns)?),
            "project" | "distinct" => {
                let mut kept = Vec::new();
                loop {
                    kept.push(self.column(columns)?);
                    if !self.symbol(",") {
                        break;
                    }
                }
                columns.clone_from(&kept);
                let names = kept.into_iter().map(|(name, _)| name).collect();
                if operator == "project" { Step::Project(names) } else { Step::Distinct(names) }
            }
            "take" => match self.next() {
                Some(Token::Number(number)) => Step::Take(number),
                _ => return Err("'take' needs a number".to_owned()),
            },
            "sort" => {
                self.keyword("by")?;
                let (column, _) = self.column(columns)?;
                // KQL sorts in descending order by default.
                let descending = if self.is_word("asc") {
                    false
                } else {
                    self.is_word("desc");
                    true
                };
                Step::Sort { column, descending }
            }
            "join" => {
                self.keyword("kind")?;
                self.expect("=")?;
                self.keyword("inner")?;
                self.expect("(")?;
                let (right, right_columns) = self.pipeline()?;
                self.expect(")")?;
                self.keyword("on")?;
                let (on, _) = self.column(columns)?;
                if !right_columns.iter().any(|(name, _)| *name == on) {
                    return Err(format!("the right side of the join has no column '{on}'"));
                }
                for (name, kind) in right_columns {
                    columns.push((right_name(&name, columns.iter().map(|(name, _)| name)), kind));
                }
                Step::Join { right, on }
            }
            other => return Err(format!("the operator '{other}' is not supported here")),
        })
    }

    fn condition(&mut self, columns: &Columns) -> Result<Condition, String> {
        let mut any = vec![self.conjunction(columns)?];
        while self.is_word("or") {
            any.push(self.conjunction(columns)?);
        }
        Ok(Condition::Any(any))
    }

    fn conjunction(&mut self, columns: &Columns) -> Result<Condition, String> {
        let mut all = vec![self.comparison(columns)?];
        while self.is_word("and") {
            all.push(self.comparison(columns)?);
        }
        Ok(Condition::All(all))
    }

    fn comparison(&mut self, columns: &Columns) -> Result<Condition, String> {
        if self.symbol("(") {
            let inner = self.condition(columns)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let (column, kind) = self.column(columns)?;
        if kind == Kind::Time {
            let operator = match self.next() {
                Some(Token::Symbol(">=")) => TimeOperator::From,
                Some(Token::Symbol(">")) => TimeOperator::After,
                Some(Token::Symbol("<=")) => TimeOperator::UpTo,
                Some(Token::Symbol("<")) => TimeOperator::Before,
                _ => return Err(format!("a comparison of '{column}' is expected")),
            };
            return match self.next() {
                Some(Token::Time(value)) => Ok(Condition::Time { column, operator, value }),
                _ => Err(format!("'{column}' is a datetime")),
            };
        }
        if kind != Kind::Text {
            return Err(format!("conditions on '{column}' are not supported here"));
        }
        let operator = match self.next() {
            Some(Token::Symbol("==")) => TextOperator::Is,
            Some(Token::Symbol("=~")) => TextOperator::IsIgnoringCase,
            Some(Token::Symbol("!=")) => TextOperator::IsNot,
            Some(Token::Word(word)) => match word.as_str() {
                "contains" => TextOperator::Contains,
                "startswith" => TextOperator::StartsWith,
                "endswith" => TextOperator::EndsWith,
                "in" => {
                    let exact = !self.symbol("~");
                    let operator = if exact { TextOperator::Is } else { TextOperator::IsIgnoringCase };
                    return Ok(Condition::Text { column, operator, values: self.list()? });
                }
                other => return Err(format!("the operator '{other}' is not supported here")),
            },
            _ => return Err(format!("a comparison of '{column}' is expected")),
        };
        Ok(Condition::Text { column, operator, values: vec![self.text()?] })
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        self.expect("(")?;
        let mut values = vec![self.text()?];
        while self.symbol(",") {
            values.push(self.text()?);
        }
        self.expect(")")?;
        Ok(values)
    }

    fn text(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text),
            _ => Err("a string literal is expected".to_owned()),
        }
    }

    fn column(&mut self, columns: &Columns) -> Result<(String, Kind), String> {
        let name = self.word()?;
        let found = columns.iter().find(|(known, _)| *known == name);
        found.cloned().ok_or_else(|| format!("Failed to resolve scalar expression named '{name}'"))
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn word(&mut self) -> Result<String, String> {
        let Some(Token::Word(word)) = self.tokens.get(self.at) else { return Err(self.unexpected()) };
        self.at += 1;
        Ok(word.clone())
    }

    fn is_word(&mut self, word: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Word(own)) if own == word);
        self.at += usize::from(is);
        is
    }

    fn keyword(&mut self, word: &str) -> Result<(), String> {
        if self.is_word(word) { Ok(()) } else { Err(format!("'{word}' is expected: {}", self.unexpected())) }
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Symbol(own)) if *own == symbol);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, symbol: &str) -> Result<(), String> {
        if self.symbol(symbol) {
            Ok(())
        } else {
            Err(format!("'{symbol}' is expected: {}", self.unexpected()))
        }
    }

    fn unexpected(&self) -> String {
        match self.tokens.get(self.at) {
            Some(token) => format!("{token:?} is not expected"),
            None => "the query ends too early".to_owned(),
        }
    }
}

/// The name of a column of the right side after a join: a name that the left side has gets a number.
pub(super) fn right_name<'a>(name: &str, left: impl Iterator<Item = &'a String>) -> String {
    let taken: Vec<&String> = left.collect();
    if !taken.iter().any(|left| *left == name) {
        return name.to_owned();
    }
    let mut numbered = (1..).map(|number| format!("{name}{number}"));
    numbered.find(|name| !taken.contains(&name)).unwrap_or_default()
}
