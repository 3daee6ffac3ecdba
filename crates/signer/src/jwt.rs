//! The compact serialisation of a JWT (RFC 7515, 7.1).
//!
//! Called by `signer.rs`. Must never read one.

use auth::{SignFault, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::keys::Pair;

/// The `typ` of an identity token (RFC 7519, 5.1).
pub(crate) const IDENTITY: &str = "JWT";
/// The `typ` of a bearer token (RFC 9068, 2.1): who asks for it takes none of the one kind for one of the other.
pub(crate) const BEARER: &str = "at+jwt";

/// Letters of a signature of 64 bytes, and the dot before it.
const SIGNATURE_LETTERS: usize = 87;

/// The protected header (RFC 7515, section 4).
#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// What every token of this key and of the kind `typ` begins with: its header and a dot.
pub(crate) fn beginning(key: &SigningKey, typ: &str) -> String {
    let header = Header { alg: key.public.algorithm().as_str(), typ, kid: &key.id };
    let mut text = String::new();
    URL_SAFE_NO_PAD.encode_string(json(&header), &mut text);
    text.push('.');
    text
}

/// The token of these claims.
///
/// # Errors
/// [`SignFault::System`]; [`SignFault::TooLong`] where it would be longer than `limit` bytes, before anything is signed.
pub(crate) fn compact(
    beginning: &str,
    claims: &impl Serialize,
    pair: &Pair,
    limit: usize,
) -> Result<String, SignFault> {
    let payload = json(claims);
    let length = beginning.len() + payload.len().div_ceil(3) * 4 + SIGNATURE_LETTERS;
    if length > limit {
        return Err(SignFault::TooLong(limit));
    }
    let mut text = String::with_capacity(length);
    text.push_str(beginning);
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    let signature = pair.sign(text.as_bytes())?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Ok(text)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    match serde_json::to_vec(value) {
        Ok(bytes) => bytes,
        Err(_) => unreachable!("texts, numbers and lists of them are always JSON"),
    }
}

#[cfg(test)]
mod tests;
