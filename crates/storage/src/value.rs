//! The few kinds of value that a statement takes and a row gives, the same on both engines.

use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow};

use crate::{
    error::StorageError,
    numbers::{DeviceSn, EventSn, Place, Position, RoomSn, SessionSn, Slot, TypeSn, UpstreamSn, UserSn},
};

/// A value bound to a parameter. A null keeps its type, which PostgreSQL needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    /// BIGINT.
    Int(Option<i64>),
    /// TEXT.
    Text(Option<String>),
    /// BYTEA or BLOB.
    Bytes(Option<Vec<u8>>),
    /// BOOLEAN.
    Bool(bool),
    /// The position that the writer gives to the n-th change of the write set; a BIGINT once it is known.
    Position(u32),
    /// The place of the event at that position; a BIGINT once it is known.
    Place(u32),
}

impl Value {
    /// A null of type BIGINT.
    pub(crate) const NO_INT: Self = Self::Int(None);
}

macro_rules! value_from {
    ($($source:ty => |$value:ident| $expression:expr),+ $(,)?) => {
        $(impl From<$source> for Value {
            fn from($value: $source) -> Self {
                $expression
            }
        })+
    };
}

value_from! {
    i64 => |value| Self::Int(Some(value)),
    i32 => |value| Self::Int(Some(i64::from(value))),
    u32 => |value| Self::Int(Some(i64::from(value))),
    Option<i64> => |value| Self::Int(value),
    bool => |value| Self::Bool(value),
    &str => |value| Self::Text(Some(value.to_owned())),
    String => |value| Self::Text(Some(value)),
    Option<String> => |value| Self::Text(value),
    Option<&str> => |value| Self::Text(value.map(ToOwned::to_owned)),
    &[u8] => |value| Self::Bytes(Some(value.to_vec())),
    Vec<u8> => |value| Self::Bytes(Some(value)),
    Option<Vec<u8>> => |value| Self::Bytes(value),
    EventSn => |number| Self::Int(Some(number.0)),
    RoomSn => |number| Self::Int(Some(number.0)),
    UserSn => |number| Self::Int(Some(number.0)),
    TypeSn => |number| Self::Int(Some(number.0)),
    DeviceSn => |number| Self::Int(Some(number.0)),
    SessionSn => |number| Self::Int(Some(number.0)),
    UpstreamSn => |number| Self::Int(Some(number.0)),
    Option<UpstreamSn> => |number| Self::Int(number.map(|number| number.0)),
    Position => |position| Self::Int(Some(position.0)),
    Place => |place| Self::Int((place != Place::NOWHERE).then_some(place.0)),
    Slot => |slot| Self::Int(Some(i64::from(slot.0))),
}

/// One row of an answer, from either engine.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! getter {
    ($(#[$meta:meta])* $name:ident -> $type:ty) => {
        $(#[$meta])*
        pub(crate) fn $name(&self, column: usize) -> Result<$type, StorageError> {
            match self {
                Self::Sqlite(row) => row.try_get(column),
                Self::Postgres(row) => row.try_get(column),
            }
            .map_err(StorageError::from)
        }
    };
}

impl Row {
    getter!(/// A BIGINT that is not null.
        int -> i64);
    getter!(/// A BIGINT that may be null.
        opt_int -> Option<i64>);
    getter!(/// A TEXT that is not null.
        text -> String);
    getter!(/// A TEXT that may be null.
        opt_text -> Option<String>);
    getter!(/// Bytes that are not null.
        bytes -> Vec<u8>);
    getter!(/// Bytes that may be null.
        opt_bytes -> Option<Vec<u8>>);
    getter!(/// A BOOLEAN.
        bool -> bool);

    /// Numbers in one text, separated by commas; none where it is null. Rows come one by one from the database's thread,
    /// which for a list of numbers costs more than finding them.
    pub(crate) fn numbers(&self, column: usize) -> Result<Vec<i64>, StorageError> {
        let Some(text) = self.opt_text(column)? else { return Ok(Vec::new()) };
        let numbers = text.split(',').map(str::parse).collect::<Result<_, _>>();
        numbers.map_err(|_| StorageError::Corrupt("a list of numbers".to_owned()))
    }
}
