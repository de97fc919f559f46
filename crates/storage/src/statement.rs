//! Statements: each SQL text of Parvis is written once, named, and registered.
//!
//! A text may hold one of two placeholders. `{rows}` stands for the rows of a multi-row insert and is
//! expanded to as many parameter groups as there are rows. `{list}` stands for the parameters of an `IN`
//! list, which are appended after the fixed ones; lists are padded to powers of two by repeating their last
//! element, so that few distinct texts reach the engines' statement caches.

use std::fmt::Write as _;

/// A registered SQL text. Made only by the [`statements`] macro.
#[derive(Debug)]
pub(crate) struct Statement {
    /// The constant's name, for logs and tests.
    pub(crate) name: &'static str,
    /// The text, with `$1 … $n` and perhaps one placeholder.
    pub(crate) text: &'static str,
    /// How many columns one group of `{rows}` has.
    pub(crate) columns: usize,
    /// How many of the first columns identify a row: among rows with equal keys in one group the last wins.
    pub(crate) key: usize,
    /// How many parameters stand before a `{list}`.
    pub(crate) fixed: usize,
}

impl Statement {
    /// Whether this inserts rows, and so may be grouped with others of its kind.
    pub(crate) fn is_rows(&self) -> bool {
        self.columns > 0
    }

    /// The table into which rows are inserted.
    pub(crate) fn table(&self) -> &'static str {
        let behind = self.text.trim_start().strip_prefix("INSERT INTO ").unwrap_or_default();
        behind.split_whitespace().next().unwrap_or_default()
    }

    /// The text for `count` rows, or for a list of `count` elements.
    pub(crate) fn expand(&self, count: usize) -> String {
        if self.is_rows() {
            self.text.replacen("{rows}", &row_groups(count, self.columns), 1)
        } else {
            self.text.replacen("{list}", &parameters(self.fixed + 1, count), 1)
        }
    }

    /// The text for `count` rows, with `?` for each parameter.
    pub(crate) fn expand_without_names(&self, count: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        self.text.replacen("{rows}", &vec![row; count].join(","), 1)
    }

    /// Whether the text has a list to expand.
    pub(crate) fn has_list(&self) -> bool {
        self.text.contains("{list}")
    }
}

fn parameters(first: usize, count: usize) -> String {
    let mut text = String::with_capacity(count * 5);
    for number in first..first + count {
        let separator = if number == first { "" } else { "," };
        let _ = write!(text, "{separator}${number}");
    }
    text
}

fn row_groups(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 5);
    for row in 0..rows {
        let separator = if row == 0 { "" } else { "," };
        let _ = write!(text, "{separator}({})", parameters(row * columns + 1, columns));
    }
    text
}

/// Declares statements and a `STATEMENTS` list of them, which the registry joins with those of other modules.
///
/// `NAME = "text"` is an ordinary statement; `NAME(list after n) = "… IN ({list})"` has a list behind `n`
/// fixed parameters; `NAME(rows of n, key k) = "INSERT … VALUES {rows} …"` inserts rows of `n` columns.
macro_rules! statements {
    ($($name:ident $(($($shape:tt)+))? = $text:expr;)+) => {
        $(pub(crate) const $name: $crate::statement::Statement =
            $crate::statement::statements!(@one $name, $text $(, $($shape)+)?);)+
        /// Every statement of this module.
        pub(crate) const STATEMENTS: &[&$crate::statement::Statement] = &[$(&$name),+];
    };
    (@one $name:ident, $text:expr) => {
        $crate::statement::Statement { name: stringify!($name), text: $text, columns: 0, key: 0, fixed: 0 }
    };
    (@one $name:ident, $text:expr, list after $fixed:literal) => {
        $crate::statement::Statement { name: stringify!($name), text: $text, columns: 0, key: 0, fixed: $fixed }
    };
    (@one $name:ident, $text:expr, rows of $columns:literal, key $key:literal) => {
        $crate::statement::Statement { name: stringify!($name), text: $text, columns: $columns, key: $key, fixed: 0 }
    };
}
pub(crate) use statements;

#[cfg(test)]
mod tests {
    statements! {
        LIST(list after 1) = "SELECT a FROM t WHERE b = $1 AND c IN ({list})";
        ROWS(rows of 2, key 1) = "INSERT INTO t (a, b) VALUES {rows}";
    }

    #[test]
    fn list_follows_the_fixed_parameters() {
        assert_eq!(LIST.expand(2), "SELECT a FROM t WHERE b = $1 AND c IN ($2,$3)");
    }

    #[test]
    fn rows_become_parameter_groups() {
        assert_eq!(ROWS.expand(2), "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4)");
        assert_eq!(ROWS.expand_without_names(2), "INSERT INTO t (a, b) VALUES (?,?),(?,?)");
        assert_eq!((ROWS.table(), STATEMENTS.len()), ("t", 2));
    }
}
