//! Changes that count only if nobody else changed the thing meanwhile (`If-Match`, RFC 9110 section 13.1.1).

use std::time::Duration;

use auth::Moment;

use crate::error::Error;

/// What must be true of a thing that is to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing but that it exists.
    #[default]
    None,
    /// It is in the version of one of these last changes.
    LastChanged(Vec<Moment>),
}

impl Precondition {
    /// Whether it is true of a thing that was last changed then. Asked where nobody else can change it.
    pub(crate) fn check(&self, updated: Moment) -> Result<(), Error> {
        match self {
            Self::LastChanged(versions) if !versions.contains(&updated) => Err(Error::PreconditionFailed),
            Self::None | Self::LastChanged(_) => Ok(()),
        }
    }
}

/// The moment of a change at `now` to a thing that was last changed at `before`: always a later one, as it is the version
/// by which clients know what they saw.
pub(crate) fn next_version(before: Moment, now: Moment) -> Moment {
    now.max(before.plus(Duration::from_millis(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_changes_in_one_millisecond_are_two_versions() {
        let now = Moment::from_millis(7);
        assert_eq!(next_version(Moment::from_millis(3), now), now);
        assert_eq!(next_version(now, now), Moment::from_millis(8));
        assert_eq!(
            next_version(Moment::from_millis(9), now),
            Moment::from_millis(10),
            "also if time went back"
        );
    }

    #[test]
    fn a_precondition_names_versions() {
        let seen = Precondition::LastChanged(vec![Moment::from_millis(1), Moment::from_millis(2)]);
        assert!(seen.check(Moment::from_millis(2)).is_ok());
        assert!(matches!(seen.check(Moment::from_millis(3)), Err(Error::PreconditionFailed)));
        assert!(Precondition::None.check(Moment::from_millis(3)).is_ok());
    }
}
