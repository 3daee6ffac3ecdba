//! The methods that permissions speak of, and sets of them.
//!
//! Called by the authorize step (one parse per request) and by everything that reads permissions. Must never take a method for
//! another: `get`, `GETX`, TRACE and CONNECT are none of these, and so are never allowed (`security.md` row 75).

use std::fmt;

/// A method that can be granted. Everything else is refused before permissions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "they are their names")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    /// Every method, in the order in which sets of them are written.
    pub const ALL: [Method; 7] = [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Options,
    ];

    /// The method of exactly this name; names are case-sensitive (RFC 9110 9.1).
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Method> {
        match name {
            b"GET" => Some(Method::Get),
            b"HEAD" => Some(Method::Head),
            b"POST" => Some(Method::Post),
            b"PUT" => Some(Method::Put),
            b"PATCH" => Some(Method::Patch),
            b"DELETE" => Some(Method::Delete),
            b"OPTIONS" => Some(Method::Options),
            _ => None,
        }
    }

    /// The name, in upper case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A set of methods. Written `*` when it is all of them, else with commas in the order of [`Method::ALL`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MethodSet(u8);

impl MethodSet {
    /// No method.
    pub const NONE: MethodSet = MethodSet(0);
    /// Every method, `*`.
    pub const ALL: MethodSet = MethodSet((1 << Method::ALL.len()) - 1);

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the method was named (or all were). Use [`MethodSet::grants`] to decide about a request.
    #[must_use]
    pub const fn contains(self, method: Method) -> bool {
        self.0 & method.bit() != 0
    }

    /// Whether a request of this method is allowed: those named, and HEAD where GET is, because HEAD tells less than GET
    /// (RFC 9110 9.3.2) and clients use it as if the right to GET were enough.
    #[must_use]
    pub const fn grants(self, method: Method) -> bool {
        self.contains(method) || (matches!(method, Method::Head) && self.contains(Method::Get))
    }

    /// The methods named, in the order of [`Method::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |&method| self.contains(method))
    }

    /// Reads method names as an administrator wrote them: `*` alone, or at least one name.
    ///
    /// # Errors
    /// `NoMethods`, `UnknownMethod` or `StarAmongMethods`.
    pub fn parse<'name>(
        names: impl IntoIterator<Item = &'name str>,
    ) -> Result<MethodSet, super::PermissionError> {
        let mut set = MethodSet::NONE;
        let mut star = false;
        for name in names {
            if name == "*" {
                star = true;
            } else {
                let method = Method::parse(name.as_bytes())
                    .ok_or_else(|| super::PermissionError::UnknownMethod(super::quote(name)))?;
                set.0 |= method.bit();
            }
        }
        match (star, set.is_empty()) {
            (true, true) => Ok(MethodSet::ALL),
            (true, false) => Err(super::PermissionError::StarAmongMethods),
            (false, true) => Err(super::PermissionError::NoMethods),
            (false, false) => Ok(set),
        }
    }
}

impl FromIterator<Method> for MethodSet {
    fn from_iter<Methods: IntoIterator<Item = Method>>(methods: Methods) -> MethodSet {
        MethodSet(methods.into_iter().fold(0, |bits, method| bits | method.bit()))
    }
}

impl fmt::Display for MethodSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == MethodSet::ALL {
            return formatter.write_str("*");
        }
        for (index, method) in self.iter().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            formatter.write_str(method.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for MethodSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
