//! The limits on an event's size and shape, and what is said when one is passed.
//!
//! <https://spec.matrix.org/v1.19/client-server-api/#size-limits> and the event format of each room version.

/// The most bytes of a complete event in federation format, signatures included.
pub const MAX_PDU_BYTES: usize = 65_536;

/// The most bytes of `type`, `state_key`, `sender`, `room_id` and `event_id`.
pub const MAX_FIELD_BYTES: usize = 255;

/// The most events that an event may follow directly.
pub const MAX_PREV_EVENTS: usize = 20;

/// The most events that an event may cite for its authorisation.
pub const MAX_AUTH_EVENTS: usize = 10;

/// The greatest depth; deeper events stay at it (2⁵³−1).
pub const MAX_DEPTH: i64 = (1 << 53) - 1;

/// Why an event cannot be built, or must be dropped on receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The JSON cannot be written as canonical JSON (`M_BAD_JSON`).
    #[error("not canonical JSON: {0}")]
    NotCanonical(String),
    /// The whole event is too large (`M_TOO_LARGE`).
    #[error("the event has {bytes} bytes, the limit is {MAX_PDU_BYTES}")]
    EventTooLarge {
        /// The event's size in bytes.
        bytes: usize,
    },
    /// A field is too long (`M_TOO_LARGE`).
    #[error("`{field}` has {bytes} bytes, the limit is {MAX_FIELD_BYTES}")]
    FieldTooLarge {
        /// The name of the field.
        field: &'static str,
        /// The field's size in bytes.
        bytes: usize,
    },
    /// A list of event ids is too long (`M_BAD_JSON`).
    #[error("`{field}` has {count} entries, the limit is {limit}")]
    TooManyEvents {
        /// The name of the field.
        field: &'static str,
        /// Its number of entries.
        count: usize,
        /// The most it may have.
        limit: usize,
    },
    /// A field is absent, of the wrong type, or has an impossible value (`M_BAD_JSON`).
    #[error("`{field}`: {problem}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl FormatError {
    /// Whether a limit on bytes was passed: `M_TOO_LARGE`, where everything else is `M_BAD_JSON`.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::EventTooLarge { .. } | Self::FieldTooLarge { .. })
    }

    pub(crate) fn field(field: &'static str, problem: &'static str) -> Self {
        Self::Field { field, problem }
    }
}

/// Checks the length of a field in bytes.
pub(crate) fn check_field_bytes(field: &'static str, value: &str) -> Result<(), FormatError> {
    if value.len() > MAX_FIELD_BYTES {
        return Err(FormatError::FieldTooLarge { field, bytes: value.len() });
    }
    Ok(())
}

/// Checks the number of entries in a list of event ids.
pub(crate) fn check_count(field: &'static str, count: usize, limit: usize) -> Result<(), FormatError> {
    if count > limit {
        return Err(FormatError::TooManyEvents { field, count, limit });
    }
    Ok(())
}

/// Checks the size of the complete event.
pub(crate) fn check_event_bytes(bytes: usize) -> Result<(), FormatError> {
    if bytes > MAX_PDU_BYTES {
        return Err(FormatError::EventTooLarge { bytes });
    }
    Ok(())
}
