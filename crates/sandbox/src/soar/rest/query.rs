//! Queries for incidents. The conditions of a filter must all hold; of several filters, one is enough.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::Value;

use super::Shared;
use super::error::ApiError;
use super::handles::HandleFormat;
use super::incident_dto;
use crate::soar::incidents::Incident;

/// The incidents of a page when a query does not say how many.
const USUAL_LENGTH: usize = 1000;

/// A query as it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PagedQuery {
    filters: Vec<Filter>,
    sorts: Vec<Sort>,
    start: usize,
    length: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Filter {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    field_name: String,
    method: String,
    #[serde(default)]
    value: Value,
}

#[derive(Debug, Deserialize)]
struct Sort {
    field_name: String,
    #[serde(rename = "type", default)]
    direction: String,
}

/// The incidents of a page.
pub(super) struct Page {
    pub(super) found: Vec<Incident>,
    /// How many there are on all pages.
    pub(super) total: usize,
}

/// An incident with its fields by numbers and by names, so that a condition may use both.
struct Row {
    incident: Incident,
    forms: [Value; 2],
}

impl PagedQuery {
    /// The query for everything that it finds.
    pub(super) fn unpaged(self) -> Self {
        Self { start: 0, length: Some(usize::MAX), ..self }
    }

    /// Whether an object meets the filters. Each of its `forms` shows all of it.
    pub(super) fn matches(&self, forms: &[Value]) -> Result<bool, ApiError> {
        let mut is_met = self.filters.is_empty();
        for filter in &self.filters {
            let mut all = true;
            for condition in &filter.conditions {
                all &= condition.holds(forms)?;
            }
            is_met |= all;
        }
        Ok(is_met)
    }

    pub(super) fn run(&self, shared: &Shared) -> Result<Page, ApiError> {
        let all = shared.incidents.all();
        let mut rows: Vec<Row> = shared.look(|data| {
            let forms = |incident: &Incident| {
                [HandleFormat::Numbers, HandleFormat::Names]
                    .map(|format| incident_dto::full(data, incident, format))
            };
            all.into_iter().map(|incident| Row { forms: forms(&incident), incident }).collect()
        });
        let mut refused = None;
        rows.retain(|row| {
            self.matches(&row.forms).unwrap_or_else(|error| {
                refused = Some(error);
                false
            })
        });
        if let Some(refused) = refused {
            return Err(refused);
        }
        for sort in self.sorts.iter().rev() {
            let key = |row: &Row| field(&row.forms[0], &sort.field_name);
            rows.sort_by(|one, other| compare(&key(one), &key(other)).unwrap_or(Ordering::Equal));
            if sort.direction == "desc" {
                rows.reverse();
            }
        }
        let total = rows.len();
        let page = rows.into_iter().skip(self.start).take(self.length.unwrap_or(USUAL_LENGTH));
        Ok(Page { found: page.map(|row| row.incident).collect(), total })
    }
}

/// A field of an incident; `properties.x` for one that an administrator added.
fn field(incident: &Value, name: &str) -> Value {
    name.split('.').fold(incident.clone(), |object, part| object[part].clone())
}

fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_i64()?.partial_cmp(&other.as_i64()?),
        (Value::String(one), Value::String(other)) => Some(one.to_lowercase().cmp(&other.to_lowercase())),
        _ => None,
    }
}

impl Condition {
    fn holds(&self, forms: &[Value]) -> Result<bool, ApiError> {
        let any =
            |test: &dyn Fn(&Value) -> bool| forms.iter().any(|form| test(&field(form, &self.field_name)));
        let ordered = |wanted: &[Ordering]| {
            any(&|is| compare(is, &self.value).is_some_and(|ordering| wanted.contains(&ordering)))
        };
        let one_of = || {
            let wanted = self.value.as_array().map_or(&[][..], Vec::as_slice);
            any(&|is| match is {
                Value::Array(all) => all.iter().any(|one| wanted.contains(one)),
                one => wanted.contains(one),
            })
        };
        let has_value = any(&|is| {
            !matches!(is, Value::Null) && *is != "" && is.as_array().is_none_or(|all| !all.is_empty())
        });
        let contains = || {
            any(&|is| match (is, &self.value) {
                (Value::String(is), Value::String(part)) => is.to_lowercase().contains(&part.to_lowercase()),
                (Value::Array(all), part) => all.contains(part),
                _ => false,
            })
        };
        Ok(match self.method.as_str() {
            "equals" => any(&|is| *is == self.value),
            "not_equals" => !any(&|is| *is == self.value),
            "in" => one_of(),
            "not_in" => !one_of(),
            "contains" => contains(),
            "not_contains" => !contains(),
            "gt" => ordered(&[Ordering::Greater]),
            "gte" => ordered(&[Ordering::Greater, Ordering::Equal]),
            "lt" => ordered(&[Ordering::Less]),
            "lte" => ordered(&[Ordering::Less, Ordering::Equal]),
            "has_a_value" => has_value,
            "not_has_a_value" => !has_value,
            other => return Err(ApiError::invalid(format!("The condition {other} is unknown."))),
        })
    }
}
