//! The ways in which backends read a path with parameters in its segments (`/a;b=c/d`, RFC 3986 3.3).
//!
//! Called by the matcher and by `explain`. Must never pick the reading that allows: where backends may disagree, every reading
//! has to be granted (Envoy CVE-2026-73553 and CVE-2026-73551, `security.md` 2a row 1).

use crate::path;

/// What the backend does with `;…` at the end of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Matrix {
    /// Not known. The path is allowed only if it is granted as it stands and also without the parameters.
    #[default]
    Strict,
    /// The backend strips parameters before it routes, as Java servers do, so only the stripped path has to be granted.
    Stripped,
}

/// One way to read a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// `;` is a byte like others.
    AsIs,
    /// Each segment ends at its first `;`.
    Stripped,
    /// Each segment ends at its first `;` or `%3B`: a backend that decodes before it strips.
    DecodedAndStripped,
}

impl Matrix {
    /// The readings that must all be granted; only one for nearly every path.
    pub(super) fn readings(self, path: &str) -> &'static [Reading] {
        let parameters = path.contains(';') || (path.contains('%') && path.contains("%3B"));
        match self {
            _ if !parameters => &[Reading::AsIs],
            Matrix::Strict => &[Reading::AsIs, Reading::Stripped, Reading::DecodedAndStripped],
            Matrix::Stripped => &[Reading::Stripped, Reading::DecodedAndStripped],
        }
    }
}

impl Reading {
    /// The segment as this reading sees it.
    pub(super) fn view(self, segment: &str) -> &str {
        match self {
            Reading::AsIs => segment,
            Reading::Stripped => segment.split_once(';').map_or(segment, |(name, _)| name),
            Reading::DecodedAndStripped => path::without_parameters(segment),
        }
    }
}
