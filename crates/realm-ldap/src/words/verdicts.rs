//! What a directory's answers mean: whether a bind let somebody in, and what else it said.
//!
//! Called by the realm with every answer. Must never take an answer that says something else than "success" for one, nor a
//! fault of the server for a fault of the user: he is rejected only where the server spoke of him.

use std::borrow::Cow;

use auth::{Moment, Rejection, Unavailability};
use ldap3::LdapResult;

use super::policy::{self, EXPIRED_CONTROL, POLICY_CONTROL, PolicyError};
use crate::limits::MAX_DIAGNOSTIC_BYTES;

/// RFC 4511 section 4.1.9, and what OpenLDAP adds.
mod code {
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const TIME_LIMIT: u32 = 3;
    pub(super) const SIZE_LIMIT: u32 = 4;
    pub(super) const REFERRAL: u32 = 10;
    pub(super) const ADMIN_LIMIT: u32 = 11;
    pub(super) const CONFIDENTIALITY_REQUIRED: u32 = 13;
    pub(super) const CONSTRAINT_VIOLATION: u32 = 19;
    pub(super) const NO_SUCH_OBJECT: u32 = 32;
    pub(super) const INVALID_DN: u32 = 34;
    pub(super) const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
    pub(super) const INVALID_CREDENTIALS: u32 = 49;
    pub(super) const INSUFFICIENT_ACCESS: u32 = 50;
    pub(super) const UNWILLING: u32 = 53;
}

/// What the answer to a user's bind means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// It is him.
    In,
    /// There is no such user.
    NotMine,
    /// He is not let in.
    Rejected(Rejection),
    /// The server could not tell.
    Unavailable(Unavailability),
}

/// How the DN of the bind was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A template made it of the name: whether there is such an entry, nobody knows.
    Template,
    /// A search found the entry.
    Search,
}

/// What the answer to a search means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Searched {
    /// All there is has come.
    Whole,
    /// There is more than was asked for, or than the server gives.
    More(Unavailability),
    /// There is no entry of the base's name, or none that this account may know of.
    NoBase,
    /// This account may not ask.
    Forbidden(Unavailability),
    /// The server could not tell.
    Unavailable(Unavailability),
}

/// The answer to a user's bind. A password that is right lets nobody in who must change it first.
pub(crate) fn judge_bind(answer: &LdapResult, origin: Origin) -> Bound {
    let policy = match policy_error(answer) {
        Ok(policy) => policy,
        // Whoever is let in now might have to change his password first: nobody can tell.
        Err(fault) if answer.rc == code::SUCCESS => {
            return Bound::Unavailable(Unavailability(fault.to_string().into()));
        }
        Err(_) => None,
    };
    match answer.rc {
        code::SUCCESS => judge_success(answer, policy),
        code::INVALID_CREDENTIALS => judge_invalid_credentials(answer, policy),
        code::NO_SUCH_OBJECT | code::INVALID_DN => match origin {
            Origin::Template => Bound::Rejected(Rejection::WrongPassword),
            Origin::Search => Bound::NotMine,
        },
        code::INAPPROPRIATE_AUTHENTICATION | code::UNWILLING => {
            Bound::Rejected(policy.and_then(rejection_of).unwrap_or(Rejection::NotAllowed))
        }
        // 389 Directory Server says so of an account that it locked ("Exceed password retry limit"), and only of one that there is:
        // whoever heard another answer than to a wrong password would learn who exists.
        code::CONSTRAINT_VIOLATION => {
            Bound::Rejected(policy.and_then(rejection_of).unwrap_or(Rejection::Locked))
        }
        _ => Bound::Unavailable(unavailable("a user's bind", answer)),
    }
}

fn judge_success(answer: &LdapResult, policy: Option<PolicyError>) -> Bound {
    match policy.and_then(rejection_of) {
        Some(rejection) => Bound::Rejected(rejection),
        None if has_expired_control(answer) => Bound::Rejected(Rejection::MustChangePassword),
        None => Bound::In,
    }
}

fn judge_invalid_credentials(answer: &LdapResult, policy: Option<PolicyError>) -> Bound {
    if let Some(rejection) = policy.and_then(rejection_of) {
        return Bound::Rejected(rejection);
    }
    if has_expired_control(answer) {
        return Bound::Rejected(Rejection::PasswordExpired);
    }
    match active_directory_code(&answer.text) {
        Some(0x525) => Bound::NotMine,
        // Restrictions of the account, of the time, of the machine, of the kind of login.
        Some(0x52f | 0x530 | 0x531 | 0x534) => Bound::Rejected(Rejection::NotAllowed),
        Some(0x532) => Bound::Rejected(Rejection::PasswordExpired),
        Some(0x533) => Bound::Rejected(Rejection::Disabled),
        Some(0x701) => Bound::Rejected(Rejection::Expired),
        Some(0x773) => Bound::Rejected(Rejection::MustChangePassword),
        Some(0x775) => Bound::Rejected(Rejection::Locked),
        _ => Bound::Rejected(Rejection::WrongPassword),
    }
}

fn rejection_of(error: PolicyError) -> Option<Rejection> {
    match error {
        PolicyError::PasswordExpired => Some(Rejection::PasswordExpired),
        PolicyError::AccountLocked => Some(Rejection::Locked),
        PolicyError::ChangeAfterReset => Some(Rejection::MustChangePassword),
        PolicyError::Other(_) => None,
    }
}

fn policy_error(answer: &LdapResult) -> Result<Option<PolicyError>, policy::PolicyFault> {
    for control in &answer.ctrls {
        if control.1.ctype == POLICY_CONTROL {
            return policy::read(control.1.val.as_deref().unwrap_or_default());
        }
    }
    Ok(None)
}

fn has_expired_control(answer: &LdapResult) -> bool {
    answer.ctrls.iter().any(|control| control.1.ctype == EXPIRED_CONTROL)
}

/// What Active Directory says behind error 49: `80090308: LdapErr: DSID-0C090400, comment: AcceptSecurityContext error, data
/// 52e, v1db1`.
pub(crate) fn active_directory_code(text: &str) -> Option<u32> {
    let (_, behind) = text.split_once("AcceptSecurityContext error, data ")?;
    let end = behind.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(behind.len());
    u32::from_str_radix(&behind[..end], 16).ok()
}

/// The answer to the service account's bind.
///
/// # Errors
/// [`Unavailability`] for every answer but success: it is never the user's fault.
pub(crate) fn judge_service_bind(answer: &LdapResult) -> Result<(), Unavailability> {
    match answer.rc {
        code::SUCCESS => Ok(()),
        _ => Err(unavailable("the service account's bind", answer)),
    }
}

/// The answer to a search.
pub(crate) fn judge_search(what: &str, answer: &LdapResult) -> Searched {
    match answer.rc {
        code::SUCCESS => Searched::Whole,
        code::SIZE_LIMIT | code::ADMIN_LIMIT | code::TIME_LIMIT => Searched::More(unavailable(what, answer)),
        code::NO_SUCH_OBJECT => Searched::NoBase,
        code::INSUFFICIENT_ACCESS => Searched::Forbidden(unavailable(what, answer)),
        _ => Searched::Unavailable(unavailable(what, answer)),
    }
}

/// An answer that is no answer to our question, in words for the log.
pub(crate) fn unavailable(what: &str, answer: &LdapResult) -> Unavailability {
    let hint = match answer.rc {
        code::CONFIDENTIALITY_REQUIRED => " (the server wants TLS: set ssl or startTls)",
        code::REFERRAL => " (referrals are not followed)",
        _ => "",
    };
    Unavailability(format!("{what}: {}{hint}", said(answer)).into())
}

/// What the server said, in one line: the code's name, its number, its words.
pub(crate) fn said(answer: &LdapResult) -> String {
    let text = diagnostic(&answer.text);
    let separator = if text.is_empty() { "" } else { ": " };
    format!("{} ({}){separator}{text}", code_name(answer.rc), answer.rc)
}

/// A server's words as they may stand in a log: no control characters, [`MAX_DIAGNOSTIC_BYTES`] at the most.
pub(crate) fn diagnostic(text: &str) -> Cow<'_, str> {
    let text = text.trim_end_matches(['\0', ' ', '\n']);
    let text = &text[..text.floor_char_boundary(MAX_DIAGNOSTIC_BYTES)];
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn code_name(code: u32) -> &'static str {
    match code {
        0 => "success",
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        14 => "saslBindInProgress",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        18 => "inappropriateMatching",
        19 => "constraintViolation",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        33 => "aliasProblem",
        34 => "invalidDNSyntax",
        36 => "aliasDereferencingProblem",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        54 => "loopDetect",
        71 => "affectsMultipleDSAs",
        80 => "other",
        _ => "an unknown code",
    }
}

/// 1601-01-01 to 1970-01-01 in milliseconds.
const WINDOWS_EPOCH_MILLIS: u64 = 11_644_473_600_000;

/// Whether an account with this `accountExpires` (100 ns since 1601; 0 and 2^63-1 are never) is past its time at `now`, by the
/// wall clock. `None`: it is no such value.
pub(crate) fn is_past(account_expires: &str, now: Moment) -> Option<bool> {
    let ticks: i64 = account_expires.trim().parse().ok()?;
    let ticks = u64::try_from(ticks).ok()?;
    if ticks == 0 || ticks == i64::MAX.unsigned_abs() {
        return Some(false);
    }
    Some(ticks / 10_000 <= now.as_millis().saturating_add(WINDOWS_EPOCH_MILLIS))
}

#[cfg(test)]
mod tests;
