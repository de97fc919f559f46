//! Room versions: one table of everything that differs between them.
//!
//! The specification says that versions are opaque names without an order, so nobody compares them: code
//! asks a named question of the row ([`RoomVersion::knocking`], [`RoomVersion::redacts_in_content`], …).
//! <https://spec.matrix.org/v1.19/rooms/>

use std::{fmt, str::FromStr, sync::LazyLock};

use ruma::{
    RoomVersionId,
    room_version_rules::{EventIdFormatVersion, RoomVersionRules, StateResolutionVersion},
};

/// How far this server goes along with a room version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Support {
    /// Rooms of this version can be created, joined and served.
    Full,
    /// A proposal's version: as [`Full`](Self::Full), where the configuration allows it.
    Proposed,
    /// The rules are known, but rooms of this version are not offered: their JSON need not be canonical.
    Known,
    /// Only the name is known: state resolution version 1, server-chosen event ids.
    NameOnly,
}

/// One line of the table.
struct Row {
    name: &'static str,
    id: LazyLock<RoomVersionId>,
    rules: RoomVersionRules,
    support: Support,
    /// Fields of at most 255 code points but more than 255 bytes make an event malformed, instead of merely
    /// rejected. Servers agreed on bytes only from version 11 on.
    strict_field_bytes: bool,
    /// State keys that begin with a user's id belong to that user (MSC3757).
    owned_state: bool,
}

macro_rules! row {
    ($name:literal, $variant:ident, $support:ident, strict_field_bytes: $strict:literal) => {
        Row {
            name: $name,
            id: LazyLock::new(|| RoomVersionId::$variant),
            rules: RoomVersionRules::$variant,
            support: Support::$support,
            strict_field_bytes: $strict,
            owned_state: false,
        }
    };
    (owned_state $name:literal, $variant:ident, strict_field_bytes: $strict:literal) => {
        Row {
            name: $name,
            // Any name that is short enough is one.
            id: LazyLock::new(|| RoomVersionId::try_from($name).unwrap_or(RoomVersionId::$variant)),
            rules: RoomVersionRules::$variant,
            support: Support::Proposed,
            strict_field_bytes: $strict,
            owned_state: true,
        }
    };
}

static TABLE: [Row; 14] = [
    row!("1", V1, NameOnly, strict_field_bytes: false),
    row!("2", V2, NameOnly, strict_field_bytes: false),
    row!("3", V3, Known, strict_field_bytes: false),
    row!("4", V4, Known, strict_field_bytes: false),
    row!("5", V5, Known, strict_field_bytes: false),
    row!("6", V6, Full, strict_field_bytes: false),
    row!("7", V7, Full, strict_field_bytes: false),
    row!("8", V8, Full, strict_field_bytes: false),
    row!("9", V9, Full, strict_field_bytes: false),
    row!("10", V10, Full, strict_field_bytes: false),
    row!("11", V11, Full, strict_field_bytes: true),
    row!("12", V12, Full, strict_field_bytes: true),
    row!(owned_state "org.matrix.msc3757.10", V10, strict_field_bytes: false),
    row!(owned_state "org.matrix.msc3757.11", V11, strict_field_bytes: true),
];

/// A room version that is known by name: a small handle to a row of the table.
///
/// Versions `1` to `12` parse, and those of proposals that are built. [`RoomVersion::is_supported`] says whether rooms
/// of it can be created and joined here.
#[derive(Clone, Copy)]
pub struct RoomVersion(&'static Row);

impl RoomVersion {
    /// Version 6: strict canonical JSON.
    pub const V6: Self = Self(&TABLE[5]);
    /// Version 7: knocking.
    pub const V7: Self = Self(&TABLE[6]);
    /// Version 8: restricted joins.
    pub const V8: Self = Self(&TABLE[7]);
    /// Version 9: restricted joins survive redaction.
    pub const V9: Self = Self(&TABLE[8]);
    /// Version 10: integer power levels, `knock_restricted`.
    pub const V10: Self = Self(&TABLE[9]);
    /// Version 11: `redacts` in content, creator is the sender of `m.room.create`.
    pub const V11: Self = Self(&TABLE[10]);
    /// Version 12: room ids are hashes, creators have infinite power, state resolution 2.1.
    pub const V12: Self = Self(&TABLE[11]);

    /// The version of new rooms where nothing else is configured.
    pub const DEFAULT: Self = Self::V12;

    /// Every version in which rooms can be created and joined, oldest first.
    pub fn supported() -> impl Iterator<Item = Self> {
        TABLE.iter().filter(|row| row.support == Support::Full).map(Self)
    }

    /// Every version whose rules are known, oldest first: those that are supported, and older ones.
    pub fn known() -> impl Iterator<Item = Self> {
        TABLE.iter().filter(|row| matches!(row.support, Support::Full | Support::Known)).map(Self)
    }

    /// The versions of proposals, which can be allowed by configuration.
    pub fn proposed() -> impl Iterator<Item = Self> {
        TABLE.iter().filter(|row| row.support == Support::Proposed).map(Self)
    }

    /// The version's name, as in `m.room.create`'s `room_version`.
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// The version as ruma's type.
    pub fn id(self) -> &'static RoomVersionId {
        &self.0.id
    }

    /// All rules of the version, as ruma's libraries take them.
    pub fn rules(self) -> &'static RoomVersionRules {
        &self.0.rules
    }

    /// Whether rooms of this version can be created and joined on every server; see [`proposed`](Self::proposed).
    pub fn is_supported(self) -> bool {
        self.0.support == Support::Full
    }

    /// Whether the rules of the version are known well enough to read its events.
    pub fn is_known(self) -> bool {
        self.0.support != Support::NameOnly
    }

    /// Whether JSON that is not canonical (floats, integers beyond ±(2⁵³−1)) makes an event malformed.
    pub fn strict_canonical_json(self) -> bool {
        self.0.rules.authorization.strict_canonical_json
    }

    /// Whether the 255-byte limit of fields makes an event malformed, rather than only rejected (before,
    /// servers counted code points when they received events).
    pub fn strict_field_bytes(self) -> bool {
        self.0.strict_field_bytes
    }

    /// Whether event ids use the URL-safe base64 alphabet (version 3 does not).
    pub fn url_safe_event_ids(self) -> bool {
        self.0.rules.event_id_format == EventIdFormatVersion::V3
    }

    /// Whether the room id is the hash of the create event, which then carries no `room_id` and is never
    /// among the auth events.
    pub fn room_id_is_create_hash(self) -> bool {
        self.0.rules.authorization.room_create_event_id_as_room_id
    }

    /// Whether the room's creators stand above every power level.
    pub fn creators_have_infinite_power(self) -> bool {
        self.0.rules.authorization.explicitly_privilege_room_creators
    }

    /// Whether `m.room.create` may name `additional_creators`.
    pub fn additional_creators(self) -> bool {
        self.0.rules.authorization.additional_room_creators
    }

    /// Whether the creator is the sender of `m.room.create`, instead of its `content.creator`.
    pub fn creator_is_sender(self) -> bool {
        self.0.rules.authorization.use_room_create_sender
    }

    /// Whether a redaction names its target in `content.redacts`, instead of at the top level.
    pub fn redacts_in_content(self) -> bool {
        self.0.rules.redaction.content_field_redacts
    }

    /// Whether the membership and join rule `knock` exist.
    pub fn knocking(self) -> bool {
        self.0.rules.authorization.knocking
    }

    /// Whether the join rule `restricted` exists.
    pub fn restricted(self) -> bool {
        self.0.rules.authorization.restricted_join_rule
    }

    /// Whether the join rule `knock_restricted` exists.
    pub fn knock_restricted(self) -> bool {
        self.0.rules.authorization.knock_restricted_join_rule
    }

    /// Whether power levels must be integers; before, strings of digits count too.
    pub fn integer_power_levels(self) -> bool {
        self.0.rules.authorization.integer_power_levels
    }

    /// Whether changes of `notifications` in power levels are limited by the sender's own level.
    pub fn limits_notification_levels(self) -> bool {
        self.0.rules.authorization.limit_notifications_power_levels
    }

    /// Whether a state key that begins with a user's id and an underscore belongs to that user, and who stands above
    /// them may write there too
    /// (<https://github.com/matrix-org/matrix-spec-proposals/pull/3757>).
    pub fn owned_state(self) -> bool {
        self.0.owned_state
    }

    /// Whether an event's signing key must have been valid at its `origin_server_ts`.
    pub fn enforces_key_validity(self) -> bool {
        self.0.rules.enforce_key_validity
    }

    /// Whether state resolution starts from the empty state and includes the conflicted state subgraph
    /// (algorithm 2.1).
    pub fn state_resolution_includes_subgraph(self) -> bool {
        matches!(&self.0.rules.state_res, StateResolutionVersion::V2(rules) if rules.consider_conflicted_state_subgraph)
    }
}

impl PartialEq for RoomVersion {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for RoomVersion {}

impl std::hash::Hash for RoomVersion {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl fmt::Debug for RoomVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomVersion({})", self.0.name)
    }
}

impl fmt::Display for RoomVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl FromStr for RoomVersion {
    type Err = UnknownRoomVersion;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        TABLE.iter().find(|row| row.name == name).map(Self).ok_or_else(|| UnknownRoomVersion(name.to_owned()))
    }
}

impl TryFrom<&RoomVersionId> for RoomVersion {
    type Error = UnknownRoomVersion;

    fn try_from(id: &RoomVersionId) -> Result<Self, Self::Error> {
        id.as_str().parse()
    }
}

/// A room version that this server has never heard of (`M_UNSUPPORTED_ROOM_VERSION`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("room version {0:?} is not known to this server")]
pub struct UnknownRoomVersion(pub String);
