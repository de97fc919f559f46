//! The tokens that clients page and sync with: a place in the stream, as text.
//!
//! `s42` is the place behind position 42, which every endpoint that takes a token understands. `/sync` adds
//! where the reader stood in what is kept in memory only (typing, presence): `s42_1f0c_7` says that it had
//! seen the first seven such changes of the run of the server that called itself `1f0c`. After a restart the
//! run is another, and the reader gets what there is.

use std::{fmt, str::FromStr};

use crate::Position;

/// A place in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// The last position that lies before the place.
    pub position: Position,
    /// Where the reader stands in what does not outlive the process.
    pub ephemeral: Option<Ephemeral>,
}

/// A place in the changes that are kept in memory only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ephemeral {
    /// Which run of the server counted.
    pub run: u32,
    /// How many changes lie before the place.
    pub count: u64,
}

/// What a client sent is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token of this server")]
pub struct InvalidToken;

impl From<Position> for Token {
    fn from(position: Position) -> Self {
        Self { position, ephemeral: None }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s{}", self.position.0)?;
        match self.ephemeral {
            Some(ephemeral) => write!(formatter, "_{:x}_{}", ephemeral.run, ephemeral.count),
            None => Ok(()),
        }
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let mut parts = text.strip_prefix('s').ok_or(InvalidToken)?.split('_');
        let position = parts.next().and_then(|digits| digits.parse().ok()).ok_or(InvalidToken)?;
        let ephemeral = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some(run), Some(count), None) => Some(Ephemeral {
                run: u32::from_str_radix(run, 16).map_err(|_| InvalidToken)?,
                count: count.parse().map_err(|_| InvalidToken)?,
            }),
            _ => return Err(InvalidToken),
        };
        Ok(Self { position: Position(position), ephemeral })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_read_back_from_its_text() {
        let plain = Token::from(Position(-42));
        let full = Token { position: Position(7), ephemeral: Some(Ephemeral { run: 0x1f0c, count: 3 }) };
        assert_eq!(plain.to_string(), "s-42");
        assert_eq!(full.to_string(), "s7_1f0c_3");
        for token in [plain, full] {
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in
            ["", "s", "7", "s7_", "s7_1", "s7_1_", "s7_1_2_3", "sx", "s7_-1_2", "s99999999999999999999"]
        {
            assert_eq!(text.parse::<Token>(), Err(InvalidToken), "{text}");
        }
    }
}
