//! The API's description against the API: schemathesis reads `docs/openapi.json` and looks for an answer that it does not
//! describe, as an administrator, as a user with few rights, and as a stranger (issue 3, part 8). What is at the root of the gateway is
//! tried in a run of its own: the client knows one URL, and not the servers of paths.
//!
//! `cargo xtask test` installs schemathesis (`xtask/schemathesis.txt`). `DOORWARD_API_EXAMPLES` is how many inputs each operation
//! is tried with; `DOORWARD_API_SEED` chooses others, and is printed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dialects::{Fusion, Tokens};
use serde_json::{Value, json};
use testkit::{Doorward, Recorder};

use crate::common::{BINARY, PASSWORD, as_admin, ask, basic, command, new_user};

const LONG: &str = "a good long password";
/// Inputs for each operation where the environment asks for no other number.
const EXAMPLES: &str = "6";
/// The seed where the environment asks for no other.
const SEED: &str = "20261122";

/// What is looked at in every answer. Not asked for, because we mean to be otherwise:
/// `positive_data_acceptance` (a form does not say which roles exist, or that a name is taken),
/// `missing_required_header` (we require none), `object_level_authorization` (who sees what is the matrix's,
/// `permissions.txt`), `allow_header_conformance` (`OPTIONS` is asked as any method is: for those who are known).
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
     response_headers_conformance,response_schema_conformance,negative_data_rejection,use_after_free,\
     ensure_resource_availability,ignored_auth,unsupported_method";

/// Where xtask puts the client.
fn client() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let client = root.join("target/tools/schemathesis/bin/st");
    assert!(client.is_file(), "schemathesis is not there: run `cargo xtask test`, which installs it");
    client
}

/// A gateway where a client that guesses is not slowed: what is tried here is the description, not the throttle.
fn gateway(backend: &Recorder) -> Doorward {
    let settings = format!(
        "[login]\nattempts_per_address = 1000000\nattempts_per_user = 100\nmin_password_length = 8\n[log]\nrequests = false\n\
         [[mount]]\npath = \"/api\"\ndialect = \"fusion\"\nupstream = \"{}\"\n",
        backend.url()
    );
    Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start()
}

fn named(variable: &str, otherwise: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| otherwise.to_owned())
}

/// What of the document is tried.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// What is below the mount.
    Mount,
    /// What is beside the mounts.
    Root,
}

impl Place {
    fn path(self) -> &'static str {
        match self {
            Self::Mount => "/api",
            Self::Root => "",
        }
    }

    /// How many operations there are.
    fn operations(self) -> usize {
        match self {
            Self::Mount => Fusion::endpoints().count(),
            Self::Root => Tokens::endpoints().count(),
        }
    }

    /// Leaves of a document what is here.
    fn narrow(self, document: &mut Value) {
        let paths = document["paths"].as_object_mut().unwrap();
        paths.retain(|_, path| path.get("servers").is_some() == matches!(self, Self::Root));
    }
}

/// What the client is to do.
struct Task<'a> {
    /// A name and a password; none for a stranger.
    credentials: Option<(&'a str, &'a str)>,
    phases: &'a str,
    checks: &'a str,
    more: &'a [&'a str],
}

impl Task<'_> {
    /// Runs the client against this place of this gateway; `change` is what is made of the document before. Answers whether it found nothing, and
    /// what it said.
    #[expect(clippy::print_stdout, reason = "what a run was like is for whoever repeats it")]
    fn run(&self, gateway: &Doorward, place: Place, change: impl FnOnce(&mut Value)) -> (bool, String) {
        let folder = gateway.folder();
        let printed = command(gateway, &["openapi"], &[]);
        assert_eq!(printed.code, Some(0), "{printed:#?}");
        let mut document = serde_json::from_str(&printed.stdout).unwrap();
        place.narrow(&mut document);
        change(&mut document);
        std::fs::write(folder.join("openapi.json"), document.to_string()).unwrap();
        std::fs::write(folder.join("schemathesis.toml"), settings(self.credentials)).unwrap();
        let seed = named("DOORWARD_API_SEED", SEED);
        let examples = named("DOORWARD_API_EXAMPLES", EXAMPLES);
        println!("schemathesis: --seed {seed} --max-examples {examples} --phases {}", self.phases);
        let output = Command::new(client())
            .current_dir(folder)
            .args(["--config-file", "schemathesis.toml", "run", "openapi.json"])
            .args(["--url", &format!("{}{}", gateway.url(), place.path()), "--phases", self.phases])
            .args(["--checks", self.checks, "--seed", &seed, "--max-examples", &examples])
            .args(["--no-color", "--generation-database", "none", "--request-timeout", "30"])
            .args(["--warnings", "off"])
            .args(self.more)
            .stdin(Stdio::null())
            .output()
            .expect("the client runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        println!("{said}");
        (output.status.success(), said)
    }

    /// Runs the client, which must find nothing.
    fn finds_nothing(&self, gateway: &Doorward) {
        for place in [Place::Root, Place::Mount] {
            let (found_nothing, said) = self.run(gateway, place, |_| ());
            assert!(found_nothing, "the API is not what its description says, {place:?}:\n{said}");
            let tested = format!("Tested: {}", place.operations());
            assert!(said.contains(&tested), "not every operation was tried, {place:?}:\n{said}");
        }
    }
}

/// What the client is told in its settings file: there a password is in no list of processes.
fn settings(credentials: Option<(&str, &str)>) -> String {
    let mut text = String::from(
        // What HTTP's newest methods get is HTTP's 501 (RFC 9110 section 15.6.2), so `QUERY` is not tried.
        "[cache]\nenabled = false\n[phases.coverage]\n\
         unexpected-methods = [\"GET\", \"PUT\", \"POST\", \"DELETE\", \"OPTIONS\", \"PATCH\", \"TRACE\"]\n\
         [generation]\nwith-security-parameters = false\n\
         [checks.negative_data_rejection]\nexpected-statuses = [400, 401, 403, 404, 409, 412, 413, 414, 415, 431]\n",
    );
    if let Some((name, password)) = credentials {
        text.push_str(&format!("[auth.openapi.basic]\nusername = {name:?}\npassword = {password:?}\n"));
    }
    text
}

/// Makes the administrator that the client is. He may all but what would end the run: change himself, the role he has, and
/// the realm he is of.
fn administrator(address: SocketAddr) -> &'static str {
    let id = new_user(address, "machine", LONG, &["admin"]);
    let found = |path: &str| as_admin(address, "GET", path, "").1;
    let role = found("/roles?name=admin")[0]["id"].as_str().unwrap().to_owned();
    let mut except = vec![format!("/users/{id}"), format!("/users/{id}/**"), format!("/roles/{role}")];
    except.extend(
        found("/realm-configs")
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|realm| Some(format!("/realm-configs/{}", realm["id"].as_str()?))),
    );
    let own = json!({ "permissions": [{ "methods": ["*"], "path": "/**", "except": except }] });
    let (status, told) = as_admin(address, "PATCH", &format!("/users/{id}"), &own.to_string());
    assert_eq!(status, 200, "{told}");
    "machine"
}

/// The client must be at the end who it was at the beginning, or the run showed nothing.
fn assert_still_known(address: SocketAddr, name: &str) {
    let answer = ask(address, "GET", "/api/session", &[("Authorization", &basic(name, LONG))], "");
    assert_eq!(answer.status, 200, "the client locked itself out: {}", answer.body_text());
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["user"]["username"], name);
}

#[test]
fn an_administrator_gets_no_answer_that_is_not_described() {
    let backend = Recorder::start();
    let gateway = gateway(&backend);
    let name = administrator(gateway.address());
    let phases = "examples,coverage,fuzzing,stateful";
    Task { credentials: Some((name, LONG)), phases, checks: CHECKS, more: &[] }.finds_nothing(&gateway);
    assert_still_known(gateway.address(), name);
    assert!(backend.requests().is_empty(), "what is described is never the backend's");
}

#[test]
fn a_user_with_few_rights_gets_no_answer_that_is_not_described() {
    let backend = Recorder::start();
    let gateway = gateway(&backend);
    new_user(gateway.address(), "few", LONG, &["readonly"]);
    let phases = "examples,coverage,fuzzing";
    Task { credentials: Some(("few", LONG)), phases, checks: CHECKS, more: &[] }.finds_nothing(&gateway);
    assert_still_known(gateway.address(), "few");
    assert!(backend.requests().is_empty(), "what is described is never the backend's");
}

#[test]
fn a_stranger_gets_no_answer_that_is_not_described() {
    let backend = Recorder::start();
    let gateway = gateway(&backend);
    // A stranger is not told which methods there are, so `unsupported_method` (405 with `Allow`) is not for him.
    let checks = &CHECKS.replace(",unsupported_method", "");
    Task { credentials: None, phases: "examples,coverage,fuzzing", checks, more: &[] }
        .finds_nothing(&gateway);
    assert!(backend.requests().is_empty(), "what is described is never the backend's");
}

/// What finds nothing must be able to find something.
#[test]
fn a_description_that_is_not_true_is_found_out() {
    type Lie = fn(&mut Value);
    let lies: [(&str, Lie); 3] = [
        ("409", |document| {
            let answers = document["paths"]["/users"]["post"]["responses"].as_object_mut().unwrap();
            assert!(answers.remove("409").is_some());
        }),
        ("enabled", |document| {
            let schemas = document["components"]["schemas"].as_object_mut().unwrap();
            schemas["UserWithStrength"]["properties"]["enabled"]["type"] = json!("string");
        }),
        ("X-Nowhere", |document| {
            let list = &mut document["paths"]["/users"]["get"]["responses"]["200"];
            list["headers"]["X-Nowhere"] = json!({ "required": true, "schema": { "type": "string" } });
        }),
    ];
    let backend = Recorder::start();
    for (word, lie) in lies {
        let gateway = gateway(&backend);
        let credentials = Some((administrator(gateway.address()), LONG));
        let more = &["--include-path", "/users"];
        let task = Task { credentials, phases: "examples,coverage", checks: CHECKS, more };
        let (found_nothing, said) = task.run(&gateway, Place::Mount, lie);
        assert!(!found_nothing && said.contains(word), "{word}: {said}");
    }
}
