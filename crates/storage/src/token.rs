//! The tokens that clients page and sync with: a place in the stream, as text.
//!
//! `s42` is the place behind position 42, which every endpoint that takes a token understands. `/sync` adds
//! where the reader stood in what is kept in memory only (typing, presence): `s42_1f0c_7` says that it had
//! seen the first seven such changes of the run of the server that called itself `1f0c`. After a restart the
//! run is another, and the reader gets what there is. Where more messages wait for a device than one answer
//! holds, a last part says how far they were told: `s42_1f0c_7_d31`.

use std::{fmt, str::FromStr};

use crate::Position;

/// A place in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// The last position that lies before the place.
    pub position: Position,
    /// Where the reader stands in what does not outlive the process.
    pub ephemeral: Option<Ephemeral>,
    /// Up to where messages to the reader's device were told, if that is not the position.
    pub to_device: Option<Position>,
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

impl Token {
    /// Up to where messages to the reader's device were told.
    pub fn to_device_told(self) -> Position {
        self.to_device.unwrap_or(self.position)
    }
}

impl From<Position> for Token {
    fn from(position: Position) -> Self {
        Self { position, ephemeral: None, to_device: None }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s{}", self.position.0)?;
        match self.ephemeral {
            Some(ephemeral) => write!(formatter, "_{:x}_{}", ephemeral.run, ephemeral.count)?,
            None => return Ok(()),
        }
        self.to_device.map_or(Ok(()), |told| write!(formatter, "_d{}", told.0))
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let mut parts = text.strip_prefix('s').ok_or(InvalidToken)?.split('_');
        let position = parts.next().and_then(|digits| digits.parse().ok()).ok_or(InvalidToken)?;
        let ephemeral = match (parts.next(), parts.next()) {
            (None, _) => None,
            (Some(run), Some(count)) => Some(Ephemeral {
                run: u32::from_str_radix(run, 16).map_err(|_| InvalidToken)?,
                count: count.parse().map_err(|_| InvalidToken)?,
            }),
            (Some(_), None) => return Err(InvalidToken),
        };
        let told = |part: &str| part.strip_prefix('d').and_then(|digits| digits.parse().ok());
        let to_device = match parts.next() {
            None => None,
            Some(part) => Some(Position(told(part).ok_or(InvalidToken)?)),
        };
        match parts.next() {
            None => Ok(Self { position: Position(position), ephemeral, to_device }),
            Some(_) => Err(InvalidToken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_read_back_from_its_text() {
        let plain = Token::from(Position(-42));
        let ephemeral = Some(Ephemeral { run: 0x1f0c, count: 3 });
        let full = Token { position: Position(7), ephemeral, to_device: None };
        let behind = Token { to_device: Some(Position(5)), ..full };
        assert_eq!(plain.to_string(), "s-42");
        assert_eq!(full.to_string(), "s7_1f0c_3");
        assert_eq!(behind.to_string(), "s7_1f0c_3_d5");
        for token in [plain, full, behind] {
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in
            ["", "s", "7", "s7_", "s7_1", "s7_1_", "s7_1_2_3", "s7_1_2_d", "s7_1_2_d3_", "sx", "s7_-1_2"]
        {
            assert_eq!(text.parse::<Token>(), Err(InvalidToken), "{text}");
        }
    }
}
