//! Rows of data tables. A table is known by its name or number, and so is a column; answers use numbers unless names
//! are asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::handles::HandleFormat;
use super::incidents::done;
use super::{Rest, Shared};
use crate::soar::customizations::Table;
use crate::soar::incidents::{Incident, Missing, Owner, Row};

/// Why SOAR does not take a row.
#[derive(Debug, thiserror::Error)]
pub enum RowRefused {
    /// The incident or the row does not exist.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// SOAR has no such data table.
    #[error("Unable to find type {0}")]
    NoTable(String),
    /// A cell is of no column of the table, or its value is not of the column's type.
    #[error("{0}")]
    Cell(String),
}

impl From<RowRefused> for ApiError {
    fn from(refused: RowRefused) -> Self {
        match refused {
            RowRefused::Missing(missing) => missing.into(),
            RowRefused::NoTable(name) => Self::not_found("type", name),
            RowRefused::Cell(why) => Self::invalid(why),
        }
    }
}

impl Rest {
    /// Adds a row to a data table, by the name or number of the table and of each column.
    pub fn add_row(&self, incident: i64, table: &str, cells: Map<String, Value>) -> Result<Row, RowRefused> {
        add(&self.shared, incident, table, cells).map(|(_, row)| row)
    }

    /// Sets cells of a row of a data table; the others stay.
    pub fn change_row(
        &self,
        incident: i64,
        table: &str,
        row: i64,
        cells: Map<String, Value>,
    ) -> Result<Row, RowRefused> {
        change(&self.shared, incident, table, row, cells).map(|(_, row)| row)
    }
}

fn table(shared: &Shared, handle: &str) -> Result<Table, RowRefused> {
    let found = shared.look(|data| data.customizations.table(handle));
    found.ok_or_else(|| RowRefused::NoTable(handle.to_owned()))
}

fn add(
    shared: &Shared,
    incident: i64,
    handle: &str,
    cells: Map<String, Value>,
) -> Result<(Table, Row), RowRefused> {
    let table = table(shared, handle)?;
    let cells = table.cells(cells).map_err(RowRefused::Cell)?;
    let row = shared.incidents.add_row(incident, &table.name, cells)?;
    Ok((table, row))
}

fn change(
    shared: &Shared,
    incident: i64,
    handle: &str,
    row: i64,
    cells: Map<String, Value>,
) -> Result<(Table, Row), RowRefused> {
    let table = table(shared, handle)?;
    let cells = table.cells(cells).map_err(RowRefused::Cell)?;
    let row = shared.incidents.change_row(incident, &table.name, row, cells)?;
    Ok((table, row))
}

/// A row as it is posted.
#[derive(Deserialize)]
pub(super) struct PostedRow {
    cells: Map<String, Value>,
}

impl PostedRow {
    /// The values of its cells.
    fn values(self) -> Result<Map<String, Value>, ApiError> {
        let value = |(column, cell): (String, Value)| match cell {
            Value::Object(mut cell) => Ok((column, cell.remove("value").unwrap_or_default())),
            _ => Err(ApiError::invalid(format!("{column}: A cell is an object with a value."))),
        };
        self.cells.into_iter().map(value).collect()
    }
}

/// `GET /incidents/{id}/table_data`: all tables that have rows, by their numbers or names.
pub(super) async fn tables(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
    format: HandleFormat,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    let mut all = Map::new();
    for row in &incident.rows {
        let table = table(&shared, &row.table)?;
        let key = format.key(&table.name, &table.id);
        all.entry(key).or_insert_with(|| rows(&incident, &table, format));
    }
    Ok(Json(Value::Object(all)))
}

/// `GET /incidents/{id}/table_data/{table}`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Path((_, id, handle)): Path<(i64, i64, String)>,
    format: HandleFormat,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    Ok(Json(rows(&incident, &table(&shared, &handle)?, format)))
}

/// `POST /incidents/{id}/table_data/{table}/row_data`.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Path((_, id, handle)): Path<(i64, i64, String)>,
    format: HandleFormat,
    Json(row): Json<PostedRow>,
) -> Result<Json<Value>, ApiError> {
    let (table, row) = add(&shared, id, &handle, row.values()?)?;
    Ok(Json(dto(&shared.incidents.of(Owner::Incident(id))?, &table, &row, format)))
}

/// The path of a row.
type RowPath = Path<(i64, i64, String, i64)>;

/// `GET …/row_data/{row}`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path((_, id, handle, row)): RowPath,
    format: HandleFormat,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    let table = table(&shared, &handle)?;
    let found = incident.rows_of(&table.name).find(|one| one.id == row);
    let found = found.ok_or_else(|| ApiError::not_found("row", row))?;
    Ok(Json(dto(&incident, &table, found, format)))
}

/// `PUT …/row_data/{row}`.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Path((_, id, handle, row)): RowPath,
    format: HandleFormat,
    Json(wanted): Json<PostedRow>,
) -> Result<Json<Value>, ApiError> {
    let (table, row) = change(&shared, id, &handle, row, wanted.values()?)?;
    Ok(Json(dto(&shared.incidents.of(Owner::Incident(id))?, &table, &row, format)))
}

/// `DELETE …/row_data/{row}`.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path((_, id, handle, row)): RowPath,
) -> Result<Json<Value>, ApiError> {
    let table = table(&shared, &handle)?;
    shared.incidents.remove_row(id, &table.name, row)?;
    Ok(done())
}

/// `DELETE /incidents/{id}/table_data/{table}/row_data`: all rows.
pub(super) async fn clear(
    State(shared): State<Arc<Shared>>,
    Path((_, id, handle)): Path<(i64, i64, String)>,
) -> Result<Json<Value>, ApiError> {
    let table = table(&shared, &handle)?;
    shared.incidents.remove_rows(id, &table.name)?;
    Ok(done())
}

fn rows(incident: &Incident, table: &Table, format: HandleFormat) -> Value {
    let rows = incident.rows_of(&table.name).map(|row| dto(incident, table, row, format));
    json!({"id": table.id, "rows": rows.collect::<Vec<_>>()})
}

/// The row as SOAR describes it: with all columns; a cell without a value has no key `value`.
fn dto(incident: &Incident, table: &Table, row: &Row, format: HandleFormat) -> Value {
    let cells = table.columns.iter().map(|column| {
        let mut cell = json!({"id": format.handle(&column.name, &column.id), "row_id": row.id});
        if let Some(value) = row.cells.get(&column.name) {
            cell["value"] = value.clone();
        }
        (format.key(&column.name, &column.id), cell)
    });
    json!({
        "id": row.id,
        "cells": cells.collect::<Map<_, _>>(),
        "version": row.version,
        "type_id": table.id,
        "type_name": table.name,
        "inc_id": incident.id,
        "inc_name": incident.name,
        "inc_owner": incident.fields.get("owner_id"),
        "actions": [],
        "playbooks": []
    })
}
