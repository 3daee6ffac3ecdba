//! `audit.list`: lines of the audit log, the newest or the oldest first.

use std::net::IpAddr;

use auth::trust::Permit;
use auth::{AuditFilter, AuditRecord, Moment, Reason, SessionId, UserId};

use crate::error::Error;
use crate::page::Page;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "audit.list";

/// Which lines. `None` does not narrow.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Of this event: `login`, `session_ended` …
    pub event: Option<String>,
    /// About this user.
    pub user: Option<UserId>,
    /// Done by this user to somebody or something else.
    pub by: Option<UserId>,
    /// About a user of this name, as it was shown.
    pub name: Option<String>,
    /// About this realm.
    pub realm: Option<String>,
    /// From this address.
    pub address: Option<IpAddr>,
    /// About this session.
    pub session: Option<SessionId>,
    /// Of this operation: `user.create`, `server.start` …
    pub operation: Option<String>,
    /// About the thing of the directory with this id.
    pub subject: Option<String>,
    /// At this moment or later.
    pub since: Option<Moment>,
    /// Earlier than this moment.
    pub until: Option<Moment>,
    /// The oldest first instead of the newest.
    pub oldest_first: bool,
    /// Which of them: beyond this line, in the order that is asked for.
    pub page: Page<u64>,
}

impl Filter {
    /// No line is left out but by the page.
    #[must_use]
    pub fn all(page: Page<u64>) -> Self {
        Self {
            event: None,
            user: None,
            by: None,
            name: None,
            realm: None,
            address: None,
            session: None,
            operation: None,
            subject: None,
            since: None,
            until: None,
            oldest_first: false,
            page,
        }
    }

    fn asked(&self) -> AuditFilter {
        let text = |value: Option<&dyn ToString>| value.map(ToString::to_string);
        let fields = [
            ("user.id", text(self.user.as_ref().map(|id| id as _))),
            ("by", text(self.by.as_ref().map(|id| id as _))),
            ("user.name", self.name.clone()),
            ("realm.name", self.realm.clone()),
            ("client.address", self.address.map(|address| address.to_canonical().to_string())),
            ("session.id", text(self.session.as_ref().map(|id| id as _))),
            ("operation", self.operation.clone()),
            ("subject", self.subject.clone()),
        ];
        AuditFilter {
            event: self.event.clone(),
            fields: fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            since: self.since,
            until: self.until,
            after: self.page.after,
            oldest_first: self.oldest_first,
            // One more than is shown tells whether there are more.
            limit: self.page.limit.saturating_add(1),
        }
    }
}

/// Lines of the audit log, those included that belong to whatever was answered before; and whether there are more.
///
/// # Errors
/// [`Error::Kernel`] where the log cannot be read.
pub async fn run(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
) -> Result<(Vec<AuditRecord>, bool), Error> {
    permit.expect(NAME)?;
    let found = services.audit.read(filter.asked()).await;
    let mut found = found.map_err(|_| Error::Kernel(Reason::StoreFailed))?;
    let more = found.len() > filter.page.limit;
    found.truncate(filter.page.limit);
    Ok((found, more))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use auth::{AuditEntry, AuditStore};

    use super::*;
    use crate::sessions::tests::house::House;

    #[tokio::test]
    async fn a_page_says_whether_there_are_more() {
        let house = House::new().await;
        for number in 1..=5 {
            let at = Moment::from_millis(number);
            house.store.append(AuditEntry { at, event: Cow::Borrowed("login"), fields: [].into() });
        }
        let permit = house.permit_of_nobody(NAME);
        let ids = async |oldest_first, after, limit| {
            let filter = Filter { oldest_first, ..Filter::all(Page { after, limit }) };
            let (found, more) = run(&house.services, &permit, &filter).await.unwrap();
            (found.iter().map(|record| record.sequence).collect::<Vec<_>>(), more)
        };
        assert_eq!(ids(false, None, 4).await, (vec![5, 4, 3, 2], true));
        assert_eq!(ids(false, Some(2), 4).await, (vec![1], false));
        assert_eq!(ids(true, None, 5).await, (vec![1, 2, 3, 4, 5], false));
        assert_eq!(ids(true, Some(4), 1).await, (vec![5], false));
        let other = house.permit_of_nobody("user.list");
        assert!(run(&house.services, &other, &Filter::all(Page { after: None, limit: 1 })).await.is_err());
        house.store.refuse(Some("disk full"));
        let filter = Filter::all(Page { after: None, limit: 1 });
        let refused = run(&house.services, &permit, &filter).await;
        assert!(matches!(refused, Err(Error::Kernel(Reason::StoreFailed))));
    }

    #[test]
    fn each_filter_asks_for_its_field() {
        let page = || Page { after: Some(7), limit: 2 };
        let none = Filter::all(page()).asked();
        assert_eq!((none.fields.len(), none.after, none.limit, none.oldest_first), (0, Some(7), 3, false));
        let (user, by) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let session = SessionId::from_random([3; 16]);
        let asked = Filter {
            event: Some("login".to_owned()),
            user: Some(user),
            by: Some(by),
            name: Some("alice".to_owned()),
            realm: Some("native".to_owned()),
            address: Some("::ffff:192.0.2.1".parse().unwrap()),
            session: Some(session),
            operation: Some("user.create".to_owned()),
            subject: Some("x".to_owned()),
            since: Some(Moment::from_millis(1)),
            until: Some(Moment::from_millis(2)),
            oldest_first: true,
            page: page(),
        }
        .asked();
        let fields = [
            ("user.id", user.to_string()),
            ("by", by.to_string()),
            ("user.name", "alice".to_owned()),
            ("realm.name", "native".to_owned()),
            ("client.address", "192.0.2.1".to_owned()),
            ("session.id", session.to_string()),
            ("operation", "user.create".to_owned()),
            ("subject", "x".to_owned()),
        ];
        assert_eq!((asked.event.as_deref(), asked.fields), (Some("login"), fields.to_vec()));
        assert_eq!((asked.since, asked.until), (Some(Moment::from_millis(1)), Some(Moment::from_millis(2))));
        assert!(asked.oldest_first);
    }
}
