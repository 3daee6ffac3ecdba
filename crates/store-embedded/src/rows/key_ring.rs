//! The signing keys as a row.
//!
//! Called by `change.rs` (the record to its row) and `reader.rs` (the row to the record). Must never leave out a key that it
//! cannot read, and must never put a private key into an error.

use auth::{KeyRing, KeyState, Moment, PrivateKey, PublicKey, SigningAlgorithm, SigningKey, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Bound, Reading, millis};
use crate::seal::Seal;

/// The key of the one row of the table `key_ring`.
pub(crate) const KEY_RING_KEY: &str = "keys";

/// The signing keys' row to be written.
pub(crate) struct KeyRingRow {
    keys: Zeroizing<String>,
    /// Over everything else.
    pub(crate) seal: i64,
}

/// A key as JSON: texts and numbers only, as the file outlives this version's types.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct KeyJson {
    id: String,
    algorithm: String,
    /// PKCS#8 in base64.
    private: String,
    /// The public key's coordinates in base64; an Ed25519 key has one.
    x: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    created: i64,
    /// `next`, `current` or `retired`.
    state: String,
    /// Of a retired one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

fn key_ring_seal(keys: &str) -> i64 {
    Seal::of("key_ring").text(keys).finish()
}

impl KeyRingRow {
    pub(crate) fn new(ring: &KeyRing) -> Result<Self, StoreError> {
        let keys = ring.keys().iter().map(key_json).collect::<Result<Vec<_>, _>>()?;
        // Large enough at once: a text that grows leaves copies behind that nobody wipes.
        let mut text = Zeroizing::new(Vec::with_capacity(keys.len() * MOST_BYTES_OF_KEY + 2));
        serde_json::to_writer(&mut *text, &keys)
            .map_err(|error| StoreError(format!("signing keys cannot be written as JSON: {error}")))?;
        let text = std::str::from_utf8(&text)
            .map_err(|error| StoreError(format!("signing keys cannot be written as JSON: {error}")))?;
        Ok(Self { seal: key_ring_seal(text), keys: Zeroizing::new(text.to_owned()) })
    }

    /// Binds the columns in the order of `statements::PUT_KEY_RING`. The driver's own copy of the keys lasts until they are
    /// written, and is not wiped.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query.bind(KEY_RING_KEY).bind(self.keys.to_string()).bind(self.seal)
    }
}

/// No key has more as JSON: a private key in base64, the other fields, their names.
const MOST_BYTES_OF_KEY: usize =
    auth::limits::MAX_PRIVATE_KEY_BYTES.div_ceil(3) * 4 + auth::limits::MAX_KEY_ID_BYTES + 512;

fn key_json(key: &SigningKey) -> Result<KeyJson, StoreError> {
    let (x, y) = match &key.public {
        PublicKey::P256 { x, y } => (x, Some(STANDARD_NO_PAD.encode(y))),
        PublicKey::Ed25519 { x } => (x, None),
    };
    let (state, until) = match key.state {
        KeyState::Next => ("next", None),
        KeyState::Current => ("current", None),
        KeyState::Retired { until } => ("retired", Some(millis(until, "the end of a signing key")?)),
    };
    Ok(KeyJson {
        id: key.id.to_string(),
        algorithm: key.public.algorithm().as_str().to_owned(),
        private: STANDARD_NO_PAD.encode(key.private.expose()),
        x: STANDARD_NO_PAD.encode(x),
        y,
        created: millis(key.created, "the start of a signing key")?,
        state: state.to_owned(),
        until,
    })
}

/// The signing keys of a row of `statements::KEY_RING`, with the row's seal.
pub(crate) fn read_key_ring(row: &SqliteRow) -> Result<(KeyRing, i64), StoreError> {
    let reading = Reading { table: "key_ring", key: KEY_RING_KEY.to_owned(), row };
    let keys: &str = reading.column("keys")?;
    let seal = reading.sealed_with(key_ring_seal(keys))?;
    let keys: Vec<KeyJson> = reading.json("keys")?;
    let read = |key| read_key(key).map_err(|fault| reading.fault(&format!("keys: {fault}")));
    let keys = keys.iter().map(read).collect::<Result<_, _>>()?;
    let ring = KeyRing::new(keys).map_err(|fault| reading.fault(&format!("keys: {fault}")))?;
    Ok((ring, seal))
}

fn read_key(key: &KeyJson) -> Result<SigningKey, &'static str> {
    let document = Zeroizing::new(STANDARD_NO_PAD.decode(&key.private).map_err(|_| "private: no base64")?);
    let moment = |millis: i64| u64::try_from(millis).map(Moment::from_millis).map_err(|_| "a negative time");
    let coordinate = |text: &str| {
        let bytes = STANDARD_NO_PAD.decode(text).ok();
        bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).ok_or("a coordinate is not 32 bytes")
    };
    let public = match (SigningAlgorithm::parse(&key.algorithm), &key.y) {
        (Some(SigningAlgorithm::Es256), Some(y)) => {
            PublicKey::P256 { x: coordinate(&key.x)?, y: coordinate(y)? }
        }
        (Some(SigningAlgorithm::EdDsa), None) => PublicKey::Ed25519 { x: coordinate(&key.x)? },
        (None, _) => return Err("this version does not know its algorithm"),
        (Some(_), _) => return Err("its coordinates are not those of its algorithm"),
    };
    let state = match (&*key.state, key.until) {
        ("next", None) => KeyState::Next,
        ("current", None) => KeyState::Current,
        ("retired", Some(until)) => KeyState::Retired { until: moment(until)? },
        _ => return Err("this version does not know its state"),
    };
    Ok(SigningKey {
        id: Box::from(key.id.as_str()),
        private: PrivateKey::from_pkcs8(&document).ok_or("private: empty or too long")?,
        public,
        created: moment(key.created)?,
        state,
    })
}
