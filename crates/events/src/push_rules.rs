//! The push rules that every user begins with
//! (<https://spec.matrix.org/v1.19/client-server-api/#predefined-rules>). What users set is not known here.

use ruma::{
    UserId,
    power_levels::NotificationPowerLevelsKey,
    push::{
        Action, ConditionalPushRule, ConditionalPushRuleInit, EventMatchConditionData, HighlightTweakValue,
        PatternedPushRule, PatternedPushRuleInit, PushCondition, RoomMemberCountConditionData,
        RoomMemberCountIs, Ruleset, SenderNotificationPermissionConditionData, SoundTweakValue, Tweak,
    },
    uint,
};

/// A user's rules as stored, with the server's rules of today as the user has set them; the server's rules
/// alone, where none are stored.
pub fn current_push_rules(stored: Option<Ruleset>, user_id: &UserId) -> Ruleset {
    let server = default_push_rules(user_id);
    match stored {
        Some(mut rules) => {
            rules.update_with_server_default(server);
            rules
        }
        None => server,
    }
}

/// The specification's rules; the three of old for clients that do not send `m.mentions`, which do not match what has
/// `m.mentions`; and those for polls (MSC3930), which clients otherwise try by themselves.
pub fn default_push_rules(user_id: &UserId) -> Ruleset {
    let mut rules = Ruleset::server_default(user_id);
    rules.content.insert(contains_user_name(user_id));
    let mut overrides = std::mem::take(&mut rules.override_).into_iter().collect::<Vec<_>>();
    let old =
        [(".m.rule.is_user_mention", contains_display_name()), (".m.rule.is_room_mention", roomnotif())];
    for (neighbour, rule) in old {
        let place = overrides.iter().position(|rule| rule.rule_id == neighbour);
        overrides.insert(place.map_or(overrides.len(), |place| place + 1), rule);
    }
    overrides.push(poll_response());
    rules.override_ = overrides.into_iter().collect();
    rules.underride.extend(poll_rules());
    rules
}

/// The type of an event of a poll, as all clients send it.
fn poll_event(what: &str) -> PushCondition {
    let kind = format!("org.matrix.msc3381.poll.{what}");
    PushCondition::EventMatch(EventMatchConditionData::new("type".to_owned(), kind))
}

fn poll_rule(name: &str, actions: Vec<Action>, conditions: Vec<PushCondition>) -> ConditionalPushRule {
    ConditionalPushRule::from(ConditionalPushRuleInit {
        actions,
        default: true,
        enabled: true,
        rule_id: format!(".org.matrix.msc3930.rule.poll_{name}"),
        conditions,
    })
}

fn poll_response() -> ConditionalPushRule {
    poll_rule("response", Vec::new(), vec![poll_event("response")])
}

fn poll_rules() -> impl Iterator<Item = ConditionalPushRule> {
    let of_two = || {
        PushCondition::RoomMemberCount(RoomMemberCountConditionData::new(RoomMemberCountIs::from(uint!(2))))
    };
    ["start", "end"].into_iter().flat_map(move |what| {
        let loud = vec![Action::Notify, default_sound()];
        let name = format!("{what}_one_to_one");
        [
            poll_rule(&name, loud, vec![of_two(), poll_event(what)]),
            poll_rule(what, vec![Action::Notify], vec![poll_event(what)]),
        ]
    })
}

fn highlight() -> Action {
    Action::SetTweak(Tweak::Highlight(HighlightTweakValue::Yes))
}

fn default_sound() -> Action {
    Action::SetTweak(Tweak::Sound(SoundTweakValue::Default))
}

fn contains_user_name(user_id: &UserId) -> PatternedPushRule {
    PatternedPushRule::from(PatternedPushRuleInit {
        actions: vec![Action::Notify, default_sound(), highlight()],
        default: true,
        enabled: true,
        rule_id: ".m.rule.contains_user_name".to_owned(),
        pattern: user_id.localpart().to_owned(),
    })
}

fn contains_display_name() -> ConditionalPushRule {
    #[expect(deprecated, reason = "for clients which do not send m.mentions")]
    let condition = PushCondition::ContainsDisplayName;
    ConditionalPushRule::from(ConditionalPushRuleInit {
        actions: vec![Action::Notify, default_sound(), highlight()],
        default: true,
        enabled: true,
        rule_id: ".m.rule.contains_display_name".to_owned(),
        conditions: vec![condition],
    })
}

fn roomnotif() -> ConditionalPushRule {
    let body = EventMatchConditionData::new("content.body".to_owned(), "@room".to_owned());
    let permission = SenderNotificationPermissionConditionData::new(NotificationPowerLevelsKey::Room);
    ConditionalPushRule::from(ConditionalPushRuleInit {
        actions: vec![Action::Notify, highlight()],
        default: true,
        enabled: true,
        rule_id: ".m.rule.roomnotif".to_owned(),
        conditions: vec![
            PushCondition::EventMatch(body),
            PushCondition::SenderNotificationPermission(permission),
        ],
    })
}
