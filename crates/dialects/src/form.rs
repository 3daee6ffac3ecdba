//! `application/x-www-form-urlencoded` bodies (WHATWG URL section 5.1), read strictly: they carry credentials, and whatever two
//! readers could read differently is refused. Read where tokens are given and taken back; must never keep a secret in a buffer that is not wiped.

use gateway::{Refusal, Visit};
use zeroize::Zeroizing;

/// Fields of one form.
pub(crate) const MAX_FIELDS: usize = 16;

/// A form's fields, each name once, in order.
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    /// Reads a request's body, whose media type must be a form's.
    ///
    /// # Errors
    /// 415 for another media type; 400 for what [`read`](Self::read) refuses.
    pub(crate) fn of(visit: &Visit<'_>) -> Result<Self, Refusal> {
        let mut types = visit.request.values("content-type");
        let essence = |value: &[u8]| {
            let media = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
            media.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        };
        if !types.next().is_some_and(essence) || types.next().is_some() {
            return Err(Refusal::UnsupportedMediaType);
        }
        Self::read(&visit.body).map_err(Refusal::BadRequest)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it: a name twice, a bad `%` escape, not UTF-8, a control character, more than [`MAX_FIELDS`] fields.
    pub(crate) fn read(body: &[u8]) -> Result<Self, &'static str> {
        let mut fields: Vec<(String, Zeroizing<String>)> = Vec::new();
        for pair in body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            if fields.len() == MAX_FIELDS {
                return Err("the form has too many fields");
            }
            let at = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            let name = decode(&pair[..at])?;
            let value = decode(pair.get(at + 1..).unwrap_or_default())?;
            if fields.iter().any(|(other, _)| *other == *name) {
                return Err("the form has a field twice");
            }
            fields.push((name.to_string(), value));
        }
        Ok(Self(fields))
    }

    /// The value of a field.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

fn decode(text: &[u8]) -> Result<Zeroizing<String>, &'static str> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    loop {
        rest = match rest {
            [] => break,
            [b'%', high, low, rest @ ..] => {
                let digit =
                    |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let (Some(high), Some(low)) = (digit(high), digit(low)) else {
                    return Err("the form has a % that begins no escape");
                };
                decoded.push(high * 16 + low);
                rest
            }
            [b'%', ..] => return Err("the form has a % that begins no escape"),
            [b'+', rest @ ..] => {
                decoded.push(b' ');
                rest
            }
            [byte, rest @ ..] => {
                decoded.push(*byte);
                rest
            }
        };
    }
    let text = std::str::from_utf8(&decoded).map_err(|_| "the form is not UTF-8")?;
    if text.chars().any(char::is_control) {
        return Err("the form has a control character");
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_were_written() {
        let form = Form::read(
            b"grant_type=password&scope=a+b&username=ada%40internal&password=p%26%3D%2B%C3%A4&x&=",
        )
        .unwrap();
        for (name, value) in [
            ("grant_type", Some("password")),
            ("scope", Some("a b")),
            ("username", Some("ada@internal")),
            ("password", Some("p&=+\u{e4}")),
            ("x", Some("")),
            ("y", None),
        ] {
            assert_eq!(form.value(name), value, "{name}");
        }
        assert!(Form::read(b"").unwrap().value("x").is_none());
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        for wrong in
            ["a=1&a=1", "a=1&%61=2", "a=%", "a=%4", "a=%4g", "a=%ff", "%ff=a", "a=%00", "a=b%0d%0a", "a=%+1"]
        {
            assert!(Form::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_number_of_fields_has_a_limit() {
        let of = |count: usize| (0..count).map(|at| format!("f{at}=x&")).collect::<String>();
        assert!(Form::read(of(MAX_FIELDS).as_bytes()).is_ok());
        assert!(Form::read(of(MAX_FIELDS + 1).as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..120)) {
            crate::ovirt::fuzzing::form(&bytes);
        }

        #[test]
        fn every_text_comes_through(value in "\\PC{0,40}") {
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let form = Form::read(format!("a={encoded}").as_bytes()).unwrap();
            proptest::prop_assert_eq!(form.value("a"), Some(&*value));
        }
    }
}
