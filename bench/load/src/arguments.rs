//! The command line's options. Called by `main`. Must never ignore one it does not know.

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

/// Everything that can be set from outside; `main::HELP` describes each.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) doorward: PathBuf,
    pub(crate) nginx: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) slice: Duration,
    pub(crate) connections: usize,
    pub(crate) rate: f64,
    pub(crate) logins: f64,
    pub(crate) sessions: usize,
    pub(crate) users: usize,
    pub(crate) tokens: Option<PathBuf>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) only: Option<String>,
    pub(crate) results: Option<PathBuf>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            doorward: "target/release/doorward".into(),
            nginx: "/usr/sbin/nginx".into(),
            rounds: 8,
            slice: Duration::from_secs(2),
            connections: 64,
            rate: 10_000.0,
            logins: 1_000.0,
            sessions: 300,
            users: 100_000,
            tokens: None,
            data: None,
            only: None,
            results: Some("bench/results".into()),
        }
    }
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut arguments = Self::default();
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse::<f64>().ok().filter(|number| *number > 0.0 && number.is_finite());
            let count = || value.parse::<usize>().ok().filter(|count| *count > 0);
            let wrong = || format!("{name} {value}: not a number above zero");
            match name.as_str() {
                "--doorward" => arguments.doorward = value.into(),
                "--nginx" => arguments.nginx = value.into(),
                "--rounds" => arguments.rounds = count().ok_or_else(wrong)?,
                "--seconds" => arguments.slice = Duration::from_secs_f64(number().ok_or_else(wrong)?),
                "--connections" => arguments.connections = count().ok_or_else(wrong)?,
                "--rate" => arguments.rate = number().ok_or_else(wrong)?,
                "--logins" => arguments.logins = number().ok_or_else(wrong)?,
                "--sessions" => arguments.sessions = count().ok_or_else(wrong)?,
                "--users" => arguments.users = count().ok_or_else(wrong)?,
                "--tokens" => arguments.tokens = Some(value.into()),
                "--data" => arguments.data = Some(value.into()),
                "--only" => arguments.only = Some(value),
                "--results" => {
                    let folder = Some(value).filter(|value| value != "none");
                    arguments.results = folder.map(Into::into);
                }
                _ => return Err(format!("no option {name}; `load help` lists them").into()),
            }
        }
        if arguments.data.is_some() != arguments.tokens.is_some() {
            return Err(
                "--data and --tokens go together: the tokens are those of the sessions in the store".into()
            );
        }
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Outcome<Arguments> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read_and_wrong_ones_refused() {
        let arguments = parse("--rounds 3 --seconds 0.5 --results none").unwrap();
        assert_eq!((arguments.rounds, arguments.slice), (3, Duration::from_millis(500)));
        assert_eq!(arguments.results, None);
        for wrong in ["--rounds", "--rounds 0", "--seconds -1", "--seconds inf", "--what 1", "--data x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
