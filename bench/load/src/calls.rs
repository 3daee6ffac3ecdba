//! The administrator's calls: what he asks, what must come back, and how often he can ask it.
//!
//! Called by `administer` and, on the wire, by `engine`. Must never take an answer for good that did not do what was asked: a
//! revocation of nobody is fast.

use std::ops::Range;

use crate::Outcome;
use crate::population::{self, MANY, Population, SESSIONS_PER_APP, TEN};
use crate::proxies::PASSWORD;

/// One kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ListTen,
    ListMany,
    RevokeTen,
    RevokeMany,
    PatchRole,
    PageOfSessions,
    FewOfRealm,
    PageOfUsers,
    CreateUser,
    DeleteUser,
    CreateKey,
    DeleteKey,
    RevokeApp,
}

impl Kind {
    /// As reports call it, and the milliseconds that issue 3 allows for it.
    pub(crate) fn described(self) -> (&'static str, Option<f64>) {
        match self {
            Self::ListTen => ("`GET /sessions?user=` of 10", Some(5.0)),
            Self::ListMany => ("`GET /sessions?user=&limit=1000` of 1,000", Some(5.0)),
            Self::RevokeTen => ("`DELETE /users/ID/sessions` of 10", Some(50.0)),
            Self::RevokeMany => ("`DELETE /users/ID/sessions` of 1,000", Some(50.0)),
            Self::PatchRole => ("`PATCH /roles/ID` that 10,000 sessions have", Some(100.0)),
            Self::PageOfSessions => ("`GET /sessions?limit=100`", None),
            Self::FewOfRealm => ("`GET /sessions?realm=`: 5 of all", None),
            Self::PageOfUsers => ("`GET /users?limit=100`", None),
            Self::CreateUser => ("`POST /users`, with a password", None),
            Self::DeleteUser => ("`DELETE /users/ID`", None),
            Self::CreateKey => ("`POST /api-keys`", None),
            Self::DeleteKey => ("`DELETE /api-keys/ID`", None),
            Self::RevokeApp => ("`DELETE /sessions?app=` of 10,000", None),
        }
    }
}

/// What a script asks over and over: one kind of call, or a making and its undoing in turns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Script {
    Of(Kind),
    Users,
    Keys,
}

impl Script {
    /// In the order in which they are measured: those that take sessions away come last.
    pub(crate) const ALL: [Self; 11] = [
        Self::Of(Kind::ListTen),
        Self::Of(Kind::ListMany),
        Self::Of(Kind::PageOfSessions),
        Self::Of(Kind::FewOfRealm),
        Self::Of(Kind::PageOfUsers),
        Self::Of(Kind::PatchRole),
        Self::Users,
        Self::Keys,
        Self::Of(Kind::RevokeTen),
        Self::Of(Kind::RevokeMany),
        Self::Of(Kind::RevokeApp),
    ];

    /// Whether reports call one of its calls by a name with this text in it.
    pub(crate) fn is_called(self, text: &str) -> bool {
        self.kinds().iter().any(|kind| kind.described().0.contains(text))
    }

    /// The kinds of call that it makes.
    pub(crate) fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Of(kind) => vec![kind],
            Self::Users => vec![Kind::CreateUser, Kind::DeleteUser],
            Self::Keys => vec![Kind::CreateKey, Kind::DeleteKey],
        }
    }
}

/// Who is left for calls that take something away, across all slices.
pub(crate) struct Supplies {
    pub(crate) population: Population,
    role: String,
    left_ten: Range<usize>,
    left_many: Range<usize>,
    left_apps: Range<usize>,
    made: usize,
}

/// A call to be sent.
pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
}

impl Supplies {
    /// `role` is the id of the role `crowd`.
    pub(crate) fn new(population: Population, role: String) -> Self {
        Self {
            left_ten: population.ten.clone(),
            // The first of those with many is looked at.
            left_many: population.many.start + 1..population.many.end,
            left_apps: 0..population.apps,
            made: 0,
            role,
            population,
        }
    }

    /// The next call of a script; `None` where nobody is left for it, or `most` of them were made.
    pub(crate) fn next(
        &mut self,
        script: Script,
        place: usize,
        last: &str,
        session: &str,
    ) -> Outcome<Option<Call>> {
        let kinds = script.kinds();
        let kind = kinds[place % kinds.len()];
        let line = match kind {
            Kind::ListTen => {
                let seen = &self.population.seen;
                let number = seen.start + place * 7_919 % seen.len();
                format!("GET /api/sessions?user={}", population::id_of(number)?)
            }
            Kind::ListMany => {
                let id = population::id_of(self.population.many.start)?;
                format!("GET /api/sessions?user={id}&limit=1000")
            }
            Kind::RevokeTen | Kind::RevokeMany => {
                let left = if kind == Kind::RevokeTen { &mut self.left_ten } else { &mut self.left_many };
                let Some(number) = left.next() else { return Ok(None) };
                format!("DELETE /api/users/{}/sessions", population::id_of(number)?)
            }
            Kind::RevokeApp => {
                let Some(number) = self.left_apps.next() else { return Ok(None) };
                format!("DELETE /api/sessions?app=app{number}")
            }
            Kind::PatchRole => format!("PATCH /api/roles/{}", self.role),
            Kind::PageOfSessions => "GET /api/sessions?limit=100".to_owned(),
            Kind::FewOfRealm => "GET /api/sessions?realm=few".to_owned(),
            Kind::PageOfUsers => "GET /api/users?limit=100".to_owned(),
            Kind::CreateUser => "POST /api/users".to_owned(),
            Kind::CreateKey => "POST /api/api-keys".to_owned(),
            Kind::DeleteUser => format!("DELETE /api/users/{last}"),
            Kind::DeleteKey => format!("DELETE /api/api-keys/{last}"),
        };
        self.made += 1;
        let body = body(kind, self.made);
        Ok(Some(Call { kind, bytes: request(&line, session, &body) }))
    }
}

/// What a call sends; `number` is another one each time.
fn body(kind: Kind, number: usize) -> String {
    match kind {
        Kind::PatchRole => {
            let rules: Vec<_> = (0..10)
                .map(|rule| format!(r#"{{"methods":["GET"],"path":"/collections/c{number}-{rule}/**"}}"#))
                .collect();
            format!(r#"{{"permissions":[{}]}}"#, rules.join(","))
        }
        Kind::CreateUser => format!(
            r#"{{"username":"made{number}","password":"{PASSWORD} {number}","roleNames":["developer"]}}"#
        ),
        Kind::CreateKey => format!(r#"{{"name":"made {number}"}}"#),
        _ => String::new(),
    }
}

/// A request with the administrator's session.
pub(crate) fn request(line: &str, session: &str, body: &str) -> Vec<u8> {
    let content = match body.len() {
        0 => String::new(),
        length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
    };
    format!("{line} HTTP/1.1\r\nHost: gateway.example:8764\r\nCookie: id={session}\r\n{content}\r\n{body}")
        .into_bytes()
}

/// Whether the answer says that what was asked was done.
pub(crate) fn is_good(kind: Kind, status: u16, body: &str) -> bool {
    let entries = |wanted: usize| status == 200 && body.matches("\"id\":").count() >= wanted;
    match kind {
        Kind::ListTen => entries(TEN),
        Kind::ListMany => entries(MANY),
        Kind::PageOfSessions | Kind::PageOfUsers => entries(100),
        Kind::FewOfRealm => entries(population::FEW),
        Kind::RevokeTen | Kind::RevokeMany | Kind::DeleteUser | Kind::DeleteKey => status == 204,
        Kind::PatchRole => status == 200,
        Kind::CreateUser | Kind::CreateKey => status == 201,
        Kind::RevokeApp => status == 200 && body.contains(&format!("\"ended\":{SESSIONS_PER_APP}")),
    }
}

/// The id that a thing that was just made has.
pub(crate) fn id_in(body: &str) -> Option<&str> {
    body.split("\"id\":\"").nth(1)?.split('"').next()
}
