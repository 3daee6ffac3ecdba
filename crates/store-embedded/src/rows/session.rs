//! Sessions as rows. Their ends are rows of their own (`end.rs`).
//!
//! Called by `store.rs` (records to rows, on the caller's time) and `scan.rs` (rows to records). Must never let one field
//! reach into another: what is packed has fixed lengths or says its length first (security.md case 27).

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use auth::{
    AppName, AuthMethod, Moment, Origin, RealmName, Scope, SessionId, SessionLimits, SessionRecord,
    StoreError, TokenHash, UserId,
};

use super::end::EndRow;
use super::{Bound, hexadecimal, millis, span_millis};
use crate::seal::Seal;

/// One row, packed into one value: reading 17 columns costs five times as much as reading one. Fixed lengths first, then
/// numbers and words with a comma after each, then the texts that may hold anything, their lengths having been told. Seals are
/// bytes because SQLite takes its time to write long numbers.
pub(crate) const PACKED: &str = "\
token || id || user_id || seal || last_seen_seal \
|| created || ',' || idle_timeout || ',' || max_lifetime || ',' || guarded || ',' || last_seen || ',' \
|| coalesce(lower(hex(parent)), '') || ',' || method || ',' || address || ',' \
|| octet_length(realm) || ',' || octet_length(scope) || ',' || coalesce(octet_length(app), '') || ',' \
|| coalesce(octet_length(user_agent), '') || ',' \
|| realm || scope || coalesce(app, '') || coalesce(user_agent, '')";

/// A session's row to be written.
pub(crate) struct SessionRow {
    record: SessionRecord,
    created: i64,
    idle_timeout: i64,
    max_lifetime: i64,
    address: String,
    /// Over everything that never changes.
    pub(crate) seal: i64,
    seen: TouchRow,
    /// Its end, where it comes ended.
    pub(crate) end: Option<EndRow>,
}

/// A session's activity, to be written.
#[derive(Clone, Copy)]
pub(crate) struct TouchRow {
    /// Whose activity.
    pub(crate) token: TokenHash,
    /// When, in milliseconds.
    pub(crate) at: i64,
    seal: i64,
}

impl TouchRow {
    pub(crate) fn new(token: TokenHash, at: Moment) -> Result<Self, StoreError> {
        let at = millis(at, "the last activity of a session")?;
        Ok(Self { token, at, seal: seen_seal(token, at) })
    }

    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query.bind(self.token.as_bytes().to_vec()).bind(self.at).bind(bytes_of(self.seal))
    }
}

impl SessionRow {
    pub(crate) fn new(record: SessionRecord) -> Result<Self, StoreError> {
        let mut row = Self {
            created: millis(record.created, "the start of a session")?,
            idle_timeout: span_millis(record.limits.idle_timeout, "the idle timeout of a session")?,
            max_lifetime: span_millis(record.limits.max_lifetime, "the lifetime of a session")?,
            address: record.origin.address.to_string(),
            seal: 0,
            seen: TouchRow::new(record.token, record.last_seen)?,
            end: record.ended.map(|ended| EndRow::new(record.token, ended)).transpose()?,
            record,
        };
        let record = &row.record;
        row.seal = seal(&Fields {
            fixed: &[
                record.token.as_bytes(),
                record.id.as_bytes().as_slice(),
                record.user.as_bytes().as_slice(),
            ],
            numbers: [row.created, row.idle_timeout, row.max_lifetime, i64::from(record.is_guarded)],
            parent: record.parent.as_deref().map(|parent| &parent.as_bytes()[..]),
            texts: [record.realm.as_str(), record.scope.as_str(), record.method.as_str(), &row.address],
            app: record.app.as_ref().map(AppName::as_str),
            user_agent: record.origin.user_agent.as_deref(),
        });
        Ok(row)
    }

    /// Binds the columns in the order of `statements::INSERT_SESSIONS`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        let record = &self.record;
        query
            .bind(record.token.as_bytes().to_vec())
            .bind(record.id.as_bytes().to_vec())
            .bind(record.user.as_bytes().to_vec())
            .bind(record.realm.as_str().to_owned())
            .bind(record.scope.as_str().to_owned())
            .bind(record.app.as_ref().map(|app| app.as_str().to_owned()))
            .bind(record.method.as_str())
            .bind(self.created)
            .bind(self.idle_timeout)
            .bind(self.max_lifetime)
            .bind(i64::from(record.is_guarded))
            .bind(record.parent.as_deref().map(|parent| parent.as_bytes().to_vec()))
            .bind(self.address.clone())
            .bind(record.origin.user_agent.as_deref().map(str::to_owned))
            .bind(bytes_of(self.seal))
            .bind(self.seen.at)
            .bind(bytes_of(self.seen.seal))
    }
}

/// A seal as the tables `sessions` and `ends` keep it.
pub(crate) fn bytes_of(seal: i64) -> Vec<u8> {
    seal.to_be_bytes().to_vec()
}

/// The other way round.
pub(crate) fn read_seal(bytes: &[u8]) -> Option<i64> {
    bytes.try_into().ok().map(i64::from_be_bytes)
}

struct Fields<'a> {
    fixed: &'a [&'a [u8]; 3],
    numbers: [i64; 4],
    parent: Option<&'a [u8]>,
    texts: [&'a str; 4],
    app: Option<&'a str>,
    user_agent: Option<&'a str>,
}

fn seal(fields: &Fields<'_>) -> i64 {
    let mut seal = Seal::of("sessions");
    for bytes in fields.fixed {
        seal = seal.bytes(bytes);
    }
    for number in fields.numbers {
        seal = seal.number(number);
    }
    // A length that is its own: none, or 16 bytes.
    seal = seal.bytes(fields.parent.unwrap_or_default());
    for text in fields.texts {
        seal = seal.text(text);
    }
    seal.optional_text(fields.app).optional_text(fields.user_agent).finish()
}

fn seen_seal(token: TokenHash, at: i64) -> i64 {
    Seal::of("last_seen").bytes(token.as_bytes()).number(at).finish()
}

/// Makes records of packed rows. Sessions share few realms and scopes, so it keeps one of each.
#[derive(Default)]
pub(crate) struct Unpacker {
    realms: Vec<RealmName>,
    scopes: Vec<Scope>,
}

/// A record with the seal of its row.
pub(crate) struct Unpacked {
    /// The record, live: its end is not in its row.
    pub(crate) record: SessionRecord,
    /// Its row's seal.
    pub(crate) seal: i64,
}

impl Unpacker {
    /// Reads a value made by [`PACKED`].
    pub(crate) fn read(&mut self, packed: &[u8]) -> Result<Unpacked, StoreError> {
        self.unpack(packed).map_err(|fault| {
            StoreError(format!(
                "table sessions, record {}: {fault}: the file was damaged, or changed by hand",
                hexadecimal(packed)
            ))
        })
    }

    fn unpack(&mut self, packed: &[u8]) -> Result<Unpacked, &'static str> {
        const CUT: &str = "it is cut off";
        let (token, rest) = packed.split_first_chunk::<32>().ok_or(CUT)?;
        let (id, rest) = rest.split_first_chunk::<16>().ok_or(CUT)?;
        let (user, rest) = rest.split_first_chunk::<16>().ok_or(CUT)?;
        let (row_seal, rest) = rest.split_first_chunk::<8>().ok_or(CUT)?;
        let (last_seen_seal, rest) = rest.split_first_chunk::<8>().ok_or(CUT)?;
        let (row_seal, last_seen_seal) = (i64::from_be_bytes(*row_seal), i64::from_be_bytes(*last_seen_seal));
        let token = TokenHash::from_bytes(*token);
        let mut rest = Rest(rest);
        let numbers = [rest.number()?, rest.number()?, rest.number()?, rest.number()?];
        let last_seen = rest.number()?;
        let parent = parent(rest.word()?)?;
        let (method, address) = (rest.word()?, rest.word()?);
        let lengths = (rest.length()?, rest.length()?, rest.optional_length()?, rest.optional_length()?);
        let (realm, scope) = (rest.text(lengths.0)?, rest.text(lengths.1)?);
        let app = lengths.2.map(|length| rest.text(length)).transpose()?;
        let user_agent = lengths.3.map(|length| rest.text(length)).transpose()?;
        let fixed = [token.as_bytes().as_slice(), id, user];
        let texts = [realm, scope, method, address];
        if row_seal
            != seal(&Fields {
                fixed: &fixed,
                numbers,
                parent: parent.as_ref().map(|id| &id[..]),
                texts,
                app,
                user_agent,
            })
            || last_seen_seal != seen_seal(token, last_seen)
        {
            return Err("its checksum is wrong");
        }
        let record = SessionRecord {
            token,
            id: SessionId::from_bytes(*id),
            user: UserId::from_bytes(*user),
            realm: self.realm(realm)?,
            scope: self.scope(scope),
            app: app.map(AppName::parse).transpose().map_err(|_| "its app is none")?,
            method: AuthMethod::parse(method).ok_or("its method is unknown to this version")?,
            created: moment(numbers[0])?,
            last_seen: moment(last_seen)?,
            limits: SessionLimits { idle_timeout: span(numbers[1])?, max_lifetime: span(numbers[2])? },
            origin: Origin {
                address: IpAddr::from_str(address).map_err(|_| "its address is none")?,
                user_agent: user_agent.map(Box::from),
            },
            is_guarded: numbers[3] != 0,
            parent: parent.map(|id| Box::new(SessionId::from_bytes(id))),
            ended: None,
        };
        Ok(Unpacked { record, seal: row_seal })
    }

    fn realm(&mut self, name: &str) -> Result<RealmName, &'static str> {
        if let Some(realm) = self.realms.iter().find(|realm| realm.as_str() == name) {
            return Ok(realm.clone());
        }
        let realm = RealmName::parse(name).map_err(|_| "its realm is none")?;
        keep_few(&mut self.realms, realm.clone());
        Ok(realm)
    }

    fn scope(&mut self, name: &str) -> Scope {
        if let Some(scope) = self.scopes.iter().find(|scope| scope.as_str() == name) {
            return scope.clone();
        }
        let scope = Scope::new(name);
        keep_few(&mut self.scopes, scope.clone());
        scope
    }
}

/// An installation has a handful of realms and scopes; whoever has more than this searches no longer list for it.
const MOST_KEPT: usize = 16;

fn keep_few<T>(kept: &mut Vec<T>, one: T) {
    if kept.len() < MOST_KEPT {
        kept.push(one);
    }
}

pub(super) fn moment(millis: i64) -> Result<Moment, &'static str> {
    u64::try_from(millis).map(Moment::from_millis).map_err(|_| "a time is negative")
}

/// A session's id in hexadecimal, or nothing.
fn parent(word: &str) -> Result<Option<[u8; 16]>, &'static str> {
    const FAULT: &str = "its parent is none";
    if word.is_empty() {
        return Ok(None);
    }
    let well_formed = word.len() == 32 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = u128::from_str_radix(word, 16).ok().filter(|_| well_formed).ok_or(FAULT)?;
    Ok(Some(number.to_be_bytes()))
}

fn span(millis: i64) -> Result<Duration, &'static str> {
    u64::try_from(millis).map(Duration::from_millis).map_err(|_| "a span is negative")
}

/// What of a packed row is still to be read.
pub(super) struct Rest<'a>(pub(super) &'a [u8]);

impl<'a> Rest<'a> {
    pub(super) fn word(&mut self) -> Result<&'a str, &'static str> {
        let comma = self.0.iter().position(|byte| *byte == b',').ok_or("it is cut off")?;
        let word = std::str::from_utf8(&self.0[..comma]).map_err(|_| "a word is not UTF-8")?;
        self.0 = &self.0[comma + 1..];
        Ok(word)
    }

    pub(super) fn number(&mut self) -> Result<i64, &'static str> {
        self.word()?.parse().map_err(|_| "a number is none")
    }

    fn length(&mut self) -> Result<usize, &'static str> {
        self.word()?.parse().map_err(|_| "a length is none")
    }

    fn optional_length(&mut self) -> Result<Option<usize>, &'static str> {
        match self.word()? {
            "" => Ok(None),
            told => told.parse().map(Some).map_err(|_| "a length is none"),
        }
    }

    fn text(&mut self, length: usize) -> Result<&'a str, &'static str> {
        let (text, rest) = self.0.split_at_checked(length).ok_or("it is cut off")?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| "a text is not UTF-8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figure_3_no_bytes_make_it_panic_and_none_make_a_session() {
        proptest::proptest!(|(bytes in proptest::collection::vec(0_u8.., 0..400))| {
            proptest::prop_assert!(Unpacker::default().read(&bytes).is_err());
        });
    }

    #[test]
    fn figure_3_numbers_in_place_do_not_make_a_session_either() {
        proptest::proptest!(|(text in "([0-9a-z]{0,4},){0,16}.{0,40}")| {
            let bytes = [[7; 64].as_slice(), text.as_bytes()].concat();
            proptest::prop_assert!(Unpacker::default().read(&bytes).is_err());
        });
    }

    #[test]
    fn numbers_have_a_limit_on_both_sides() {
        let largest = Moment::from_millis(i64::MAX.cast_unsigned());
        assert!(TouchRow::new(TokenHash::from_bytes([0; 32]), largest).is_ok());
        let above = Moment::from_millis(i64::MAX.cast_unsigned() + 1);
        assert!(TouchRow::new(TokenHash::from_bytes([0; 32]), above).is_err());
        assert!(span_millis(Duration::from_millis(i64::MAX.cast_unsigned()), "").is_ok());
        assert!(span_millis(Duration::MAX, "").is_err());
    }
}
