//! The encryption switch as a table: level × class × client kind × action.

use parvis_policy::{
    ClientKind, RoomClass,
    encryption::{AtCreation, AtUpgrade, EncryptionSettings, Level, StateChange, StateChangeFacts, StripFor},
};
use serde_json::json;

const CLIENTS: [ClientKind; 2] = [ClientKind::FollowsPublishedDefault, ClientKind::IgnoresPublishedDefault];

/// `level` for `class`, and something else for the other classes, which must not matter.
fn settings(class: RoomClass, level: Level, strip_for: StripFor) -> EncryptionSettings {
    let other = if level == Level::Required { Level::Forbidden } else { Level::Required };
    let of = |each| if each == class { level } else { other };
    EncryptionSettings {
        direct: of(RoomClass::Direct),
        private: of(RoomClass::Private),
        public: of(RoomClass::Public),
        strip_for,
    }
}

#[test]
fn creation_follows_level_client_and_request() {
    use AtCreation::{Add, Keep, LeaveOut};
    use ClientKind::{FollowsPublishedDefault as Follows, IgnoresPublishedDefault as Ignores};
    use StripFor::{ClientsThatIgnoreThePublishedDefault as Ignoring, Everyone};
    // level, strip for, client, outcome when requested, outcome when not
    let table = [
        (Level::Off, Everyone, Follows, LeaveOut, Keep),
        (Level::Off, Everyone, Ignores, LeaveOut, Keep),
        (Level::Off, Ignoring, Follows, Keep, Keep),
        (Level::Off, Ignoring, Ignores, LeaveOut, Keep),
        (Level::Client, Everyone, Follows, Keep, Keep),
        (Level::Client, Everyone, Ignores, Keep, Keep),
        (Level::Client, Ignoring, Follows, Keep, Keep),
        (Level::Client, Ignoring, Ignores, Keep, Keep),
        (Level::Required, Everyone, Follows, Keep, Add),
        (Level::Required, Everyone, Ignores, Keep, Add),
        (Level::Required, Ignoring, Follows, Keep, Add),
        (Level::Required, Ignoring, Ignores, Keep, Add),
        (Level::Forbidden, Everyone, Follows, LeaveOut, Keep),
        (Level::Forbidden, Everyone, Ignores, LeaveOut, Keep),
        (Level::Forbidden, Ignoring, Follows, LeaveOut, Keep),
        (Level::Forbidden, Ignoring, Ignores, LeaveOut, Keep),
    ];
    for (level, strip_for, client, requested, not_requested) in table {
        for class in RoomClass::ALL {
            let settings = settings(class, level, strip_for);
            let of = |asked| settings.at_creation(class, asked, client).outcome;
            assert_eq!(of(true), requested, "{level:?} {strip_for:?} {client:?} {class:?}");
            assert_eq!(of(false), not_requested, "{level:?} {strip_for:?} {client:?} {class:?}");
        }
    }
}

#[test]
fn setting_the_state_later_follows_the_level() {
    use StateChange::{Allow, Forbid};
    // level, already encrypted, with an algorithm, outcome
    let table = [
        (Level::Off, false, true, Allow),
        (Level::Off, true, true, Allow),
        (Level::Off, true, false, Allow),
        (Level::Client, false, true, Allow),
        (Level::Client, true, true, Allow),
        (Level::Required, false, true, Allow),
        (Level::Required, false, false, Forbid),
        (Level::Required, true, true, Allow),
        (Level::Required, true, false, Forbid),
        (Level::Forbidden, false, true, Forbid),
        (Level::Forbidden, false, false, Forbid),
        (Level::Forbidden, true, true, Allow),
    ];
    for (level, already_encrypted, has_algorithm, outcome) in table {
        for class in RoomClass::ALL {
            let facts = StateChangeFacts { class, already_encrypted, has_algorithm };
            let decision = settings(class, level, StripFor::Everyone).at_state_change(facts);
            assert_eq!(decision.outcome, outcome, "{level:?} {facts:?}");
        }
    }
}

#[test]
fn power_level_hides_the_switch_only_where_it_is_forbidden() {
    for class in RoomClass::ALL {
        for level in Level::ALL {
            let decision = settings(class, level, StripFor::Everyone).power_level_at_creation(class);
            assert_eq!(decision.outcome, (level == Level::Forbidden).then_some(101), "{level:?}");
        }
    }
}

#[test]
fn upgrade_carries_encryption_over_whatever_the_policy() {
    for level in Level::ALL {
        let settings =
            EncryptionSettings { direct: level, private: level, public: level, ..Default::default() };
        assert_eq!(settings.at_upgrade(true).outcome, AtUpgrade::CarryOver);
        assert_eq!(settings.at_upgrade(false).outcome, AtUpgrade::LeavePlain);
    }
}

#[test]
fn published_default_follows_the_levels_of_conversations_and_private_rooms() {
    use Level::{Client, Forbidden, Off, Required};
    let off = json!({ "default": false });
    let on = json!({ "default": true });
    let never = json!({ "default": false, "force_disable": true });
    let nothing = json!(null);
    let table = [
        (Off, Off, Off, &off),
        (Off, Off, Forbidden, &off),
        (Forbidden, Forbidden, Off, &off),
        (Forbidden, Off, Forbidden, &off),
        (Forbidden, Forbidden, Forbidden, &never),
        (Required, Off, Off, &off),
        (Off, Required, Off, &off),
        (Client, Off, Client, &off),
        (Client, Forbidden, Client, &off),
        (Required, Required, Off, &on),
        (Required, Client, Off, &on),
        (Client, Required, Forbidden, &on),
        (Client, Client, Off, &nothing),
        (Client, Client, Required, &nothing),
    ];
    for (direct, private, public, published) in table {
        let settings = EncryptionSettings { direct, private, public, ..Default::default() };
        let outcome = serde_json::to_value(settings.published_default().outcome).unwrap();
        assert_eq!(&outcome, published, "{direct:?} {private:?} {public:?}");
    }
}

#[test]
fn presets_are_forced_only_where_the_server_encrypts() {
    let settings = EncryptionSettings { direct: Level::Required, ..Default::default() };
    let flags = settings.forced_presets();
    assert_eq!(
        flags,
        [
            ("io.element.e2ee_forced.public", false),
            ("io.element.e2ee_forced.private", false),
            ("io.element.e2ee_forced.trusted_private", true),
        ]
    );
    assert!(EncryptionSettings::default().forced_presets().iter().all(|(_, forced)| !forced));
}

#[test]
fn decision_names_its_rule_and_its_setting() {
    let settings = EncryptionSettings::default();
    let decision = settings.at_creation(RoomClass::Private, true, CLIENTS[1]);
    assert_eq!(decision.setting, "encryption.private = \"off\"");
    assert_eq!(
        decision.to_string(),
        "LeaveOut: new rooms of this class begin plain; encryption can be turned on in the room \
         (encryption.private = \"off\")"
    );
    for class in RoomClass::ALL {
        for client in CLIENTS {
            assert!(!settings.at_creation(class, true, client).rule.is_empty());
        }
    }
}

#[test]
fn settings_are_read_from_the_configuration_and_nothing_unknown_is() {
    let settings: EncryptionSettings = serde_json::from_value(json!({
        "direct": "required", "public": "forbidden",
        "strip_for": "clients_that_ignore_the_published_default",
    }))
    .unwrap();
    assert_eq!(settings.direct, Level::Required);
    assert_eq!(settings.private, Level::Off);
    assert_eq!(settings.public, Level::Forbidden);
    assert_eq!(settings.strip_for, StripFor::ClientsThatIgnoreThePublishedDefault);
    assert!(serde_json::from_value::<EncryptionSettings>(json!({ "secret": "off" })).is_err());
    assert!(serde_json::from_value::<EncryptionSettings>(json!({ "direct": "on" })).is_err());
}
