//! The password policy response control (draft-behera-ldap-password-policy-11 section 6.2), which comes with the answer to a
//! bind.
//!
//! Called by `verdicts`. Must never panic, whatever a server sends, and never take half a control for a whole one.

/// The name of the control, of the request's and of the answer's.
pub(crate) const POLICY_CONTROL: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
/// The older control of 389 Directory Server and its ancestors: the password is expired or was reset
/// (draft-vchu-ldap-pwd-policy-00 section 5.1).
pub(crate) const EXPIRED_CONTROL: &str = "2.16.840.1.113730.3.4.4";

/// What the server says of the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyError {
    PasswordExpired,
    AccountLocked,
    ChangeAfterReset,
    /// One that is about changing passwords, or that nobody knows.
    Other(u8),
}

/// A control that is not of its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its password policy control cannot be read")]
pub(crate) struct PolicyFault;

const SEQUENCE: u8 = 0x30;
const WARNING: u8 = 0xa0;
const TIME_BEFORE_EXPIRATION: u8 = 0x80;
const GRACE_LOGINS_LEFT: u8 = 0x81;
const ERROR: u8 = 0x81;

/// Reads the control's value: what is wrong, if something is. Warnings are passed over.
///
/// # Errors
/// [`PolicyFault`] where it is not of its form, to the last byte.
pub(crate) fn read(value: &[u8]) -> Result<Option<PolicyError>, PolicyFault> {
    let (tag, mut content, behind) = take(value)?;
    if tag != SEQUENCE || !behind.is_empty() {
        return Err(PolicyFault);
    }
    if content.first() == Some(&WARNING) {
        let (_, warning, rest) = take(content)?;
        let (kind, number, behind) = take(warning)?;
        let is_warning = matches!(kind, TIME_BEFORE_EXPIRATION | GRACE_LOGINS_LEFT);
        if !is_warning || number.is_empty() || number.len() > 5 || !behind.is_empty() {
            return Err(PolicyFault);
        }
        content = rest;
    }
    if content.is_empty() {
        return Ok(None);
    }
    match take(content)? {
        (ERROR, &[number], []) => Ok(Some(match number {
            0 => PolicyError::PasswordExpired,
            1 => PolicyError::AccountLocked,
            2 => PolicyError::ChangeAfterReset,
            other => PolicyError::Other(other),
        })),
        _ => Err(PolicyFault),
    }
}

/// The first element of BER: its tag, its content, what is behind it. A length in the long form may have one byte.
fn take(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), PolicyFault> {
    let (tag, length, rest) = match bytes {
        [tag, 0x81, length, rest @ ..] => (*tag, usize::from(*length), rest),
        [tag, length @ 0..=0x7f, rest @ ..] => (*tag, usize::from(*length), rest),
        _ => return Err(PolicyFault),
    };
    let (content, behind) = rest.split_at_checked(length).ok_or(PolicyFault)?;
    Ok((tag, content, behind))
}

#[cfg(test)]
mod tests {
    use ldap3::asn1::{ASNTag, Enumerated, ExplicitTag, Integer, Sequence, Tag, TagClass, write};
    use proptest::prelude::*;

    use super::*;

    /// The control as ldap3's own writer writes it.
    fn written(warning: Option<(u64, i64)>, error: Option<i64>) -> Vec<u8> {
        let warning = warning.map(|(id, inner)| {
            let inner = Tag::Integer(Integer { id, class: TagClass::Context, inner });
            Tag::ExplicitTag(ExplicitTag { id: 0, class: TagClass::Context, inner: Box::new(inner) })
        });
        let error = error.map(|inner| Tag::Enumerated(Enumerated { id: 1, class: TagClass::Context, inner }));
        let inner = warning.into_iter().chain(error).collect();
        let sequence = Tag::Sequence(Sequence { inner, ..Default::default() });
        let mut bytes = Default::default();
        write::encode_into(&mut bytes, sequence.into_structure()).unwrap();
        bytes.to_vec()
    }

    #[test]
    fn what_a_server_says_is_understood() {
        for (number, error) in [
            (0, PolicyError::PasswordExpired),
            (1, PolicyError::AccountLocked),
            (2, PolicyError::ChangeAfterReset),
            (3, PolicyError::Other(3)),
            (9, PolicyError::Other(9)),
        ] {
            assert_eq!(read(&written(None, Some(number))), Ok(Some(error)));
            assert_eq!(read(&written(Some((0, 86_400)), Some(number))), Ok(Some(error)));
            assert_eq!(read(&written(Some((1, 3)), Some(number))), Ok(Some(error)));
        }
        assert_eq!(read(&written(None, None)), Ok(None));
        assert_eq!(read(&written(Some((0, i64::from(i32::MAX))), None)), Ok(None));
        // As slapd sends it: accountLocked.
        assert_eq!(read(&[0x30, 3, 0x81, 1, 1]), Ok(Some(PolicyError::AccountLocked)));
        assert_eq!(read(&[0x30, 0x81, 3, 0x81, 1, 1]), Ok(Some(PolicyError::AccountLocked)));
    }

    #[test]
    fn what_is_not_of_its_form_is_refused() {
        for odd in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x31, 0],
            &[0x30, 0, 0],
            &[0x30, 0x80],
            &[0x30, 0x82, 0, 3, 0x81, 1, 1],
            &[0x30, 2, 0x81, 0],
            &[0x30, 4, 0x81, 2, 0, 1],
            &[0x30, 6, 0x81, 1, 1, 0x81, 1, 2],
            &[0x30, 3, 0x82, 1, 1],
            &[0x30, 3, 0x0a, 1, 1],
            &[0x30, 2, 0xa0, 0],
            &[0x30, 4, 0xa0, 2, 0x80, 0],
            &[0x30, 5, 0xa0, 3, 0x82, 1, 1],
            &[0x30, 8, 0x81, 1, 1, 0xa0, 3, 0x80, 1, 1],
        ] {
            assert_eq!(read(odd), Err(PolicyFault), "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 3, 5, 8, 0x30, 0x80, 0x81, 0xa0, 0xff]), 0..16)
        ) {
            if let Ok(Some(error)) = read(&bytes) {
                let number = bytes[bytes.len() - 1];
                let expected = match number {
                    0 => PolicyError::PasswordExpired,
                    1 => PolicyError::AccountLocked,
                    2 => PolicyError::ChangeAfterReset,
                    other => PolicyError::Other(other),
                };
                prop_assert_eq!(error, expected);
            }
        }

        #[test]
        fn a_cut_control_is_refused(error in 0i64..9, cut in 1usize..5) {
            let whole = written(Some((0, 60)), Some(error));
            prop_assert_eq!(read(&whole[..whole.len() - cut]), Err(PolicyFault));
        }
    }
}
