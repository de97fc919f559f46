//! The encryption switch as a table: level × class × client kind × action × who.

use parvis_policy::{
    ClientKind, RoomClass,
    encryption::{
        AtCreation, CreationFacts, EncryptedElsewhere, EncryptionPolicy, Exception, Join, JoinFacts, Level,
        Role, StateChange, StateChangeFacts, StripFor, WhoMayTurnOn,
    },
};
use serde_json::json;

const CLIENTS: [ClientKind; 2] = [ClientKind::FollowsPublishedDefault, ClientKind::IgnoresPublishedDefault];
const ANN: &str = "@ann:example.org";
const BEN: &str = "@ben:example.org";

/// `level` for `class`, and something else for the other classes, which must not matter.
fn only(class: RoomClass, level: Level) -> EncryptionPolicy {
    let other = if level == Level::Required { Level::Forbidden } else { Level::Required };
    let mut policy = EncryptionPolicy::everywhere(other);
    let field = match class {
        RoomClass::Direct => &mut policy.direct,
        RoomClass::DirectWithPartner => &mut policy.direct_with_partner,
        RoomClass::Private => &mut policy.private,
        RoomClass::PrivateWithOutsiders => &mut policy.private_with_outsiders,
        RoomClass::Public => &mut policy.public,
        RoomClass::Space => &mut policy.space,
    };
    *field = level;
    policy
}

fn creation(policy: &EncryptionPolicy, class: RoomClass, requested: bool, client: ClientKind) -> AtCreation {
    policy.at_creation(CreationFacts { class, requested, client, user: ANN }).outcome
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
            let policy = EncryptionPolicy { strip_for, ..only(class, level) };
            let of = |asked| creation(&policy, class, asked, client);
            assert_eq!(of(true), requested, "{level:?} {strip_for:?} {client:?} {class:?}");
            assert_eq!(of(false), not_requested, "{level:?} {strip_for:?} {client:?} {class:?}");
        }
    }
}

#[test]
fn level_on_adds_encryption_unless_a_person_chose_otherwise() {
    use ClientKind::{FollowsPublishedDefault as Follows, IgnoresPublishedDefault as Ignores};
    let on = EncryptionPolicy::everywhere(Level::On);
    // Conversations are plain, so clients are told to begin plain: who asks for none has chosen nothing.
    let mixed = EncryptionPolicy { direct: Level::Off, ..EncryptionPolicy::everywhere(Level::On) };
    for (policy, client, outcome) in [
        (&on, Follows, AtCreation::Keep),
        (&on, Ignores, AtCreation::Add),
        (&mixed, Follows, AtCreation::Add),
        (&mixed, Ignores, AtCreation::Add),
    ] {
        assert_eq!(creation(policy, RoomClass::Private, true, client), AtCreation::Keep);
        assert_eq!(creation(policy, RoomClass::Private, false, client), outcome, "{client:?}");
    }
}

#[test]
fn setting_the_state_later_follows_the_level() {
    use StateChange::{Allow, Forbid};
    // level, already encrypted, with an algorithm, outcome
    let table = [
        (Level::Off, false, true, Allow),
        (Level::Off, true, true, Allow),
        (Level::Off, true, false, Forbid),
        (Level::Off, false, false, Allow),
        (Level::Client, false, true, Allow),
        (Level::Client, true, true, Allow),
        (Level::Client, true, false, Forbid),
        (Level::On, false, true, Allow),
        (Level::On, true, false, Forbid),
        (Level::Required, false, true, Allow),
        (Level::Required, false, false, Allow),
        (Level::Required, true, true, Allow),
        (Level::Required, true, false, Forbid),
        (Level::Forbidden, false, true, Forbid),
        (Level::Forbidden, false, false, Forbid),
        (Level::Forbidden, true, true, Allow),
        (Level::Forbidden, true, false, Forbid),
    ];
    for (level, already_encrypted, has_algorithm, outcome) in table {
        for class in RoomClass::ALL {
            let facts =
                StateChangeFacts { class, already_encrypted, has_algorithm, user: ANN, is_moderator: false };
            let decision = only(class, level).at_state_change(facts);
            assert_eq!(decision.outcome, outcome, "{level:?} {facts:?}");
        }
    }
}

/// Which of these may turn encryption on: Ann as member, Ann as moderator, Ben as member, Ben as moderator.
fn who_may(policy: &EncryptionPolicy) -> [bool; 4] {
    [(ANN, false), (ANN, true), (BEN, false), (BEN, true)]
        .map(|(user, moderates)| policy.lets_turn_on(RoomClass::Private, user, moderates))
}

#[test]
fn who_may_turn_encryption_on_counts_where_it_is_off() {
    let roles = vec![
        Role { name: "lawyers".to_owned(), users: vec![ANN.to_owned()] },
        Role { name: "cooks".to_owned(), users: vec![BEN.to_owned()] },
    ];
    let lawyers = || WhoMayTurnOn::Roles(vec!["lawyers".to_owned()]);
    for (who, allowed) in [
        (WhoMayTurnOn::AnyoneWithPower, [true, true, true, true]),
        (WhoMayTurnOn::Moderators, [false, true, false, true]),
        (lawyers(), [true, true, false, false]),
        (WhoMayTurnOn::Roles(vec!["nobody has this".to_owned()]), [false; 4]),
        (WhoMayTurnOn::Nobody, [false; 4]),
    ] {
        let policy = |level| EncryptionPolicy {
            who_may_turn_on: who.clone(),
            roles: roles.clone(),
            ..only(RoomClass::Private, level)
        };
        assert_eq!(who_may(&policy(Level::Off)), allowed, "{who:?}");
        for level in [Level::Client, Level::On, Level::Required] {
            assert_eq!(who_may(&policy(level)), [true; 4], "{level:?} {who:?}");
        }
        assert_eq!(who_may(&policy(Level::Forbidden)), [false; 4], "{who:?}");
    }
}

#[test]
fn choice_in_the_dialogue_is_heard_from_those_who_may_choose() {
    let strip_for = StripFor::ClientsThatIgnoreThePublishedDefault;
    for (who_may_turn_on, outcome) in [
        (WhoMayTurnOn::AnyoneWithPower, AtCreation::Keep),
        (WhoMayTurnOn::Moderators, AtCreation::Keep),
        (WhoMayTurnOn::Roles(Vec::new()), AtCreation::LeaveOut),
        (WhoMayTurnOn::Nobody, AtCreation::LeaveOut),
    ] {
        let policy = EncryptionPolicy { strip_for, who_may_turn_on, ..EncryptionPolicy::default() };
        assert_eq!(creation(&policy, RoomClass::Private, true, CLIENTS[0]), outcome);
    }
}

#[test]
fn exception_replaces_the_level_for_one_person() {
    let exceptions = vec![Exception { user: ANN.to_owned(), level: Level::Client }];
    let policy = EncryptionPolicy { exceptions, ..EncryptionPolicy::everywhere(Level::Forbidden) };
    let facts = |user| CreationFacts { class: RoomClass::Private, requested: true, client: CLIENTS[1], user };
    let decision = policy.at_creation(facts(ANN));
    assert_eq!(decision.outcome, AtCreation::Keep);
    assert_eq!(
        decision.setting.to_string(),
        "encryption.exceptions = {\"user\":\"@ann:example.org\",\"level\":\"client\"}"
    );
    assert_eq!(policy.at_creation(facts(BEN)).outcome, AtCreation::LeaveOut);
    assert_eq!(who_may(&policy), [true, true, false, false]);
    assert_eq!(policy.power_level_at_creation(RoomClass::Private, ANN).outcome, None);
    assert_eq!(policy.power_level_at_creation(RoomClass::Private, BEN).outcome, Some(101));
    let published = policy.published_default().outcome.unwrap();
    assert!(!published.force_disable, "clients cannot hide it from all but one");
}

#[test]
fn power_level_hides_the_switch_only_where_it_has_no_effect() {
    for class in RoomClass::ALL {
        for level in Level::ALL {
            let outcome = |who_may_turn_on| {
                let policy = EncryptionPolicy { who_may_turn_on, ..only(class, level) };
                policy.power_level_at_creation(class, ANN).outcome
            };
            let forbidden = (level == Level::Forbidden).then_some(101);
            assert_eq!(outcome(WhoMayTurnOn::AnyoneWithPower), forbidden, "{level:?}");
            let nobody = matches!(level, Level::Forbidden | Level::Off).then_some(101);
            assert_eq!(outcome(WhoMayTurnOn::Nobody), nobody, "{level:?}");
        }
    }
}

#[test]
fn encrypted_rooms_elsewhere_are_open_unless_the_policy_names_them() {
    for level in Level::ALL {
        for (encrypted_elsewhere, lives_elsewhere, is_encrypted, outcome) in [
            (EncryptedElsewhere::Join, true, true, Join::Allow),
            (EncryptedElsewhere::Refuse, true, true, Join::Refuse),
            (EncryptedElsewhere::Refuse, true, false, Join::Allow),
            (EncryptedElsewhere::Refuse, false, true, Join::Allow),
        ] {
            let policy = EncryptionPolicy { encrypted_elsewhere, ..EncryptionPolicy::everywhere(level) };
            let decision = policy.at_join(JoinFacts { lives_elsewhere, is_encrypted });
            assert_eq!(decision.outcome, outcome, "{encrypted_elsewhere:?} {lives_elsewhere} {is_encrypted}");
        }
    }
}

#[test]
fn published_default_follows_the_levels_of_conversations_and_private_rooms() {
    use Level::{Client, Forbidden, Off, On, Required};
    let off = json!({ "default": false });
    let on = json!({ "default": true });
    let nothing = json!(null);
    let table = [
        (Off, Off, Off, &off),
        (Off, Off, Forbidden, &off),
        (Forbidden, Forbidden, Off, &off),
        (Forbidden, Off, Forbidden, &off),
        (Forbidden, Forbidden, Forbidden, &off),
        (Required, Off, Off, &off),
        (Off, On, Off, &off),
        (Client, Off, Client, &off),
        (Client, Forbidden, Client, &off),
        (Required, Required, Off, &on),
        (Required, Client, Off, &on),
        (On, Client, Off, &on),
        (Client, On, Forbidden, &on),
        (Client, Client, Off, &nothing),
        (Client, Client, Required, &nothing),
    ];
    for (direct, private, public, published) in table {
        let policy = EncryptionPolicy { direct, private, public, ..EncryptionPolicy::default() };
        let outcome = serde_json::to_value(policy.published_default().outcome).unwrap();
        assert_eq!(&outcome, published, "{direct:?} {private:?} {public:?}");
    }
    let never = EncryptionPolicy::everywhere(Forbidden).published_default().outcome;
    assert_eq!(serde_json::to_value(never).unwrap(), json!({ "default": false, "force_disable": true }));
}

#[test]
fn presets_are_forced_only_where_the_server_always_encrypts() {
    let flags = |policy: EncryptionPolicy| policy.forced_presets().map(|(_, forced)| forced);
    assert_eq!(flags(EncryptionPolicy::everywhere(Level::On)), [false; 3]);
    assert_eq!(flags(EncryptionPolicy::default()), [false; 3]);
    let direct = EncryptionPolicy { direct: Level::Required, ..EncryptionPolicy::default() };
    assert_eq!(
        direct.forced_presets(),
        [
            ("io.element.e2ee_forced.public", false),
            ("io.element.e2ee_forced.private", false),
            ("io.element.e2ee_forced.trusted_private", true),
        ]
    );
}

#[test]
fn account_begins_without_prompts_only_where_the_policy_asks_for_it() {
    assert!(EncryptionPolicy::default().account_data_at_registration().is_empty());
    let silent = EncryptionPolicy { silence_backup_prompts: true, ..EncryptionPolicy::default() };
    assert_eq!(
        silent.account_data_at_registration(),
        [
            ("m.key_backup", json!({ "enabled": false })),
            ("m.org.matrix.custom.backup_disabled", json!({ "disabled": true })),
            ("io.element.recovery", json!({ "enabled": false })),
        ]
    );
}

#[test]
fn decision_names_its_rule_and_its_setting() {
    let policy = EncryptionPolicy::default();
    let facts = |class, client| CreationFacts { class, requested: true, client, user: ANN };
    let decision = policy.at_creation(facts(RoomClass::Private, CLIENTS[1]));
    assert_eq!(
        decision.to_string(),
        "LeaveOut: new rooms of this class begin plain; encryption can be turned on in the room \
         (encryption.private = \"off\")"
    );
    for class in RoomClass::ALL {
        for client in CLIENTS {
            assert!(!policy.at_creation(facts(class, client)).rule.is_empty());
        }
        for level in Level::ALL {
            let stance = only(class, level).stance(class);
            assert_eq!((stance.outcome, stance.rule.is_empty()), (level, false));
            assert_eq!(
                stance.setting.to_string(),
                format!("encryption.{} = {:?}", class.name(), level.name())
            );
        }
    }
}
