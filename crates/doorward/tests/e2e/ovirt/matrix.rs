//! The 96 combinations that the session table implies. What is expected of each comes from `Model`, which is written from the
//! table's rows and knows nothing of the code.

use testkit::Recorder;

use super::{API, Engine, USERS, id_of, login};
use crate::common::basic;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cookie {
    None,
    Live,
    Dead,
    /// A live session of another mount.
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefer {
    None,
    Persistent,
    WithNewAuth,
    UpperCase,
    SecondLine,
    /// Without `persistent-auth`, which it needs.
    OnlyNewAuth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    None,
    Good,
    Wrong,
    Bearer,
}

const COOKIES: [Cookie; 4] = [Cookie::None, Cookie::Live, Cookie::Dead, Cookie::Foreign];
const PREFERENCES: [Prefer; 6] = [
    Prefer::None,
    Prefer::Persistent,
    Prefer::WithNewAuth,
    Prefer::UpperCase,
    Prefer::SecondLine,
    Prefer::OnlyNewAuth,
];
const SHOWN: [Shown; 4] = [Shown::None, Shown::Good, Shown::Wrong, Shown::Bearer];

/// The users: whose cookie, whose password, whose token.
const OF_COOKIE: &str = USERS[0];
const OF_PASSWORD: &str = USERS[1];
const OF_TOKEN: &str = USERS[2];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SetCookie {
    Nothing,
    New,
    Removed,
}

/// What the table says of one combination.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Model {
    status: u16,
    set_cookie: SetCookie,
    /// As whose request it reached the backend.
    reached: Option<&'static str>,
    /// Whether the session of the cookie lives afterwards, where it did before.
    cookie_lives: bool,
    /// Whether there is one that was not there before.
    begun: bool,
}

fn model(cookie: Cookie, prefer: Prefer, shown: Shown) -> Model {
    let persistent = !matches!(prefer, Prefer::None | Prefer::OnlyNewAuth);
    let new_auth = prefer == Prefer::WithNewAuth;
    let live = cookie == Cookie::Live;
    // Row 3; row 6 takes it from those who show something else.
    if live && persistent && !(new_auth && shown != Shown::None) {
        let reached = Some(OF_COOKIE);
        return Model {
            status: 200,
            set_cookie: SetCookie::Nothing,
            reached,
            cookie_lives: true,
            begun: false,
        };
    }
    let reached = match shown {
        // Rows 4, 7 and 9.
        Shown::None | Shown::Wrong => {
            let set_cookie = SetCookie::Nothing;
            return Model { status: 401, set_cookie, reached: None, cookie_lives: false, begun: false };
        }
        Shown::Good => Some(OF_PASSWORD),
        Shown::Bearer => Some(OF_TOKEN),
    };
    let set_cookie = match (persistent, live) {
        // Rows 2, 6, 8 and 11.
        (true, _) => SetCookie::New,
        // Row 5.
        (false, true) => SetCookie::Removed,
        // Rows 1 and 10.
        (false, false) => SetCookie::Nothing,
    };
    Model { status: 200, set_cookie, reached, cookie_lives: false, begun: persistent }
}

/// Sends one combination and looks at everything.
fn seen(engine: &Engine, cookie: Cookie, prefer: Prefer, shown: Shown) -> Model {
    let scope = API.replace('/', "%2F");
    assert_eq!(engine.admin("DELETE", &format!("/sessions?mount={scope}"), "").0, 200);
    let id = match cookie {
        Cookie::None => String::new(),
        Cookie::Live => engine.log_in(OF_COOKIE),
        Cookie::Dead => {
            let id = engine.log_in(OF_COOKIE);
            assert_eq!(engine.get(&[("Cookie", &format!("JSESSIONID={id}"))]).status, 401);
            id
        }
        Cookie::Foreign => other_mounts(engine, &[super::PERSISTENT, ("Authorization", &login(OF_COOKIE))]),
    };
    let token = engine.token(OF_TOKEN);
    let authorization = match shown {
        Shown::None => None,
        Shown::Good => Some(login(OF_PASSWORD)),
        Shown::Wrong => Some(basic(&format!("{OF_PASSWORD}@internal"), "wrong")),
        Shown::Bearer => Some(format!("Bearer {token}")),
    };
    let jar = format!("other=1; JSESSIONID={id};");
    let mut headers: Vec<(&str, &str)> = match prefer {
        Prefer::None => vec![],
        Prefer::Persistent => vec![("Prefer", "persistent-auth")],
        Prefer::WithNewAuth => vec![("Prefer", "persistent-auth, new-auth")],
        Prefer::UpperCase => vec![("PREFER", "PERSISTENT-AUTH")],
        Prefer::SecondLine => vec![("Prefer", "respond-async, wait=10"), ("Prefer", "persistent-auth")],
        Prefer::OnlyNewAuth => vec![("Prefer", "new-auth")],
    };
    headers.extend((cookie != Cookie::None).then_some(("cookie", jar.as_str())));
    headers.extend(authorization.as_deref().map(|value| ("Authorization", value)));
    engine.reached();
    let before: Vec<_> = engine.sessions();
    let answer = engine.get(&headers);
    let reached = engine.reached();
    let after = engine.sessions();
    let case = format!("{cookie:?} {prefer:?} {shown:?}: {}", answer.head_text());
    assert_eq!(answer.header_values("vary"), ["Prefer"], "{case}");
    assert_eq!(answer.header_values("www-authenticate").len(), usize::from(answer.status == 401), "{case}");
    let persistent = !matches!(prefer, Prefer::None | Prefer::OnlyNewAuth);
    let applied = persistent && answer.status == 200;
    assert_eq!(answer.header("preference-applied").is_some(), applied, "{case}");
    // A session of a token is nobody's but the token's.
    assert_eq!(engine.get(&[("Authorization", &format!("Bearer {token}"))]).status, 200, "{case}");
    if cookie == Cookie::Foreign {
        let jar = format!("JSESSIONID={id}");
        other_mounts(engine, &[super::PERSISTENT, ("Cookie", &jar)]);
    }
    let is_of = |list: &[serde_json::Value], session: &serde_json::Value| {
        list.iter().any(|other| other["id"] == session["id"])
    };
    let begun = after.iter().filter(|session| !is_of(&before, session)).count();
    let set_cookie = match id_of(&answer) {
        None => SetCookie::Nothing,
        Some("") => SetCookie::Removed,
        Some(new) => {
            assert_ne!(new, id, "{case}");
            assert!(engine.lives(new), "{case}");
            SetCookie::New
        }
    };
    let cookie_lives = cookie == Cookie::Live && engine.lives(&id);
    assert!(begun <= 1, "{case}");
    let gone = before.iter().filter(|session| !is_of(&after, session)).count();
    assert_eq!(gone, usize::from(cookie == Cookie::Live && !cookie_lives), "{case}");
    let users: Vec<Option<&'static str>> = reached
        .iter()
        .map(|(_, _, user)| USERS.into_iter().find(|known| Some(*known) == user.as_deref()))
        .collect();
    assert!(users.len() <= 1, "{case}");
    Model {
        status: answer.status,
        set_cookie,
        reached: users.first().copied().flatten(),
        cookie_lives,
        begun: begun == 1,
    }
}

/// A request to the other mount, which must be answered; the id that it gives, if it gives one.
fn other_mounts(engine: &Engine, headers: &[(&str, &str)]) -> String {
    let bytes = testkit::raw::request("GET", "/lab/api/vms", headers, "");
    let answer = testkit::raw::once(engine.address(), bytes);
    assert_eq!(answer.status, 200, "{}", answer.head_text());
    id_of(&answer).unwrap_or_default().to_owned()
}

#[test]
fn contract_the_96_combinations() {
    // Both mounts have the same backend: what matters is whose the sessions are.
    let backend = Recorder::start();
    let url = backend.url();
    let other = format!("[[mount]]\npath = \"/lab/api\"\ndialect = \"ovirt\"\nupstream = \"{url}\"\n");
    let engine = Engine::before(backend, API, &other, "");
    let (mut count, mut wrong) = (0, Vec::new());
    for cookie in COOKIES {
        for prefer in PREFERENCES {
            for shown in SHOWN {
                let (expected, found) = (model(cookie, prefer, shown), seen(&engine, cookie, prefer, shown));
                if expected != found {
                    wrong.push(format!(
                        "{cookie:?} {prefer:?} {shown:?}:\n  expected {expected:?}\n  found    {found:?}"
                    ));
                }
                count += 1;
            }
        }
    }
    assert_eq!(count, 96);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
