//! The audit log, for those who may read it: `/audit`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use api::audit::list as listing;
use auth::AuditRecord;
use auth::trust::Permit;
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::Serialize;

use super::dialect::FusionParts;
use super::entity::{listed, page, parsed, sole};
use super::errors::said;
use super::openapi::forms;

/// A line of the log. The fields stay together under their dotted names: each event has others.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditLine")]
pub(super) struct Line<'a> {
    /// Its number in the log.
    id: u64,
    /// With milliseconds: they are part of what is hashed.
    #[schemars(schema_with = "forms::precise_moment")]
    at: String,
    event: &'a str,
    #[schemars(with = "BTreeMap<String, String>")]
    fields: &'a BTreeMap<Cow<'static, str>, Box<str>>,
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    hash: String,
}

impl<'a> Line<'a> {
    fn of(record: &'a AuditRecord) -> Self {
        Self {
            id: record.sequence,
            at: record.entry.at.precise(),
            event: &record.entry.event,
            fields: &record.entry.fields,
            hash: record.hash.to_string(),
        }
    }
}

/// `GET /audit`.
pub(super) async fn list(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let page = page(visit)?;
    let oldest_first = match sole(visit, "order")?.as_deref() {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => return Err(Refusal::invalid("order", "is `asc` or `desc`")),
    };
    let filter = listing::Filter {
        event: sole(visit, "event")?,
        user: parsed(visit, "user")?,
        by: parsed(visit, "by")?,
        name: sole(visit, "name")?,
        realm: sole(visit, "realm")?,
        address: parsed(visit, "address")?,
        session: parsed(visit, "session")?,
        operation: sole(visit, "operation")?,
        subject: sole(visit, "subject")?,
        since: parsed(visit, "since")?,
        until: parsed(visit, "until")?,
        oldest_first,
        page,
    };
    let found = listing::run(&parts.services, permit, &filter).await.map_err(said)?;
    Ok(listed(visit, filter.page.limit, &found, Line::of, |record| record.sequence.to_string()))
}
