//! Which push gateways are told anything, and why others are not.

use parvis_policy::push::{PushRules, Tell};

const GATEWAY: &str = "https://push.example.org/_matrix/push/v1/notify";

#[test]
fn gateways_of_everybody_are_told_unless_the_organisation_names_its_own() {
    let rules = PushRules::default();
    assert_eq!(rules.may_tell(GATEWAY).outcome, Tell::Yes);
    assert_eq!(rules.may_tell("https://matrix.org:8443/_matrix/push/v1/notify").outcome, Tell::Yes);
    let own = PushRules { gateways: vec!["*.example.org".to_owned()], ..PushRules::default() };
    assert_eq!(own.may_tell(GATEWAY).outcome, Tell::Yes);
    let refused = own.may_tell("https://matrix.org/_matrix/push/v1/notify");
    assert_eq!((refused.outcome, refused.setting.name.as_str()), (Tell::No, "push.gateways"));
    let none = PushRules { enabled: false, ..PushRules::default() };
    let refused = none.may_tell(GATEWAY);
    assert_eq!((refused.outcome, refused.setting.name.as_str()), (Tell::No, "push.enabled"));
}

#[test]
fn what_is_no_url_of_a_gateway_is_told_nothing() {
    let rules = PushRules::default();
    for url in [
        "",
        "push.example.org",
        "https://push.example.org",
        "https://push.example.org/",
        "https://push.example.org/_matrix/push/v1/notify/more",
        "https://push.example.org/_matrix/push/v1/notify?key=1",
        "https://me@push.example.org/_matrix/push/v1/notify",
        "http://push.example.org/_matrix/push/v1/notify",
        "ftp://push.example.org/_matrix/push/v1/notify",
        "https:///_matrix/push/v1/notify",
    ] {
        assert_eq!(rules.may_tell(url).outcome, Tell::NoGateway, "{url}");
    }
    let near = PushRules { plain_http: true, ..PushRules::default() };
    assert_eq!(near.may_tell("http://127.0.0.1:5000/_matrix/push/v1/notify").outcome, Tell::Yes);
    assert_eq!(near.may_tell("http://[::1]:5000/_matrix/push/v1/notify").outcome, Tell::Yes);
}
