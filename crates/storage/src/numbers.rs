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
    /// Stands for somebody's sign-in at an identity provider.
    UpstreamSn;
    /// A point in the homeserver's one stream of changes. Positions become visible strictly in order. Events
    /// that were fetched from the past of a room have none.
    Position;
    /// Where an event stands in the history of its room, for those who page through it. Who arrives as news gets
    /// the place of its position; what is fetched from the past stands below what follows it.
    Place;
}

impl Position {
    /// Before everything.
    pub const START: Self = Self(0);
}

/// How many places belong to a position: its event has the first, and those that were fetched from before the
/// next position's event may stand behind it.
const PLACES: i64 = 1 << 20;

impl Place {
    /// In no history: of an event that is hidden, or not committed.
    pub const NOWHERE: Self = Self(i64::MIN);
    /// Before all history.
    pub const BEGINNING: Self = Self(i64::MIN + 1);
    /// Behind all history.
    pub const END: Self = Self(i64::MAX);

    /// The place of the event that has this position.
    pub fn of(position: Position) -> Self {
        Self(position.0.saturating_mul(PLACES))
    }

    /// The last place before the event at the next position: who has seen everything up to a position stands
    /// here.
    pub fn behind(position: Position) -> Self {
        Self(position.0.saturating_add(1).saturating_mul(PLACES).saturating_sub(1))
    }

    /// The position at or before which this place lies.
    pub fn position(self) -> Position {
        Position(self.0.div_euclid(PLACES))
    }
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
