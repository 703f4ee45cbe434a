//! Data tables: which columns they have, and which values a column takes.

use serde_json::{Map, Value};

use super::json::{objects, text};
use super::{Customizations, TYPES};

/// A data table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// The name that people see.
    pub(crate) label: String,
    pub(in crate::soar) id: Value,
    pub(crate) columns: Vec<Column>,
}

/// A column of a data table.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The name that people see.
    pub(crate) label: String,
    pub(in crate::soar) id: Value,
    pub(crate) input_type: String,
}

impl Customizations {
    /// All data tables.
    pub(crate) fn tables(&self) -> Vec<Table> {
        self.all(&TYPES).filter_map(|table| self.table(text(table, TYPES.name))).collect()
    }

    /// A data table, by its name or number.
    pub(in crate::soar) fn table(&self, handle: &str) -> Option<Table> {
        let table = self.get(&TYPES, handle)?;
        let mut columns: Vec<_> = objects(&table["fields"]).collect();
        columns.sort_by_key(|column| column["order"].as_i64());
        let column = |column: &Value| Column {
            name: text(column, "name").to_owned(),
            label: text(column, "text").to_owned(),
            id: column["id"].clone(),
            input_type: text(column, "input_type").to_owned(),
        };
        Some(Table {
            name: text(table, TYPES.name).to_owned(),
            label: text(table, "display_name").to_owned(),
            id: table["id"].clone(),
            columns: columns.into_iter().map(column).collect(),
        })
    }
}

impl Table {
    /// The cells of a row by the names of their columns, or what is wrong with them.
    pub(in crate::soar) fn cells(&self, cells: Map<String, Value>) -> Result<Map<String, Value>, String> {
        let cell = |(handle, value): (String, Value)| {
            let number = handle.parse::<i64>().ok();
            let called = |column: &&Column| column.name == handle || number.is_some_and(|it| column.id == it);
            let column = self.columns.iter().find(called);
            let column =
                column.ok_or_else(|| format!("The data table {} has no column {handle}.", self.name))?;
            Ok((column.name.clone(), column.value(value)?))
        };
        cells.into_iter().map(cell).collect()
    }
}

impl Column {
    /// The value as SOAR keeps it.
    fn value(&self, value: Value) -> Result<Value, String> {
        let fits = match (self.input_type.as_str(), &value) {
            (_, Value::Null) => true,
            ("boolean", value) => value.is_boolean(),
            ("number" | "datepicker" | "datetimepicker", value) => value.is_i64(),
            ("textarea", Value::Object(rich)) => {
                let content = rich.get("content").cloned().unwrap_or_default();
                return if content.is_string() { Ok(content) } else { Err(self.refused()) };
            }
            ("text" | "textarea", value) => value.is_string(),
            _ => true,
        };
        if fits { Ok(value) } else { Err(self.refused()) }
    }

    fn refused(&self) -> String {
        format!("{}: The value is not of the type {}.", self.name, self.input_type)
    }
}
