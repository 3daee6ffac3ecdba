//! Durations, sizes and addresses as people write them. The readers in `sections/` call this. It must never guess: a number
//! without a unit is refused with a hint, whatever it might have meant.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Why a value was refused: the rest of a sentence that begins with the value. The value itself is not in it, because it
/// may be a secret; a message that must quote parts of it has an `unquoting` twin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) better: Option<String>,
    /// Whether the value must not be quoted although it stands in the file: it has a secret in it.
    pub(crate) secret: bool,
    /// What to say of a value that came from elsewhere, where `message` quotes parts of it.
    pub(crate) unquoting: Option<String>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), better: None, secret: false, unquoting: None }
    }

    pub(crate) fn with_better(message: impl Into<String>, better: impl Into<String>) -> Self {
        Self { better: Some(better.into()), ..Self::new(message) }
    }
}

const DURATION: &str = "is not a duration: one number and one unit of ms, s, m, h, d, such as \"30m\"";
const SIZE: &str = "is not a size: one number and one unit of B, KiB, MiB, GiB, such as \"64KiB\"";

/// Splits `30m` into `30` and `m`.
fn number_and_unit(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// A duration such as `1500ms`, `10s`, `30m`, `8h`, `2d`.
///
/// # Errors
/// A [`Fault`] where there is no number, no known unit, or more than the clock can count.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, Fault> {
    let (number, unit) = number_and_unit(text);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(duration_fault(number, unit)),
    };
    if number.is_empty() {
        return Err(Fault::new(DURATION));
    }
    let count: Option<u64> = number.parse().ok();
    match count.and_then(|count| count.checked_mul(milliseconds)) {
        Some(total) => Ok(Duration::from_millis(total)),
        None => Err(Fault::new("is longer than can be counted")),
    }
}

fn duration_fault(number: &str, unit: &str) -> Fault {
    if number.is_empty() || number.len() > 18 {
        return Fault::new(DURATION);
    }
    let known = match unit.trim().to_ascii_lowercase().as_str() {
        "" => return Fault::with_better("has no unit: ms, s, m, h or d", format!("\"{number}s\"")),
        "ms" | "msec" | "millis" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        _ => return Fault::new(DURATION),
    };
    Fault::with_better(DURATION, format!("\"{number}{known}\""))
}

/// Writes a duration in the largest unit that divides it.
pub(crate) fn duration_text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds > 0 && milliseconds.is_multiple_of(factor) {
            return format!("{}{unit}", milliseconds / factor);
        }
    }
    format!("{milliseconds}ms")
}

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ByteSize(u64);

impl ByteSize {
    /// `bytes` bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// In whole KiB (1,024 bytes), rounded down.
    #[must_use]
    pub const fn kibibytes(self) -> u64 {
        self.0 / 1024
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 > 0 && self.0.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// A size such as `64KiB`, `19MiB`, `1GiB`.
///
/// # Errors
/// A [`Fault`] where there is no number, no known unit, or more than 64 bits hold.
pub(crate) fn parse_size(text: &str) -> Result<ByteSize, Fault> {
    let (number, unit) = number_and_unit(text);
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(size_fault(number, unit)),
    };
    if number.is_empty() {
        return Err(Fault::new(SIZE));
    }
    let count: Option<u64> = number.parse().ok();
    match count.and_then(|count| count.checked_mul(factor)) {
        Some(total) => Ok(ByteSize(total)),
        None => Err(Fault::new("is more than can be counted")),
    }
}

fn size_fault(number: &str, unit: &str) -> Fault {
    if number.is_empty() || number.len() > 18 {
        return Fault::new(SIZE);
    }
    let known = match unit.trim().to_ascii_lowercase().as_str() {
        "" => return Fault::new("has no unit: B, KiB, MiB or GiB"),
        "b" | "byte" | "bytes" => "B",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        _ => return Fault::new(SIZE),
    };
    Fault::with_better(SIZE, format!("\"{number}{known}\""))
}

/// An address to listen on: IP and port. Port 0 lets the system choose.
///
/// # Errors
/// A [`Fault`] where it is anything else, also a name: which of its addresses was meant would be a guess.
pub(crate) fn parse_listen_address(text: &str) -> Result<SocketAddr, Fault> {
    const ADDRESS: &str =
        "is not an address to listen on: an IP address and a port, such as \"127.0.0.1:8764\"";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = |rest: &str| rest.parse::<u16>().ok();
    let better = match text.rsplit_once(':') {
        Some(("" | "*", rest)) => port(rest).map(|port| format!("0.0.0.0:{port}")),
        Some(("localhost", rest)) => port(rest).map(|port| format!("127.0.0.1:{port}")),
        Some(("http" | "https", _)) => None,
        Some((scheme, rest)) if scheme.contains("//") => {
            let host = scheme.rsplit('/').next().unwrap_or_default();
            format!("{host}:{}", rest.trim_end_matches('/'))
                .parse::<SocketAddr>()
                .ok()
                .map(|address| address.to_string())
        }
        Some(_) => None,
        None => port(text).map(|port| format!("127.0.0.1:{port}")),
    };
    let better = better.map(|better| format!("\"{better}\""));
    Err(Fault { better, ..Fault::new(ADDRESS) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        let millis = |text| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(millis("1500ms"), Ok(1_500));
        assert_eq!(millis("10s"), Ok(10_000));
        assert_eq!(millis("30m"), Ok(1_800_000));
        assert_eq!(millis("8h"), Ok(28_800_000));
        assert_eq!(millis("2d"), Ok(172_800_000));
        assert_eq!(millis("0s"), Ok(0));
        assert_eq!(millis("007s"), Ok(7_000));
        for (wrong, better) in [
            ("30", Some("\"30s\"")),
            ("30min", Some("\"30m\"")),
            ("30 m", Some("\"30m\"")),
            ("1 hour", Some("\"1h\"")),
            ("2D", Some("\"2d\"")),
            ("", None),
            ("m", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5h", None),
            ("1h30m", None),
            (" 1s", None),
            ("１s", None),
            ("5y", None),
        ] {
            assert_eq!(parse_duration(wrong).unwrap_err().better.as_deref(), better, "{wrong}");
        }
    }

    #[test]
    fn a_duration_and_a_size_stop_where_64_bits_do() {
        assert!(parse_duration(&format!("{}ms", u64::MAX)).is_ok());
        assert!(parse_duration("18446744073709551616ms").is_err());
        assert!(parse_duration(&format!("{}s", u64::MAX / 1000)).is_ok());
        assert!(parse_duration(&format!("{}s", u64::MAX / 1000 + 1)).is_err());
        assert!(parse_size(&format!("{}B", u64::MAX)).is_ok());
        assert!(parse_size("18446744073709551616B").is_err());
        assert!(parse_size(&format!("{}KiB", u64::MAX / 1024)).is_ok());
        assert!(parse_size(&format!("{}KiB", u64::MAX / 1024 + 1)).is_err());
    }

    #[test]
    fn sizes() {
        let bytes = |text| parse_size(text).map(ByteSize::bytes);
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("19MiB"), Ok(19_922_944));
        assert_eq!(bytes("1GiB"), Ok(1 << 30));
        assert_eq!(bytes("12B"), Ok(12));
        assert_eq!(parse_size("19MiB").unwrap().kibibytes(), 19_456);
        for (wrong, better) in [
            ("64", None),
            ("64KB", Some("\"64KiB\"")),
            ("64k", Some("\"64KiB\"")),
            ("19 MiB", Some("\"19MiB\"")),
            ("1TiB", None),
            ("MiB", None),
            ("-1B", None),
            ("", None),
        ] {
            assert_eq!(parse_size(wrong).unwrap_err().better.as_deref(), better, "{wrong}");
        }
    }

    #[test]
    fn listen_addresses() {
        for good in ["127.0.0.1:8764", "[::1]:443", "0.0.0.0:0"] {
            assert_eq!(parse_listen_address(good).unwrap().to_string(), good);
        }
        for (wrong, better) in [
            ("8764", Some("\"127.0.0.1:8764\"")),
            (":8764", Some("\"0.0.0.0:8764\"")),
            ("*:80", Some("\"0.0.0.0:80\"")),
            ("localhost:80", Some("\"127.0.0.1:80\"")),
            ("http://127.0.0.1:80/", Some("\"127.0.0.1:80\"")),
            ("http://gateway:80", None),
            ("127.0.0.1", None),
            ("127.0.0.1:65536", None),
            ("", None),
        ] {
            assert_eq!(parse_listen_address(wrong).unwrap_err().better.as_deref(), better, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(milliseconds in 0u64..u64::MAX / 2, bytes: u64) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&duration_text(duration)), Ok(duration));
            let size = ByteSize::new(bytes);
            prop_assert_eq!(parse_size(&size.to_string()), Ok(size));
        }

        #[test]
        fn nothing_makes_them_panic(text in "\\PC{0,24}") {
            let _ = (parse_duration(&text), parse_size(&text), parse_listen_address(&text));
        }
    }
}
