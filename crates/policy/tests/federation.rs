//! With whom an organisation speaks, and the reasons that it gives.

use parvis_policy::federation::{Federate, FederationMode, FederationRules};

fn rules(mode: FederationMode, partners: &[&str], denied: &[&str]) -> FederationRules {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    FederationRules { mode, partners: list(partners), denied: list(denied) }
}

#[test]
fn lists_and_mode_decide_together() {
    use FederationMode::{Off, Open, Partners};
    let partners = &["partner.example", "*.partner.example", "[2001:db8::1]", "test.example:8448"][..];
    let denied = &["bad.example", "*.bad.example", "bad.partner.example"][..];
    for (mode, server, allowed) in [
        (Off, "partner.example", false),
        (Open, "anyone.example", true),
        (Open, "bad.example", false),
        (Open, "BAD.example:8448", false),
        (Open, "deeper.bad.example", false),
        (Open, "not-bad.example", true),
        (Partners, "partner.example", true),
        (Partners, "Partner.Example:443", true),
        (Partners, "chat.partner.example", true),
        (Partners, "bad.partner.example", false),
        (Partners, "partner.example.evil", false),
        (Partners, "anyone.example", false),
        (Partners, "[2001:db8::1]", true),
        (Partners, "[2001:db8::1]:8448", true),
        (Partners, "[2001:db8::2]", false),
        (Partners, "test.example:8448", true),
        (Partners, "test.example:8449", false),
    ] {
        assert_eq!(rules(mode, partners, denied).allows(server), allowed, "{mode:?} {server}");
    }
}

#[test]
fn decision_names_the_setting_behind_it() {
    for (mode, server, outcome, setting) in [
        (FederationMode::Off, "a.example", Federate::Refuse, "federation.mode = \"off\""),
        (FederationMode::Open, "a.example", Federate::Allow, "federation.mode = \"open\""),
        (FederationMode::Open, "x.bad.example", Federate::Refuse, "federation.denied = \"*.bad.example\""),
        (FederationMode::Partners, "p.example", Federate::Allow, "federation.partners = \"p.*\""),
        (FederationMode::Partners, "a.example", Federate::Refuse, "federation.mode = \"partners\""),
    ] {
        let decision = rules(mode, &["p.*"], &["*.bad.example"]).may_federate(server);
        assert_eq!(
            (decision.outcome, decision.setting.to_string().as_str()),
            (outcome, setting),
            "{}",
            decision.rule
        );
    }
}
