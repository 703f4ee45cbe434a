//! Carries out a query.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::{Condition, Pipeline, Step, TextOperator, TimeOperator, right_name};
use super::table::{Datum, Kind, Values};
use crate::graph::state::State;

/// The rows at one point of a pipeline.
pub(super) struct Rows {
    pub(super) columns: Vec<(String, Kind)>,
    pub(super) rows: Vec<Vec<Datum>>,
}

/// The rows of a pipeline, of events within a span in milliseconds since 1970.
pub(super) fn run(state: &State, pipeline: &Pipeline, span: (i64, i64)) -> Rows {
    let is_condition = |step: &&Step| matches!(step, Step::Where(_));
    let conditions: Vec<&Condition> = pipeline
        .steps
        .iter()
        .take_while(is_condition)
        .filter_map(|step| if let Step::Where(condition) = step { Some(condition) } else { None })
        .collect();
    let mut rest = pipeline.steps.iter().skip(conditions.len()).peekable();
    // The keys of the join that follows, so that no row is made that has no partner.
    let keys = match rest.peek() {
        Some(Step::Join { right, on }) => {
            let right = run(state, right, span);
            let place = right.place(on);
            Some((on, right.rows.iter().map(|row| row[place].clone()).collect::<BTreeSet<Datum>>()))
        }
        _ => None,
    };
    let span = conditions.iter().fold(span, |span, condition| narrowed(condition, span));
    let test = |value: &Values<'_>| {
        conditions.iter().all(|condition| condition.holds(value))
            && keys.as_ref().is_none_or(|(on, keys)| keys.contains(&value(on)))
    };
    let columns = pipeline.table.columns();
    let mut rows = Rows {
        columns: columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
        rows: pipeline.table.scan(state, span, &test),
    };
    for step in rest {
        rows.apply(state, step, span);
    }
    rows
}

/// The part of a span that a condition leaves.
fn narrowed(condition: &Condition, (from, to): (i64, i64)) -> (i64, i64) {
    match condition {
        Condition::All(all) => all.iter().fold((from, to), |span, condition| narrowed(condition, span)),
        Condition::Any(any) => match any.as_slice() {
            [only] => narrowed(only, (from, to)),
            _ => (from, to),
        },
        Condition::Time { operator: TimeOperator::From | TimeOperator::After, value, .. } => {
            (from.max(*value), to)
        }
        Condition::Time { value, .. } => (from, to.min(*value)),
        Condition::Text { .. } => (from, to),
    }
}

impl Condition {
    fn holds(&self, value: &Values<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|condition| condition.holds(value)),
            Self::Any(any) => any.iter().any(|condition| condition.holds(value)),
            Self::Text { column, operator, values } => {
                let Datum::Text(own) = value(column) else { return false };
                values.iter().any(|wanted| operator.holds(&own, wanted))
            }
            Self::Time { column, operator, value: wanted } => {
                let Datum::Time(own) = value(column) else { return false };
                match operator {
                    TimeOperator::From => own >= *wanted,
                    TimeOperator::After => own > *wanted,
                    TimeOperator::UpTo => own <= *wanted,
                    TimeOperator::Before => own < *wanted,
                }
            }
        }
    }
}

impl TextOperator {
    fn holds(self, own: &str, wanted: &str) -> bool {
        let folded = |text: &str| text.to_lowercase();
        match self {
            Self::Is => own == wanted,
            Self::IsNot => own != wanted,
            Self::IsIgnoringCase => own.len() == wanted.len() && folded(own) == folded(wanted),
            Self::Contains => folded(own).contains(&folded(wanted)),
            Self::StartsWith => folded(own).starts_with(&folded(wanted)),
            Self::EndsWith => folded(own).ends_with(&folded(wanted)),
        }
    }
}

impl Rows {
    fn place(&self, column: &str) -> usize {
        self.columns.iter().position(|(name, _)| name == column).unwrap_or_default()
    }

    fn apply(&mut self, state: &State, step: &Step, span: (i64, i64)) {
        match step {
            Step::Where(condition) => {
                let columns = &self.columns;
                self.rows.retain(|row| {
                    condition.holds(&|column| {
                        let place = columns.iter().position(|(name, _)| name == column);
                        row[place.unwrap_or_default()].clone()
                    })
                });
            }
            Step::Project(names) => self.project(names),
            Step::Distinct(names) => {
                self.project(names);
                let mut seen = BTreeSet::new();
                self.rows.retain(|row| seen.insert(row.clone()));
            }
            Step::Take(most) => self.rows.truncate(*most),
            Step::Sort { column, descending } => {
                let place = self.place(column);
                self.rows.sort_by(|a, b| a[place].cmp(&b[place]));
                if *descending {
                    self.rows.reverse();
                }
            }
            Step::Join { right, on } => self.join(&run(state, right, span), on),
        }
    }

    fn project(&mut self, names: &[String]) {
        let places: Vec<usize> = names.iter().map(|name| self.place(name)).collect();
        for row in &mut self.rows {
            *row = places.iter().map(|place| row[*place].clone()).collect();
        }
        self.columns = places.iter().map(|place| self.columns[*place].clone()).collect();
    }

    fn join(&mut self, right: &Self, on: &str) {
        let (own, other) = (self.place(on), right.place(on));
        let mut partners: BTreeMap<&Datum, Vec<&Vec<Datum>>> = BTreeMap::new();
        for row in &right.rows {
            partners.entry(&row[other]).or_default().push(row);
        }
        let joined = self.rows.iter().flat_map(|row| {
            let partners = partners.get(&row[own]).into_iter().flatten();
            partners.map(move |partner| row.iter().chain(*partner).cloned().collect())
        });
        self.rows = joined.collect();
        for (name, kind) in &right.columns {
            let name = right_name(name, self.columns.iter().map(|(name, _)| name));
            self.columns.push((name, *kind));
        }
    }
}
