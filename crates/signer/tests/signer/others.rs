//! Others verify what is signed here: PyJWT, an independent library, by nothing but the published JWK Set.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth::{BearerClaims, Clock, Moment, SessionId, Signatory, SigningAlgorithm};
use serde_json::{Value, json};

use crate::house::{House, ISSUER, audience, user};

/// Reads tasks as JSON, one on each line, and answers each: the claims, or why the token is refused.
const VERIFIER: &str = r#"
import json, sys
import jwt

for line in sys.stdin:
    task = json.loads(line)
    try:
        keys = jwt.PyJWKSet.from_dict(task["keys"])
        key = keys[jwt.get_unverified_header(task["token"])["kid"]]
        claims = jwt.decode(task["token"], key, algorithms=[key.algorithm_name], audience=task["audience"],
                            issuer=task["issuer"], options={"require": ["exp", "iat", "sub"]})
        kind = jwt.get_unverified_header(task["token"])["typ"]
        if kind != task.get("kind", kind):
            raise KeyError(kind)
        print(json.dumps({"claims": claims}))
    except (jwt.PyJWTError, KeyError) as error:
        print(json.dumps({"refused": type(error).__name__}))
"#;

/// Where xtask puts PyJWT.
fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/pyjwt/bin/python3");
    assert!(python.is_file(), "PyJWT is not there: run `cargo xtask test`, which installs it");
    python
}

fn verify(tasks: &[Value]) -> Vec<Value> {
    let mut child = Command::new(python())
        .args(["-c", VERIFIER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = tasks.iter().map(|task| format!("{task}\n")).collect();
    // Dropped at once, so that the other side sees the end of it.
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "PyJWT's error is above");
    let answers = String::from_utf8(output.stdout).unwrap();
    answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn keys_of(house: &House) -> Value {
    serde_json::from_str(&house.signer.key_set(&house.snapshot())).unwrap()
}

fn task(token: &str, keys: &Value) -> Value {
    json!({ "token": token, "keys": keys, "audience": "https://search.internal", "issuer": ISSUER })
}

/// PyJWT's clock is the machine's.
#[expect(clippy::disallowed_methods, reason = "the other side reads the machine's clock")]
fn set_wall(house: &House) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    house.clock.set_wall(Moment::from_millis(u64::try_from(now).unwrap()));
}

#[tokio::test]
async fn pyjwt_takes_identity_tokens_across_rotations() {
    const NAMES: [&str; 4] = ["alice", "Ä \"quoted\" \\", "\u{1f980}\u{0301}", "'); DROP TABLE"];
    for algorithm in SigningAlgorithm::ALL {
        let house = House::with(algorithm, &NAMES).await;
        set_wall(&house);
        let (mut tasks, mut names) = (Vec::new(), Vec::new());
        let mut published_before = keys_of(&house);
        for _ in 0..3 {
            let mut tokens = Vec::new();
            for name in NAMES {
                let known = house.by_password(name).await;
                let token = house.token_for(&known, &audience("https://search.internal", 300));
                // A verifier that has not asked since the last rotation knows the key already.
                tasks.push(task(&token, &published_before));
                tokens.push(token);
                names.extend([name, name]);
            }
            published_before = keys_of(&house);
            house.rotate().await;
            // One that asked since still knows the one before.
            tasks.extend(tokens.iter().map(|token| task(token, &keys_of(&house))));
        }
        let answers = verify(&tasks);
        assert_eq!(answers.len(), 24);
        let mut found: Vec<_> = answers
            .iter()
            .map(|answer| {
                answer["claims"]["name"].as_str().unwrap_or_else(|| panic!("{algorithm:?}: {answer}"))
            })
            .collect();
        found.sort_unstable();
        names.sort_unstable();
        assert_eq!(found, names);
    }
}

#[tokio::test]
async fn pyjwt_refuses_what_is_not_for_it() {
    let house = House::new().await;
    let known = house.by_password("alice").await;
    set_wall(&house);
    let token = house.token_for(&known, &audience("https://search.internal", 60));
    let keys = keys_of(&house);
    let other_keys = keys_of(&House::new().await);
    house.withdraw().await;
    let without_it = keys_of(&house);
    house.clock.set_wall(house.clock.wall().minus(Duration::from_secs(120)));
    let expired = house.token_for(&known, &audience("https://search.internal", 61));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let changed = format!("{}AA.{signature}", &signed[..signed.len() - 2]);
    let claims = BearerClaims {
        subject: user("alice").id,
        session: SessionId::from_random([9; 16]),
        expires: house.clock.now().plus(Duration::from_secs(3_600)),
        unique: [1; 16],
    };
    let bearer = house.signer.bearer_token(&house.snapshot(), &claims, house.clock.now()).unwrap();
    let mut for_itself = task(bearer.expose(), &without_it);
    for_itself["audience"] = json!(ISSUER);
    // A gateway and a backend of one name: told apart by whoever asks for the kind.
    let mut as_identity = for_itself.clone();
    as_identity["kind"] = json!("JWT");
    let mut as_bearer = for_itself.clone();
    as_bearer["kind"] = json!("at+jwt");
    let mut elsewhere = task(&token, &keys);
    elsewhere["issuer"] = json!("https://evil.example.com");
    let tasks = [
        (task(&token, &keys), None),
        (for_itself, None),
        (as_bearer, None),
        (as_identity, Some("KeyError")),
        (task(bearer.expose(), &without_it), Some("InvalidAudienceError")),
        (elsewhere, Some("InvalidIssuerError")),
        (task(&expired, &without_it), Some("ExpiredSignatureError")),
        (task(&changed, &keys), Some("InvalidSignatureError")),
        (task(&token, &other_keys), Some("KeyError")),
        (task(&token, &without_it), Some("KeyError")),
    ];
    let answers = verify(&tasks.clone().map(|(task, _)| task));
    for ((task, refusal), answer) in tasks.iter().zip(&answers) {
        assert_eq!(answer["refused"].as_str(), *refusal, "{task}: {answer}");
    }
}
