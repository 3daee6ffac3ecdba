//! What a decision of the permissions costs: 1,000 rules, in one role and spread over many, and what a change of them costs.
//!
//! Called by `main`. Must never measure anything but what a request asks ([`Snapshot::permission`]), and must never quote a
//! case whose answers it did not check.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::directory::Snapshot;
use auth::permission::{Matcher, Matrix, Method, Permission};
use auth::{
    DirectoryImage, Moment, Realm, RealmFault, RealmMaker, RealmName, RealmRecord, Role, RoleName,
    Unmakeable, User, UserId, Username,
};

use crate::Outcome;
use crate::arguments::Arguments;
use crate::machine;
use crate::report;
use crate::statistics::Spread;

/// Rules of the user who asks, in every case.
pub(crate) const RULES: usize = 1_000;
/// A case is asked in batches of at least this length: well above what reading the clock costs.
const BATCH: Duration = Duration::from_micros(200);
/// Batches of a case.
const BATCHES: usize = 500;
/// Levels of the rules that make a search branch most: two to the power of this are nearly [`RULES`].
const LEVELS: u32 = 9;

/// What a case showed: nanoseconds of one decision, by batches.
pub(crate) struct Decided {
    pub(crate) name: &'static str,
    pub(crate) roles: usize,
    pub(crate) nanoseconds: Spread,
    pub(crate) p99: f64,
}

/// What changing the rules showed: microseconds of compiling them.
pub(crate) struct Compiled {
    pub(crate) name: &'static str,
    pub(crate) microseconds: Spread,
}

/// Rules, how many roles they are spread over, and what is asked of them.
struct Case {
    name: &'static str,
    rules: Vec<String>,
    roles: usize,
    paths: Vec<String>,
    method: Method,
    allowed: bool,
}

/// `load decide`.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    machine::pin(machine::PROXY_CORE)?;
    let mut decided = Vec::new();
    for case in cases() {
        let shown = decide(&case)?;
        eprintln!("{}, {} roles: {:.0} ns", shown.name, shown.roles, shown.nanoseconds.median);
        decided.push(shown);
    }
    let text = report::decisions(&decided, &compilations()?);
    println!("{text}");
    report::write(arguments, "decisions", &text)
}

/// `hit`: each path is covered by one of the rules, another one each time; `miss`: by none.
fn cases() -> Vec<Case> {
    let name = |number: usize| format!("c{number:04}");
    let each =
        |make: &dyn Fn(String) -> String| (0..RULES).map(|number| make(name(number))).collect::<Vec<_>>();
    let prefixes = each(&|name| format!("GET,POST:/collections/{name}/**"));
    let exact = each(&|name| format!("GET:/apps/{name}/settings"));
    let bound = each(&|name| format!("GET:/collections/{{id}}/**:id={name}"));
    let inside = each(&|name| format!("GET:/collections/*/{name}/*/documents"));
    let hits = each(&|name| format!("/collections/{name}/query/select"));
    let misses = each(&|name| format!("/collections/{name}x/query/select"));
    let case = |name, rules: &[String], roles, paths: &[String], allowed| Case {
        name,
        rules: rules.to_vec(),
        roles,
        paths: paths.to_vec(),
        method: Method::Get,
        allowed,
    };
    let mut cases = vec![
        case("prefixes, hit", &prefixes, 1, &hits, true),
        case("prefixes, miss", &prefixes, 1, &misses, false),
        case("whole paths, hit", &exact, 1, &each(&|name| format!("/apps/{name}/settings")), true),
        case("placeholders bound to a value, hit", &bound, 1, &hits, true),
        case(
            "names behind `*`, hit",
            &inside,
            1,
            &each(&|name| format!("/collections/x/{name}/y/documents")),
            true,
        ),
    ];
    for roles in [10, 100, 250] {
        cases.push(case("prefixes, hit", &prefixes, roles, &hits, true));
        cases.push(case("prefixes, miss", &prefixes, roles, &misses, false));
    }
    cases.extend(worst_cases());
    cases
}

/// What an administrator could write to make decisions dear, as far as 1,000 rules go.
fn worst_cases() -> Vec<Case> {
    let case =
        |name, rules, paths, allowed| Case { name, rules, roles: 1, paths, method: Method::Get, allowed };
    let deep = format!("/a{}", "/b".repeat(100));
    let branching = (0..1_u32 << LEVELS).flat_map(|number| {
        let segments: String =
            (0..LEVELS).map(|bit| if number >> bit & 1 == 0 { "/a" } else { "/*" }).collect();
        [format!("GET:{segments}/x"), format!("GET:{segments}/y")]
    });
    let same_pattern = (0..RULES).map(|_| "POST:/data/*".to_owned());
    let excepted = (0..RULES).map(|number| format!("GET:/**:!/private/**;!/c{number}/**"));
    let twice = format!(
        "GET:{}/x:{}",
        placeholders(20, "/{p@}"),
        placeholders(20, ";p@=#ID,@ID@").trim_start_matches(';')
    );
    vec![
        case("worst: a hundred segments below one rule's `**`", deep_rules(), vec![deep.clone()], true),
        case("worst: a hundred segments, miss", deep_rules(), vec![format!("/z{deep}")], false),
        case(
            "worst: every level is `a` or `*`, miss",
            branching.collect(),
            vec![format!("{}/z", "/a".repeat(LEVELS as usize))],
            false,
        ),
        case("worst: one pattern, another method", same_pattern.collect(), vec!["/data/x".to_owned()], false),
        case(
            "worst: `**` with an exception that holds",
            excepted.collect(),
            vec!["/private/x".to_owned()],
            false,
        ),
        case(
            "worst: 20 values that are `#ID` and the id, miss",
            vec![twice],
            vec![format!("{}/z", "/@ID@".repeat(20))],
            false,
        ),
        case(
            "worst: segments with parameters (three readings)",
            deep_rules(),
            vec![format!("{deep};v=1")],
            true,
        ),
    ]
}

fn placeholders(count: usize, each: &str) -> String {
    (0..count).map(|number| each.replacen('@', &number.to_string(), 1)).collect()
}

fn deep_rules() -> Vec<String> {
    (0..RULES)
        .map(|number| format!("GET:/a{}/c{number}/**", "/b".repeat(number % 100)))
        .chain(["GET:/a/**".to_owned()])
        .collect()
}

fn decide(case: &Case) -> Outcome<Decided> {
    let (snapshot, id) = snapshot(&case.rules, case.roles)?;
    let account = snapshot.account(&id).ok_or("no user")?;
    let paths: Vec<String> = case.paths.iter().map(|path| path.replace("@ID@", &account.id_text)).collect();
    let ask = |path: &str| snapshot.permission(account, case.method, path, Matrix::Strict).is_some();
    if let Some(wrong) = paths.iter().find(|path| ask(path) != case.allowed) {
        return Err(format!("{}: {wrong} was decided wrongly", case.name).into());
    }
    let mut next = order(paths.len());
    let mut repetitions = 1_usize;
    let mut costs = Vec::new();
    while costs.len() < BATCHES {
        let begin = Instant::now();
        for _ in 0..repetitions {
            black_box(ask(black_box(&paths[next()])));
        }
        let took = begin.elapsed();
        // The first batches find the number of repetitions, and warm up.
        if took < BATCH && repetitions < 1 << 20 {
            repetitions *= 2;
            costs.clear();
            continue;
        }
        costs.push(took.as_secs_f64() * 1e9 / repetitions as f64);
        // A case that takes seconds says enough in a few batches.
        if took > BATCH * 1_000 && costs.len() >= 3 {
            break;
        }
    }
    costs.sort_by(f64::total_cmp);
    let p99 = costs[(costs.len() * 99).div_ceil(100) - 1];
    let nanoseconds = Spread::of(&costs).ok_or("nothing was measured")?;
    Ok(Decided { name: case.name, roles: case.roles, nanoseconds, p99 })
}

/// Places among `count` in an order that no processor guesses.
fn order(count: usize) -> impl FnMut() -> usize {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % count as u64) as usize
    }
}

/// What a change of a role compiles.
fn compilations() -> Outcome<Vec<Compiled>> {
    let lists = [
        (
            "1,000 prefixes",
            (0..RULES).map(|number| format!("GET,POST:/collections/c{number:04}/**")).collect(),
        ),
        (
            "one rule with 1,000 values",
            vec![format!(
                "GET:/collections/{{id}}/**:id={}",
                (0..RULES).map(|number| format!("c{number:04}")).collect::<Vec<_>>().join(",")
            )],
        ),
        (
            "1,024 rules that branch on each level",
            worst_cases().into_iter().nth(2).map(|case| case.rules).unwrap_or_default(),
        ),
    ];
    lists
        .into_iter()
        .map(|(name, rules): (_, Vec<String>)| {
            let permissions =
                rules.iter().map(|rule| Ok(rule.parse()?)).collect::<Outcome<Vec<Permission>>>()?;
            let times: Vec<f64> = (0..200)
                .map(|_| {
                    let begin = Instant::now();
                    let matcher = black_box(Matcher::compile(black_box(&permissions)));
                    let took = begin.elapsed();
                    drop(matcher);
                    took.as_secs_f64() * 1e6
                })
                .collect();
            let microseconds = Spread::of(&times).ok_or("nothing was measured")?;
            Ok(Compiled { name, microseconds })
        })
        .collect()
}

/// A directory with one user who has these rules, dealt out to so many roles.
fn snapshot(rules: &[String], roles: usize) -> Outcome<(Snapshot, UserId)> {
    let now = Moment::from_millis(1_800_000_000_000);
    let name = |number: usize| RoleName::parse(&format!("role{number}"));
    let (realm, username) = (RealmName::native(), Username::chosen("user")?);
    let id = UserId::of(&realm, &username);
    let mut image = DirectoryImage::default();
    for number in 0..roles {
        let own = rules.iter().skip(number).step_by(roles).map(|rule| {
            let rule = rule.replace("@ID@", &id.to_string());
            rule.parse::<Permission>().map_err(|error| format!("{rule}: {error}"))
        });
        image.roles.push(Role {
            name: name(number)?,
            description: String::new(),
            permissions: own.collect::<Result<_, _>>()?,
            ui_permissions: Vec::new(),
            created: now,
            updated: now,
        });
    }
    image.users.push(User {
        id,
        realm,
        username,
        roles: (0..roles).map(name).collect::<Result<_, _>>()?,
        permissions: Vec::new(),
        enabled: true,
        password: None,
        vouched: auth::Vouched::default(),
        password_version: 1,
        created: now,
        updated: now,
    });
    Ok((Snapshot::new(image, Vec::new(), HashMap::new(), &NoRealms), id))
}

/// Decisions about permissions ask no realm.
struct NoRealms;

impl RealmMaker for NoRealms {
    fn make(&self, _: &RealmRecord) -> Result<Arc<dyn Realm>, RealmFault> {
        Ok(Arc::new(Unmakeable))
    }
}
