//! `app.create`.

use std::sync::Arc;

use auth::trust::Permit;
use auth::{App, AppName, Change};

use super::{MAX_APPS, check};
use crate::error::Error;
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "app.create";

/// A new app.
pub struct Input {
    /// What stands in paths; without it, it is made of the name.
    pub id: Option<String>,
    /// What people call it; without it, its id.
    pub name: Option<String>,
    /// What it is for.
    pub description: String,
    /// Whatever its owners keep with it: a JSON object.
    pub properties: String,
}

/// Makes an app. Sessions can be made for it from the moment this resolves.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Conflict`] where the id is taken or there are [`MAX_APPS`].
pub async fn run(services: &Services, permit: &Permit, input: Input) -> Result<Arc<App>, Error> {
    permit.expect(NAME)?;
    let (id, name) = named(input.id, input.name)?;
    let now = services.kernel.clock().now();
    let app = App {
        id: id.clone(),
        name,
        description: input.description,
        properties: input.properties.into_boxed_str(),
        created: now,
        updated: now,
    };
    check(&app)?;
    let change = services.change(Some(permit), NAME, |snapshot| {
        if snapshot.app(app.id.as_str()).is_some() {
            return Err(Error::Conflict("an app of this id exists"));
        }
        if snapshot.apps().count() >= MAX_APPS {
            return Err(Error::Conflict("there are as many apps as there can be"));
        }
        let (subject, detail) = (app.id.to_string(), app.name.clone());
        Ok(Judged { changes: vec![Change::PutApp(Box::new(app))], subject, detail, answer: () })
    });
    change.await?;
    services.kernel.directory().present().app(id.as_str()).cloned().ok_or(Error::NotFound)
}

/// The id and the name, where at least one of them was given.
fn named(id: Option<String>, name: Option<String>) -> Result<(AppName, String), Error> {
    let (id, field, name) = match (id, name) {
        (None, None) => return Err(Error::invalid("name", "is missing")),
        (Some(id), None) => (id.clone(), "id", id),
        (Some(id), Some(name)) => (id, "id", name),
        (None, Some(name)) => (id_made_of(&name), "name", name),
    };
    if matches!(&*id, "." | "..") {
        return Err(Error::invalid(field, "cannot stand in a path"));
    }
    let id = AppName::parse(&id).map_err(|fault| Error::invalid(field, fault))?;
    Ok((id, name))
}

/// An id that reads like the name and stands in every path as it is.
fn id_made_of(name: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    name.chars().map(|c| if kept(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_of_the_name() {
        for (name, id) in
            [("Demo-1_x", "Demo-1_x"), ("Ärzte & Co.", "_rzte___Co_"), ("a/b", "a_b"), ("..", "__")]
        {
            let (made, kept) = named(None, Some(name.to_owned())).unwrap();
            assert_eq!((made.as_str(), kept.as_str()), (id, name));
        }
        let given = |id: &str| named(Some(id.to_owned()), None);
        assert_eq!(given("Ärzte Co").unwrap().1, "Ärzte Co");
        for id in ["a/b", ".", "..", ""] {
            assert!(matches!(given(id), Err(Error::Invalid { field, .. }) if field == "id"), "{id}");
        }
        assert!(
            matches!(named(None, Some(String::new())), Err(Error::Invalid { field, .. }) if field == "name")
        );
        assert!(matches!(named(None, None), Err(Error::Invalid { field, .. }) if field == "name"));
    }
}
