//! Facts about the installation itself: its id and its sealed data key.

use sqlx::SqliteExecutor;

pub(crate) async fn get(db: impl SqliteExecutor<'_>, name: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
        .bind(name)
        .fetch_optional(db)
        .await
}

pub(crate) async fn set(db: impl SqliteExecutor<'_>, name: &str, value: &str) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    sqlx::query(sql)
        .bind(name)
        .bind(value)
        .execute(db)
        .await
        .map(drop)
}
