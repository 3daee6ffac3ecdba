//! Part of step 7: answers the proxy that holds a request which may pass. The answer says in fields what the request's head would
//! say to a backend of ours: who it is, the cookies that are not for us, and what to take out.

use auth::trust::Permit;

use crate::answer::Answer;
use crate::cookies;
use crate::h1::{Known, trim};
use crate::house::{House, Mounted};
use crate::refusal::Refusal;
use crate::way::clean::Clean;
use crate::way::{Forward, identity_token, shown};

/// The field by which Envoy is told what to take out of the request (its filter `ext_authz`, over HTTP).
const TO_REMOVE: &str = "x-envoy-auth-headers-to-remove";

/// The answer.
///
/// # Errors
/// Where the backend is to get a token and nothing can be signed.
pub(crate) fn vouch(house: &House, action: &Forward<'_>, permit: &Permit) -> Result<Answer, Refusal> {
    let Forward { clean, mount, .. } = action;
    let mut told: Vec<(String, String)> = Vec::new();
    if let Some(known) = permit.caller().known() {
        mount.dialect.identify(known, &mut |name, value| told.push((name.to_owned(), shown(value))));
        // A token is worth something to whoever reaches the backend past the proxy: only where the settings say so.
        if let Some(identity) = action.identity.filter(|identity| identity.is_for_askers()) {
            let token = identity_token(house, identity, known)?;
            told.push((identity.field().to_owned(), identity.value(&token)));
        }
    }
    let left = cookies_left(clean, mount);
    if !left.is_empty() {
        told.push(("Cookie".to_owned(), left));
    }
    let answer = Answer::empty(200).field(TO_REMOVE, to_remove(house, mount, &told));
    Ok(told.into_iter().fold(answer, |answer, (name, value)| answer.field(name, value)))
}

/// The client's cookies without the session's, in one line.
fn cookies_left(clean: &Clean<'_>, mount: &Mounted) -> String {
    let is_sessions = |cookie: &[u8]| mount.session_cookies.iter().any(|name| name.as_bytes() == cookie);
    let mut left = Vec::new();
    for field in clean.fields().filter(|field| field.known == Known::Cookie) {
        let before = left.len();
        if before > 0 {
            left.extend_from_slice(b"; ");
        }
        if !cookies::without(field.value, is_sessions, &mut left) {
            left.truncate(before);
        }
    }
    // A pair that is not text cannot stand in an answer.
    String::from_utf8(left).unwrap_or_else(|fault| {
        let pieces = fault.as_bytes().split(|&byte| byte == b';');
        let texts: Vec<&str> = pieces.filter_map(|piece| str::from_utf8(trim(piece)).ok()).collect();
        texts.join("; ")
    })
}

/// The names of the fields that the backend must not have from the client, and that are not told anew.
fn to_remove(house: &House, mount: &Mounted, told: &[(String, String)]) -> String {
    let directory = house.kernel.directory().present();
    let always = house.kept_back.iter().chain(directory.asserting_fields()).map(|name| &**name);
    let all = always.chain(mount.dialect.credential_fields().iter().copied());
    let is_told = |name: &&str| told.iter().any(|(field, _)| field.eq_ignore_ascii_case(name));
    let names: Vec<&str> = all.filter(|name| !is_told(name)).collect();
    names.join(", ")
}
