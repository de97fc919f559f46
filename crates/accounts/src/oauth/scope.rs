//! What an app asks for: all of the client-server API, on one device
//! (<https://spec.matrix.org/v1.19/client-server-api/#scope>).

use ruma::OwnedDeviceId;

use crate::names;

const API: [&str; 2] = ["urn:matrix:client:api:*", "urn:matrix:org.matrix.msc2967.client:api:*"];
const DEVICE: [&str; 2] = ["urn:matrix:client:device:", "urn:matrix:org.matrix.msc2967.client:device:"];

/// What an app is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// The device that the app is to have.
    pub(super) device_id: OwnedDeviceId,
    /// What was asked for that is known here, in the words in which it was asked for.
    pub(super) granted: String,
}

impl Scope {
    /// Reads a scope. What is not known is left out, as RFC 6749 allows; the API and one device must be there.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut granted = Vec::new();
        let mut devices = Vec::new();
        let mut api = false;
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            if API.contains(&token) {
                api = true;
            } else if let Some(device_id) = DEVICE.iter().find_map(|prefix| token.strip_prefix(prefix)) {
                devices.push(device_id);
            } else {
                continue;
            }
            if !granted.contains(&token) {
                granted.push(token);
            }
        }
        // Asked for in two forms, it is one device still.
        devices.dedup();
        let [device_id] = devices[..] else { return None };
        let fits = (1..=names::LONGEST_DEVICE_ID).contains(&device_id.len())
            && device_id.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        (api && fits).then(|| Self { device_id: device_id.into(), granted: granted.join(" ") })
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn scope_names_the_api_and_one_device_in_either_form() {
        let scope = Scope::parse("openid urn:matrix:client:api:* urn:matrix:client:device:ABC").unwrap();
        assert_eq!(scope.device_id, "ABC");
        assert_eq!(scope.granted, "urn:matrix:client:api:* urn:matrix:client:device:ABC");
        let older =
            "urn:matrix:org.matrix.msc2967.client:api:* urn:matrix:org.matrix.msc2967.client:device:D-1._~";
        assert_eq!(Scope::parse(older).unwrap().granted, older);
        let both = format!("{older} urn:matrix:client:device:D-1._~");
        assert_eq!(Scope::parse(&both).unwrap().device_id, "D-1._~");
    }

    #[test]
    fn scope_without_the_api_or_with_another_number_of_devices_is_refused() {
        for text in [
            "",
            "urn:matrix:client:api:*",
            "urn:matrix:client:device:ABC",
            "urn:matrix:client:api:* urn:matrix:client:device:",
            "urn:matrix:client:api:* urn:matrix:client:device:A urn:matrix:client:device:B",
            "urn:matrix:client:api:* urn:matrix:client:device:A\u{7f}",
            "urn:matrix:client:api:* urn:matrix:client:device:\u{e9}",
        ] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }
}
