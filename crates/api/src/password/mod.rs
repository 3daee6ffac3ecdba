//! Which passwords may be set (NIST SP 800-63B-4 section 3.1.1.2, security.md rows 49 to 54): long enough, and not among
//! those that are tried first. Called by the operations that set one. No composition rules, because they make passwords
//! worse; must never trim, cut or change what is set, judge on a worker, or print a password.

mod strength;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use auth::limits::{DEFAULT_PASSWORD_POINTS, MAX_PASSWORD_BYTES};
use auth::{Password, PasswordHash, Reason};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::services::Services;

pub use strength::Strength;

/// How many passwords are judged or wait to be judged at once; more are told to come back.
pub(crate) const MAX_WAITING_JUDGEMENTS: usize = 64;

/// How many are judged at once: one. It takes 0.2 ms, or 6 where it is made to be slow, and who does that slows only those
/// who set passwords.
const JUDGED_AT_ONCE: usize = 1;

/// The lowest score that may be set: a password that takes less than 10^6 guesses is refused. A throttled attacker gets
/// that far, one who knows the hash is there in a day.
const LEAST_SCORE: u8 = 2;

/// What the settings say of passwords that are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Least length, in Unicode code points after NFC. The settings allow 8 to 64 (security.md row 49).
    pub min_length: usize,
}

impl Default for PasswordPolicy {
    /// For passwords that are the only factor: [`DEFAULT_PASSWORD_POINTS`].
    fn default() -> Self {
        Self { min_length: DEFAULT_PASSWORD_POINTS }
    }
}

/// Judges passwords that are to be set. Every clone of [`Services`] shares one.
pub struct PasswordJudge {
    policy: ArcSwap<PasswordPolicy>,
    places: Semaphore,
    turn: Arc<Semaphore>,
}

impl PasswordJudge {
    /// A judge who goes by this policy.
    #[must_use]
    pub fn new(policy: PasswordPolicy) -> Self {
        Self {
            policy: ArcSwap::from_pointee(policy),
            places: Semaphore::new(MAX_WAITING_JUDGEMENTS),
            turn: Arc::new(Semaphore::new(JUDGED_AT_ONCE)),
        }
    }

    /// Goes by another policy from now on. Passwords that are set already stay.
    pub fn adopt(&self, policy: PasswordPolicy) {
        self.policy.store(Arc::new(policy));
    }

    /// The present policy.
    #[must_use]
    pub fn policy(&self) -> PasswordPolicy {
        **self.policy.load()
    }

    /// How strong a password is and, where it may not be set, why. `context` are names that somebody who knows its user
    /// would try: his own, his realm's.
    ///
    /// # Errors
    /// [`Reason::RealmUnavailable`] where too many wait.
    async fn judge(
        &self,
        password: &Password,
        context: &[&str],
    ) -> Result<(Strength, Option<WeaknessKind>), Reason> {
        let _place = self.place()?;
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| UNJUDGED)?;
        let text = Zeroizing::new(password.expose().to_owned());
        let context: Vec<String> = context.iter().map(|&name| name.to_owned()).collect();
        let judging = spawn_blocking(move || {
            let strength = strength::judge(&text, &context);
            drop(turn);
            strength
        });
        let strength = judging.await.map_err(|_| UNJUDGED)?;
        let least = self.policy().min_length;
        let weakness = if password.expose().chars().count() < least {
            Some(WeaknessKind::TooShort { least })
        } else if strength.score < LEAST_SCORE {
            Some(WeaknessKind::Guessable)
        } else {
            None
        };
        Ok((strength, weakness))
    }

    fn place(&self) -> Result<SemaphorePermit<'_>, Reason> {
        self.places
            .try_acquire()
            .map_err(|_| Reason::RealmUnavailable("too many passwords wait to be judged".into()))
    }
}

impl Default for PasswordJudge {
    fn default() -> Self {
        Self::new(PasswordPolicy::default())
    }
}

/// Said when the judgement did not come to its end: the process ends.
const UNJUDGED: Reason = Reason::RealmUnavailable(Cow::Borrowed("the password could not be judged"));

/// What is wrong with a password that may not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeaknessKind {
    /// Fewer characters than the settings ask for.
    TooShort {
        /// How many they ask for.
        least: usize,
    },
    /// More than [`MAX_PASSWORD_BYTES`] bytes, or nothing but blanks: nobody can log in with it.
    Unusable,
    /// Among the first that somebody would try.
    Guessable,
}

/// Why a password may not be set. Its Display is a sentence or two for the person who chose it, and holds nothing of the
/// password.
#[derive(Clone, Debug, PartialEq)]
pub struct Weakness {
    /// What is wrong with it.
    pub kind: WeaknessKind,
    /// How strong it is. Of one that is [`WeaknessKind::Unusable`], nothing is known.
    pub strength: Strength,
}

impl Weakness {
    /// Nobody could log in with it.
    pub(crate) fn unusable() -> Self {
        Self { kind: WeaknessKind::Unusable, strength: Strength::default() }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            WeaknessKind::TooShort { least } => write!(f, "a password has at least {least} characters"),
            WeaknessKind::Unusable => {
                write!(f, "a password has at most {MAX_PASSWORD_BYTES} bytes and is more than blanks")
            }
            WeaknessKind::Guessable => {
                f.write_str("this password is among the first that somebody would try.")?;
                let advice = self.strength.warning.iter().chain(self.strength.suggestions.first());
                advice.into_iter().try_for_each(|sentence| write!(f, " {sentence}"))
            }
        }
    }
}

impl Services {
    /// A hash of a password that may be set, and how strong the password is. `context` are names that somebody who knows
    /// its user would try: his own, his realm's.
    ///
    /// # Errors
    /// [`Error::WeakPassword`], or [`Reason::RealmUnavailable`] where too many are judged or hashed already.
    pub(crate) async fn hash(
        &self,
        text: Zeroizing<String>,
        context: &[&str],
    ) -> Result<(PasswordHash, Strength), Error> {
        let password = Password::presented(text).ok_or_else(|| Error::WeakPassword(Weakness::unusable()))?;
        match self.passwords.judge(&password, context).await? {
            (strength, Some(kind)) => Err(Error::WeakPassword(Weakness { kind, strength })),
            (strength, None) => Ok((self.hash_password(&password).await?, strength)),
        }
    }

    /// A hash of a password that an operator chose himself, with what is to be said of it: he is warned, not stopped.
    ///
    /// # Errors
    /// [`Error::WeakPassword`] where nobody could log in with it, or as [`Services::hash`].
    pub(crate) async fn hash_of_operator(
        &self,
        text: Zeroizing<String>,
        context: &[&str],
    ) -> Result<(PasswordHash, Option<Weakness>), Error> {
        let password = Password::presented(text).ok_or_else(|| Error::WeakPassword(Weakness::unusable()))?;
        let (strength, kind) = self.passwords.judge(&password, context).await?;
        let hash = self.hash_password(&password).await?;
        Ok((hash, kind.map(|kind| Weakness { kind, strength })))
    }

    async fn hash_password(&self, password: &Password) -> Result<PasswordHash, Error> {
        self.hasher.hash(password).await.map_err(|busy| Error::Kernel(Reason::RealmUnavailable(busy.0)))
    }
}
