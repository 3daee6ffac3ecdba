//! The bytes of the measurement: a browser's request, the backend's answer, and where an answer ends.
//!
//! Called by `engine` and `proxies`. Must never differ between the variants: all are sent the same bytes.

/// Where each request goes. Below the mount, and nothing that the gateway answers itself.
pub(crate) const PATH: &str = "/api/collections/demo/hello.json";

/// Length of the backend's answer: what nginx 1.22 sends for a small static file.
pub(crate) const ANSWER_BYTES: usize = 523;

/// Sessions' tokens have 36 characters (128 bits, in the 8-4-4-4-12 form).
pub(crate) const TOKEN_BYTES: usize = 36;

/// A token for variants that do not look at it.
pub(crate) const NO_TOKEN: &str = "00000000-0000-0000-0000-000000000000";

/// A request of some 420 bytes as a browser sends it, and where its token stands.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) bytes: Vec<u8>,
    pub(crate) token_at: usize,
}

pub(crate) fn template() -> Template {
    let before = format!(
        "GET {PATH} HTTP/1.1\r\n\
         Host: gateway.example:8764\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
         Accept: application/json,text/plain;q=0.9,*/*;q=0.8\r\n\
         Accept-Language: en-US,en;q=0.5\r\n\
         Accept-Encoding: gzip, deflate, br\r\n\
         Referer: http://gateway.example:8764/search\r\n\
         Connection: keep-alive\r\n\
         Cookie: id="
    );
    let token_at = before.len();
    let bytes = format!("{before}{NO_TOKEN}\r\nCache-Control: no-cache\r\n\r\n").into_bytes();
    Template { bytes, token_at }
}

/// The backend's answer, [`ANSWER_BYTES`] long.
pub(crate) fn backend_answer() -> Vec<u8> {
    let head = |length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\n\
             Server: nginx/1.22.1\r\n\
             Date: Sun, 01 Nov 2026 12:00:00 GMT\r\n\
             Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\
             Last-Modified: Sun, 01 Nov 2026 11:00:00 GMT\r\n\
             Connection: keep-alive\r\n\
             ETag: \"6724b6f0-113\"\r\n\
             Accept-Ranges: bytes\r\n\r\n"
        )
    };
    let length = ANSWER_BYTES - head(100).len();
    let mut answer = head(length).into_bytes();
    answer.push(b'"');
    answer.resize(ANSWER_BYTES - 1, b'x');
    answer.push(b'"');
    answer
}

/// A whole answer at the beginning of `bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) head_bytes: usize,
    pub(crate) body_bytes: usize,
}

/// Looks for a whole answer with `Content-Length`. `Ok(None)`: more bytes are needed.
pub(crate) fn whole_answer(bytes: &[u8]) -> Result<Option<Whole>, &'static str> {
    let Some(end) = head_end(bytes) else {
        return Ok(None);
    };
    let head = &bytes[..end];
    let digits = head.get(9..12).ok_or("a status line that is too short")?;
    let status = digits.iter().try_fold(0_u16, |sum, digit| match digit {
        b'0'..=b'9' => Ok(sum * 10 + u16::from(digit - b'0')),
        _ => Err("a status that is no number"),
    })?;
    let body_bytes = if matches!(status, 204 | 304) {
        0
    } else {
        content_length(head).ok_or("an answer without Content-Length")?
    };
    let whole = Whole { status, head_bytes: end, body_bytes };
    Ok((bytes.len() >= end + body_bytes).then_some(whole))
}

/// Length of the head, its empty line included.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    // From line end to line end: most bytes are looked at once.
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == b'\n') {
        let next = from + at + 1;
        if bytes[next..].starts_with(b"\r\n") {
            return Some(next + 2);
        }
        from = next;
    }
    None
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let value = line.get(NAME.len()..)?;
        if !line[..NAME.len()].eq_ignore_ascii_case(NAME) {
            return None;
        }
        str::from_utf8(value).ok()?.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_have_the_sizes_of_the_method() {
        let template = template();
        assert!((410..=430).contains(&template.bytes.len()), "{}", template.bytes.len());
        assert_eq!(&template.bytes[template.token_at..][..TOKEN_BYTES], NO_TOKEN.as_bytes());
        assert_eq!(head_end(&template.bytes), Some(template.bytes.len()));
        let answer = backend_answer();
        assert_eq!(answer.len(), ANSWER_BYTES);
        let whole = whole_answer(&answer).unwrap().unwrap();
        assert_eq!((whole.status, whole.head_bytes + whole.body_bytes), (200, ANSWER_BYTES));
    }

    #[test]
    fn parts_need_more_and_nonsense_is_refused() {
        let answer = backend_answer();
        for end in 0..answer.len() {
            assert_eq!(whole_answer(&answer[..end]), Ok(None));
        }
        assert!(whole_answer(b"x\r\n\r\n").is_err());
        assert!(whole_answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(whole_answer(b"HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n").is_err());
        assert_eq!(whole_answer(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap().status, 204);
    }
}
