//! The table of room versions.

use parvis_events::RoomVersion;

#[test]
fn versions_1_to_12_are_known_by_name_and_6_to_12_supported() {
    for number in 1..=12 {
        let version: RoomVersion = number.to_string().parse().unwrap();
        assert_eq!(version.as_str(), number.to_string());
        assert_eq!(version.id().as_str(), version.as_str());
        assert_eq!(version.is_supported(), number >= 6, "{version}");
        assert_eq!(version.is_known(), number >= 3, "{version}");
        assert_eq!(RoomVersion::try_from(version.id()).unwrap(), version);
    }
    assert_eq!(RoomVersion::supported().count(), 7);
    assert_eq!(RoomVersion::DEFAULT.as_str(), "12");
}

#[test]
fn other_names_are_unknown() {
    for name in ["", "0", "13", "012", "12 ", "org.example.12"] {
        assert_eq!(name.parse::<RoomVersion>().unwrap_err().0, name);
    }
}

/// For each question, the versions of which the answer is yes.
#[test]
fn questions_are_answered_as_the_specification_has_it() {
    type Question = (&'static str, fn(RoomVersion) -> bool, &'static [u8]);
    let questions: [Question; 14] = [
        ("strict_canonical_json", RoomVersion::strict_canonical_json, &[6, 7, 8, 9, 10, 11, 12]),
        ("limits_notification_levels", RoomVersion::limits_notification_levels, &[6, 7, 8, 9, 10, 11, 12]),
        ("enforces_key_validity", RoomVersion::enforces_key_validity, &[5, 6, 7, 8, 9, 10, 11, 12]),
        ("url_safe_event_ids", RoomVersion::url_safe_event_ids, &[4, 5, 6, 7, 8, 9, 10, 11, 12]),
        ("knocking", RoomVersion::knocking, &[7, 8, 9, 10, 11, 12]),
        ("restricted", RoomVersion::restricted, &[8, 9, 10, 11, 12]),
        ("knock_restricted", RoomVersion::knock_restricted, &[10, 11, 12]),
        ("integer_power_levels", RoomVersion::integer_power_levels, &[10, 11, 12]),
        ("creator_is_sender", RoomVersion::creator_is_sender, &[11, 12]),
        ("redacts_in_content", RoomVersion::redacts_in_content, &[11, 12]),
        ("room_id_is_create_hash", RoomVersion::room_id_is_create_hash, &[12]),
        ("creators_have_infinite_power", RoomVersion::creators_have_infinite_power, &[12]),
        ("additional_creators", RoomVersion::additional_creators, &[12]),
        ("subgraph", RoomVersion::state_resolution_includes_subgraph, &[12]),
    ];
    for (name, question, yes) in questions {
        for number in 3..=12_u8 {
            let version: RoomVersion = number.to_string().parse().unwrap();
            assert_eq!(question(version), yes.contains(&number), "{name} of {version}");
        }
    }
}

#[test]
fn versions_of_proposals_follow_those_that_they_build_on_and_are_not_offered_by_themselves() {
    for (name, base) in
        [("org.matrix.msc3757.10", RoomVersion::V10), ("org.matrix.msc3757.11", RoomVersion::V11)]
    {
        let version: RoomVersion = name.parse().unwrap();
        assert_eq!(version.id().as_str(), name);
        assert_eq!(format!("{:?}", version.rules()), format!("{:?}", base.rules()));
        assert_eq!(version.strict_field_bytes(), base.strict_field_bytes());
        assert!(version.owned_state() && !base.owned_state());
        assert!(!version.is_supported() && RoomVersion::known().all(|known| known != version));
    }
    assert_eq!(RoomVersion::proposed().count(), 2);
}
