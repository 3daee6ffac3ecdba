//! A storm of log-ins: so many a second at times fixed before, each of another user from another client address, whether or not
//! those before are answered.
//!
//! Called by `directory` and driven by `engine`. Must never take a log-in that failed in some other way than "the realm is
//! unavailable" for a part of the measurement.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::engine::{Beside, Listing, connect};
use crate::histogram::Histogram;
use crate::message;

/// Connections at the most: a log-in that finds none waits for one, and its waiting counts.
const MOST_CONNECTIONS: usize = 4_096;
/// An answer to a log-in is a few hundred bytes.
const MOST_BYTES: usize = 16 * 1024;
/// The realm that users log in at.
pub(crate) const REALM: &str = "corp";

/// The name of the user of this number.
pub(crate) fn name_of(user: usize) -> String {
    format!("user{user}")
}

/// His password.
pub(crate) fn password_of(user: usize) -> String {
    format!("password of user{user}")
}

/// What became of the log-ins that were due while it was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoggedIn {
    pub(crate) asked: u64,
    /// Answered `201`, and how long after they were due.
    pub(crate) good: Histogram,
    pub(crate) good_count: u64,
    /// Answered `503 realm-unavailable`.
    pub(crate) busy: Histogram,
    pub(crate) busy_count: u64,
    /// Answered `201`, and answered at all, while it was measured, whenever they were due.
    pub(crate) good_meanwhile: u64,
    pub(crate) answered_meanwhile: u64,
    /// The longest that one of them took.
    pub(crate) longest: Duration,
    /// What else was answered, the first text of each status.
    pub(crate) wrong: BTreeMap<u16, String>,
    /// The most that were on their way at a time.
    pub(crate) most_on_the_way: usize,
    /// Who was let in, also before it was measured.
    pub(crate) users: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Waiting {
    user: usize,
    due: Instant,
    is_measured: bool,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    waiting: Option<Waiting>,
    has_ended: bool,
}

/// The storm of one slice.
pub(crate) struct Storm<'a> {
    target: SocketAddr,
    interval: Duration,
    /// Who logs in, one after the other, and from the beginning again.
    users: &'a [usize],
    next: usize,
    next_due: Option<Instant>,
    connections: Vec<Connection>,
    idle: Vec<usize>,
    is_measuring: bool,
    has_stopped: bool,
    logged_in: LoggedIn,
}

impl<'a> Storm<'a> {
    /// So many log-ins a second, of these users beginning with the one at this place.
    pub(crate) fn new(target: SocketAddr, rate: f64, users: &'a [usize], first: usize) -> Self {
        Self {
            target,
            interval: Duration::from_secs_f64(1.0 / rate),
            users,
            next: first,
            next_due: None,
            connections: Vec::new(),
            idle: Vec::new(),
            is_measuring: false,
            has_stopped: false,
            logged_in: LoggedIn::default(),
        }
    }

    /// What became of it, and the place of the user who is next.
    pub(crate) fn end(self) -> (LoggedIn, usize) {
        (self.logged_in, self.next)
    }

    /// A connection on which nothing is outstanding.
    fn free(&mut self, list: &Listing<'_>) -> Outcome<Option<usize>> {
        if let Some(index) = self.idle.pop() {
            if self.connections[index].has_ended {
                self.connections[index] = self.dial(index, list)?;
            }
            return Ok(Some(index));
        }
        let index = self.connections.len();
        if index == MOST_CONNECTIONS {
            return Ok(None);
        }
        let connection = self.dial(index, list)?;
        self.connections.push(connection);
        Ok(Some(index))
    }

    fn dial(&self, index: usize, list: &Listing<'_>) -> Outcome<Connection> {
        let stream = connect(self.target)?;
        list.add(&stream, u32::try_from(index)?)?;
        Ok(Connection { stream, buffer: Vec::new(), waiting: None, has_ended: false })
    }

    fn log_in(&mut self, index: usize, due: Instant) -> Outcome<()> {
        let user = self.users[self.next % self.users.len()];
        let bytes = request(user, self.next);
        self.next += 1;
        self.logged_in.asked += u64::from(self.is_measuring);
        let on_the_way = self.connections.len() - self.idle.len();
        self.logged_in.most_on_the_way = self.logged_in.most_on_the_way.max(on_the_way);
        let connection = &mut self.connections[index];
        connection.buffer.clear();
        connection.waiting = Some(Waiting { user, due, is_measured: self.is_measuring });
        // A socket without anything outstanding takes a few hundred bytes at once.
        match connection.stream.write(&bytes) {
            Ok(written) if written == bytes.len() => Ok(()),
            other => Err(format!("a log-in was not taken whole: {other:?}").into()),
        }
    }

    fn note(&mut self, waiting: Waiting, status: u16, text: &str) {
        let took = waiting.due.elapsed();
        let is_busy = status == 503 && text.contains("realm-unavailable");
        let is_meanwhile = u64::from(self.is_measuring && !self.has_stopped);
        self.logged_in.answered_meanwhile += is_meanwhile;
        if status == 201 {
            self.logged_in.users.push(waiting.user);
            self.logged_in.good_meanwhile += is_meanwhile;
        } else if !is_busy {
            self.logged_in.wrong.entry(status).or_insert_with(|| text.to_owned());
        }
        if !waiting.is_measured {
            return;
        }
        self.logged_in.longest = self.logged_in.longest.max(took);
        if status == 201 {
            self.logged_in.good.record(took);
            self.logged_in.good_count += 1;
        } else if is_busy {
            self.logged_in.busy.record(took);
            self.logged_in.busy_count += 1;
        }
    }
}

impl Beside for Storm<'_> {
    fn open(&mut self, _: &Listing<'_>) -> Outcome<()> {
        Ok(())
    }

    fn measure(&mut self) -> Outcome<()> {
        self.is_measuring = true;
        Ok(())
    }

    fn send_due(&mut self, now: Instant, list: &Listing<'_>) -> Outcome<Option<Instant>> {
        if self.has_stopped {
            return Ok(None);
        }
        let mut due = self.next_due.unwrap_or(now);
        while due <= now {
            let Some(index) = self.free(list)? else {
                self.next_due = Some(due);
                return Ok(None);
            };
            self.log_in(index, due)?;
            due += self.interval;
        }
        self.next_due = Some(due);
        Ok(Some(due))
    }

    fn is_ready(&mut self, number: u32, _: &Listing<'_>) -> Outcome<()> {
        let index = number as usize;
        let connection = &mut self.connections[index];
        let mut part = [0; 4 * 1024];
        match connection.stream.read(&mut part) {
            Ok(0) => connection.has_ended = true,
            Ok(read) => connection.buffer.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => connection.has_ended = true,
            Err(error) => return Err(error.into()),
        }
        let Some(waiting) = connection.waiting else {
            // Idle ones are closed after a while, which is the gateway's right.
            return if connection.has_ended { Ok(()) } else { Err("an answer to nothing".into()) };
        };
        let Some(whole) = message::whole_answer(&connection.buffer)? else {
            return match connection.has_ended || connection.buffer.len() > MOST_BYTES {
                true => Err("the gateway closed a connection instead of answering a log-in".into()),
                false => Ok(()),
            };
        };
        connection.waiting = None;
        let text = String::from_utf8_lossy(&connection.buffer).into_owned();
        self.note(waiting, whole.status, &text);
        self.idle.push(index);
        Ok(())
    }

    fn stop(&mut self) {
        self.has_stopped = true;
    }

    fn is_done(&self) -> bool {
        self.has_stopped && self.idle.len() == self.connections.len()
    }
}

/// A log-in of this user, from a client address that no other has.
fn request(user: usize, number: usize) -> Vec<u8> {
    let body = format!(r#"{{"username":"{}","password":"{}"}}"#, name_of(user), password_of(user));
    let [_, second, third, fourth] = (number as u32).to_be_bytes();
    let client = Ipv4Addr::new(10, second, third, fourth);
    format!(
        "POST /api/session?realmName={REALM} HTTP/1.1\r\nHost: gateway.example:8764\r\nX-Forwarded-For: {client}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_log_in_has_an_address_of_its_own_and_its_length_is_right() {
        let text = |number| String::from_utf8(request(7, number)).unwrap();
        let (first, later) = (text(0), text(65_537));
        assert!(
            first.contains("X-Forwarded-For: 10.0.0.0\r\n")
                && later.contains("X-Forwarded-For: 10.1.0.1\r\n")
        );
        let (head, body) = first.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        assert_eq!(body, r#"{"username":"user7","password":"password of user7"}"#);
    }

    #[test]
    fn what_is_neither_good_nor_busy_is_kept() {
        let mut storm = Storm::new(SocketAddr::from(([127, 0, 0, 1], 1)), 10.0, &[1], 0);
        let waiting = Waiting { user: 1, due: Instant::now(), is_measured: true };
        storm.note(waiting, 201, "");
        storm.note(waiting, 503, r#"{"code":"realm-unavailable"}"#);
        storm.note(waiting, 503, r#"{"code":"store-failed"}"#);
        storm.note(Waiting { is_measured: false, ..waiting }, 201, "");
        storm.is_measuring = true;
        storm.note(Waiting { is_measured: false, ..waiting }, 201, "");
        storm.stop();
        storm.note(Waiting { is_measured: false, ..waiting }, 201, "");
        let (logged_in, _) = storm.end();
        assert_eq!((logged_in.good_count, logged_in.busy_count, logged_in.users.len()), (1, 1, 4));
        assert_eq!((logged_in.good_meanwhile, logged_in.answered_meanwhile), (1, 1));
        assert!(logged_in.wrong[&503].contains("store-failed"));
    }
}
