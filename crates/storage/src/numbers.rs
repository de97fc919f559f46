//! The numbers that stand for names inside Parvis. They are local: no client and no other server sees them.

/// Declares a number type over `i64`.
macro_rules! number {
    ($($(#[$meta:meta])* $name:ident;)+) => {
        $($(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);)+
    };
}

number! {
    /// Stands for an event. Numbers identify; they do not order.
    EventSn;
    /// Stands for a room.
    RoomSn;
    /// Stands for a user, local or remote.
    UserSn;
    /// Stands for an event type.
    TypeSn;
    /// Stands for a device of a local user. A device that is deleted and made again gets another number.
    DeviceSn;
    /// Stands for a session: an access token and the refresh token that was given with it.
    SessionSn;
    /// A place in the homeserver's one stream of changes. Positions become visible strictly in order.
    /// Events that arrive from before our history have negative positions.
    Position;
}

impl Position {
    /// Before everything.
    pub const START: Self = Self(0);
}

/// A state slot: the dense number of a (type, state key) pair within its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// Packs event numbers into bytes, eight each, little end first.
pub(crate) fn pack(events: &[EventSn]) -> Vec<u8> {
    events.iter().flat_map(|event| event.0.to_le_bytes()).collect()
}

/// The opposite of [`pack`]. Bytes behind the last whole number are ignored.
pub(crate) fn unpack(bytes: &[u8]) -> Vec<EventSn> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.iter().map(|number| EventSn(i64::from_le_bytes(*number))).collect()
}
