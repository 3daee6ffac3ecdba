//! Apps that are made, changed and deleted, on a kernel over fake ends.

use auth::limits::{MAX_CONFIG_BYTES, MAX_NAME_BYTES};
use auth::{App, AppName};

use super::{MAX_APPS, MAX_DESCRIPTION, change, create, delete, read};
use crate::error::Error;
use crate::page::Page;
use crate::precondition::Precondition;
use crate::sessions::tests::house::{House, app};

fn named(name: &str) -> create::Input {
    create::Input {
        id: None,
        name: Some(name.to_owned()),
        description: String::new(),
        properties: "{}".to_owned(),
    }
}

fn field(error: &Error) -> String {
    match error {
        Error::Invalid { field, .. } => field.to_string(),
        Error::Conflict(_) => "conflict".to_owned(),
        other => format!("{other:?}"),
    }
}

impl House {
    async fn make_app(&self, input: create::Input) -> Result<App, Error> {
        let made = create::run(&self.services, &self.permit_of_nobody(create::NAME), input).await;
        made.map(|app| App::clone(&app))
    }

    async fn set_app(&self, id: &AppName, input: change::Input) -> Result<App, Error> {
        let permit = self.permit_of_nobody(change::NAME);
        let changed = change::run(&self.services, &permit, id, input, &Precondition::None).await;
        changed.map(|app| App::clone(&app))
    }

    async fn delete_app(&self, id: &AppName, expected: &Precondition) -> Result<(), Error> {
        delete::run(&self.services, &self.permit_of_nobody(delete::NAME), id, expected).await
    }
}

#[tokio::test]
async fn an_app_is_made_seen_changed_and_deleted() {
    let house = House::new().await;
    let made = house.make_app(named("My shop")).await.unwrap();
    assert_eq!((made.id.as_str(), made.name.as_str()), ("My_shop", "My shop"));
    let given = create::Input { id: Some("shop".to_owned()), ..named("My shop") };
    house.make_app(given).await.unwrap();
    assert_eq!(field(&house.make_app(named("My_shop")).await.unwrap_err()), "conflict");
    let filter = |name: Option<&str>, after: Option<&str>| read::Filter {
        name: name.map(str::to_owned),
        page: Page { after: after.map(app), limit: 1 },
    };
    let list = async |filter: read::Filter| {
        let permit = house.permit_of_nobody(read::NAME);
        let (found, more) = read::run(&house.services, &permit, &filter).await.unwrap();
        (found.iter().map(|app| app.id.to_string()).collect::<Vec<_>>(), more)
    };
    assert_eq!(list(filter(Some("My shop"), None)).await, (vec!["My_shop".to_owned()], true));
    assert_eq!(list(filter(Some("My shop"), Some("My_shop"))).await, (vec!["shop".to_owned()], false));
    assert_eq!(list(filter(Some("my shop"), None)).await, (Vec::new(), false));
    let properties = change::Input { properties: Some("{\"a\":1}".to_owned()), ..change::Input::default() };
    let changed = house.set_app(&made.id, properties).await.unwrap();
    assert!(changed.updated > made.updated);
    let expected = App { properties: Box::from("{\"a\":1}"), updated: changed.updated, ..made.clone() };
    assert_eq!(changed, expected, "what is not given stays");
    let stale = Precondition::LastChanged(vec![made.updated]);
    assert!(matches!(house.delete_app(&made.id, &stale).await, Err(Error::PreconditionFailed)));
    // An app decides nothing: its sessions live on.
    house.login_as("alice", 1, |request| request.app = Some(made.id.clone())).await;
    house.delete_app(&made.id, &Precondition::None).await.unwrap();
    assert!(house.is_live(1).await);
    assert!(matches!(house.delete_app(&made.id, &Precondition::None).await, Err(Error::NotFound)));
    let permit = house.permit_of_nobody(read::NAME_ONE);
    assert!(matches!(read::one(&house.services, &permit, &made.id), Err(Error::NotFound)));
    assert!(matches!(house.set_app(&made.id, change::Input::default()).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn every_limit_of_an_app_has_two_sides() {
    let house = House::new().await;
    let wrong = async |input: create::Input| field(&house.make_app(input).await.unwrap_err());
    for name in ["", "a\nb", &"x".repeat(MAX_NAME_BYTES + 1)] {
        let input = create::Input { id: Some("x".to_owned()), ..named(name) };
        assert_eq!(wrong(input).await, "name", "{name:?}");
    }
    assert_eq!(wrong(named("")).await, "name");
    let most = house.make_app(named(&"x".repeat(MAX_NAME_BYTES))).await.unwrap();
    let described = |length: usize| create::Input { description: "x".repeat(length), ..named("described") };
    assert_eq!(wrong(described(MAX_DESCRIPTION + 1)).await, "description");
    house.make_app(described(MAX_DESCRIPTION)).await.unwrap();
    let object = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length - r#"{"a":""}"#.len()));
    let with = |length| create::Input { properties: object(length), ..named("big") };
    assert_eq!(wrong(with(MAX_CONFIG_BYTES + 1)).await, "properties");
    house.make_app(with(MAX_CONFIG_BYTES)).await.unwrap();
    let longer = change::Input { properties: Some(object(MAX_CONFIG_BYTES + 1)), ..change::Input::default() };
    assert_eq!(field(&house.set_app(&app("big"), longer).await.unwrap_err()), "properties");
    for number in 3..MAX_APPS {
        house.make_app(named(&format!("app-{number}"))).await.unwrap();
    }
    assert_eq!(field(&house.make_app(named("more")).await.unwrap_err()), "conflict");
    house.delete_app(&most.id, &Precondition::None).await.unwrap();
    house.make_app(named("more")).await.unwrap();
}
