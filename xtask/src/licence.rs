//! SPDX licence expressions, as far as Cargo.toml files use them.
//!
//! Called by `deny.rs`. It must never guess: what it cannot read is not allowed.

/// Whether `expression` can be satisfied with the licences in `allowed`.
///
/// Knows `AND`, `OR`, `WITH`, round brackets, and the old `/` for `OR`. `AND` binds tighter than `OR` (SPDX 3, annex B).
pub(crate) fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    reader.either() == Some(true) && reader.words.is_empty()
}

/// What is still to be read. Every step answers `None` where the text is no expression.
struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Reader<'_> {
    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    fn either(&mut self) -> Option<bool> {
        let mut verdict = self.both()?;
        while self.take("OR") {
            verdict |= self.both()?;
        }
        Some(verdict)
    }

    fn both(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let verdict = self.either()?;
            return self.take(")").then_some(verdict);
        }
        let name = self.name()?;
        let name = if self.take("WITH") { format!("{name} WITH {}", self.name()?) } else { name };
        Some(self.allowed.contains(&name))
    }

    fn name(&mut self) -> Option<String> {
        let (first, rest) = self.words.split_first()?;
        if matches!(*first, "AND" | "OR" | "WITH" | "(" | ")") {
            return None;
        }
        self.words = rest;
        Some((*first).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(expression: &str) -> bool {
        let list = ["MIT", "Apache-2.0", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        is_allowed(expression, &list)
    }

    #[test]
    fn one_of_several_is_enough_and_all_of_several_are_needed() {
        for expression in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND ISC",
            "(GPL-3.0 OR MIT) AND ISC",
            "GPL-3.0 OR MIT AND ISC",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(allowed(expression), "{expression}");
        }
        for expression in
            ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "GPL-3.0 WITH LLVM-exception"]
        {
            assert!(!allowed(expression), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_not_allowed() {
        for expression in ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH"] {
            assert!(!allowed(expression), "{expression}");
        }
    }
}
