//! Which of the two forms of a fault a client reads: XML, which is the default, or JSON. Asked by `refusals`; never fails.

/// Media ranges of one request that are looked at.
const MAX_RANGES: usize = 32;

/// The form of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/xml`.
    Xml,
    /// `application/json`.
    Json,
}

impl Form {
    /// The form that these `Accept` lines prefer (RFC 9110 section 12.5.1): JSON where it is named, and XML is not or less so.
    pub(super) fn preferred<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Self {
        let (mut xml, mut json) = (0, 0);
        for range in lines.flat_map(|line| line.split(|&byte| byte == b',')).take(MAX_RANGES) {
            let mut parts = range.split(|&byte| byte == b';');
            let media = parts.next().unwrap_or_default().trim_ascii();
            let quality = parts.find_map(quality).unwrap_or(1_000);
            let is = |name: &str| media.eq_ignore_ascii_case(name.as_bytes());
            if is("application/json") {
                json = json.max(quality);
            } else if is("application/xml") || is("text/xml") {
                xml = xml.max(quality);
            }
        }
        if json > xml { Self::Json } else { Self::Xml }
    }
}

/// The thousandths of a `q=` parameter (RFC 9110 section 12.4.2); `None` for another parameter. What is no weight is none.
fn quality(parameter: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', weight @ ..] = parameter.trim_ascii() else { return None };
    let (whole, digits) = match weight {
        [whole @ (b'0' | b'1')] => (*whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', digits @ ..] if digits.len() <= 3 => (*whole, digits),
        _ => return Some(0),
    };
    let mut thousandths = u16::from(whole - b'0') * 1_000;
    for (digit, worth) in digits.iter().zip([100, 10, 1]) {
        if !digit.is_ascii_digit() {
            return Some(0);
        }
        thousandths += u16::from(digit - b'0') * worth;
    }
    Some(if thousandths <= 1_000 { thousandths } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_json_for_those_who_accept_it_and_xml_for_all_others() {
        for (accept, form) in [
            (&[] as &[&str], Form::Xml),
            (&["*/*"], Form::Xml),
            (&["application/xml"], Form::Xml),
            (&["application/json"], Form::Json),
            (&["Application/JSON; charset=utf-8"], Form::Json),
            (&["application/json, */*"], Form::Json),
            (&["application/xml, application/json"], Form::Xml),
            (&["application/xml;q=0.8, application/json"], Form::Json),
            (&["application/xml;q=0.8", "application/json;q=0.9"], Form::Json),
            (&["application/json;q=0.5, text/xml"], Form::Xml),
            (&["application/json;q=0"], Form::Xml),
            (&["application/json;q=x"], Form::Xml),
            (&["application/json;q=1.5"], Form::Xml),
            (&["application/json;q=0.001"], Form::Json),
            (&["application/json;q=0.0001"], Form::Xml),
            (&["application/json; v=4; q=1.000"], Form::Json),
            (&["text/html"], Form::Xml),
            (&[",;q=,;;"], Form::Xml),
        ] {
            assert_eq!(Form::preferred(accept.iter().map(|line| line.as_bytes())), form, "{accept:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..120)) {
            let _ = Form::preferred(std::iter::once(&*bytes));
        }
    }
}
