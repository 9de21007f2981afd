//! Rows, read and written: one file per table or pair of tables, nothing but SQL and its types.
//!
//! Functions take whatever can execute: a pool for a single statement, a transaction where several belong together.

pub(crate) mod approval;
pub(crate) mod blob;
pub(crate) mod build;
pub(crate) mod command;
pub(crate) mod delivery;
pub(crate) mod deployment;
pub(crate) mod event;
pub(crate) mod forge;
pub(crate) mod head;
pub(crate) mod host;
pub(crate) mod instance;
pub(crate) mod meta;
pub(crate) mod phase;
pub(crate) mod preview;
pub(crate) mod project;
pub(crate) mod project_repository;
pub(crate) mod repository;
pub(crate) mod sending;
pub(crate) mod subscriber;
pub(crate) mod told;
pub(crate) mod variable;
pub(crate) mod verdict;

use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// A text column as the type it holds.
pub(crate) fn parsed<T>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.try_get(column)?;
    text.parse().map_err(|error| decode(column, error))
}

/// A text column that may be empty, as the type it holds.
pub(crate) fn parsed_opt<T>(row: &SqliteRow, column: &str) -> Result<Option<T>, sqlx::Error>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|error| decode(column, error)))
        .transpose()
}

/// A JSON column as the type it holds.
pub(crate) fn json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| decode(column, error))
}

/// A JSON column that may be empty, as the type it holds.
pub(crate) fn json_opt<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<Option<T>, sqlx::Error> {
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| decode(column, error)))
        .transpose()
}

/// A value as the text of a JSON column.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

fn decode(column: &str, error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: Box::new(error),
    }
}
