//! Apps as rows.
//!
//! Called by `change.rs` (records to rows) and `reader.rs` (rows to records). Must never judge an app's properties: they are
//! kept and given back.

use auth::{App, AppName, StoreError};
use sqlx::sqlite::SqliteRow;

use super::{Bound, Reading, millis};
use crate::seal::Seal;

/// An app's row to be written.
pub(crate) struct AppRow {
    app: Box<App>,
    created: i64,
    updated: i64,
    /// Over everything else.
    pub(crate) seal: i64,
}

/// Texts: id, name, description, properties. Numbers: created, updated.
fn app_seal(texts: [&str; 4], numbers: [i64; 2]) -> i64 {
    let seal = texts.into_iter().fold(Seal::of("apps"), Seal::text);
    numbers.into_iter().fold(seal, Seal::number).finish()
}

impl AppRow {
    pub(crate) fn new(app: Box<App>) -> Result<Self, StoreError> {
        let created = millis(app.created, "the start of an app")?;
        let updated = millis(app.updated, "the change of an app")?;
        let texts = [app.id.as_str(), &app.name, &app.description, &app.properties];
        Ok(Self { seal: app_seal(texts, [created, updated]), created, updated, app })
    }

    /// The key.
    pub(crate) fn id(&self) -> &AppName {
        &self.app.id
    }

    /// Binds the columns in the order of `statements::PUT_APP`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query
            .bind(self.app.id.as_str().to_owned())
            .bind(self.app.name.clone())
            .bind(self.app.description.clone())
            .bind(self.app.properties.to_string())
            .bind(self.created)
            .bind(self.updated)
            .bind(self.seal)
    }
}

/// An app of a row of `statements::APPS`, with the row's seal.
pub(crate) fn read_app(row: &SqliteRow) -> Result<(App, i64), StoreError> {
    let mut reading = Reading { table: "apps", key: "?".to_owned(), row };
    let id: &str = reading.column("id")?;
    reading.key = format!("{id:?}");
    let (name, description): (&str, &str) = (reading.column("name")?, reading.column("description")?);
    let properties: &str = reading.column("properties")?;
    let numbers = [reading.column("created")?, reading.column("updated")?];
    let seal = reading.sealed_with(app_seal([id, name, description, properties], numbers))?;
    let app = App {
        id: AppName::parse(id).map_err(|fault| reading.fault(&format!("id: {fault}")))?,
        name: name.to_owned(),
        description: description.to_owned(),
        properties: Box::from(properties),
        created: reading.moment("created")?,
        updated: reading.moment("updated")?,
    };
    Ok((app, seal))
}
