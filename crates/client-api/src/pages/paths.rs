//! Where the pages are.

use crate::ClientApi;

pub(crate) const AUTHORIZE: &str = "/_parvis/oauth/authorize";
pub(crate) const ACCOUNT: &str = "/_parvis/account";
pub(crate) const LOGIN: &str = "/_parvis/account/login";
pub(crate) const LOGOUT: &str = "/_parvis/account/logout";
pub(crate) const REGISTER: &str = "/_parvis/account/register";
pub(crate) const CHARTER: &str = "/_parvis/account/charter";
pub(crate) const LINK: &str = "/_parvis/account/link";
pub(crate) const PROVIDER: &str = "/_parvis/account/provider";
pub(crate) const CALLBACK: &str = "/_parvis/account/callback";
pub(crate) const SSO: &str = "/_matrix/client/v3/login/sso/redirect";
pub(crate) const STYLE: &str = "/_parvis/account/style.css";
pub(crate) const LOGO: &str = "/_parvis/account/logo";

/// The longest address that a page goes on to, in bytes.
const LONGEST_NEXT: usize = 16 << 10;

/// Whether this is where clients come that do not know OAuth.
fn is_sso(path: &str) -> bool {
    let provider = |rest: &str| {
        let name = rest.strip_prefix('/').unwrap_or_default();
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    path.replacen("/r0/", "/v3/", 1).strip_prefix(SSO).is_some_and(provider)
}

/// The whole URL of a path of ours.
pub(crate) fn absolute(api: &ClientApi, path: &str) -> String {
    format!("{}{path}", api.discovery.public_base_url)
}

/// Who answers to apps.
pub(crate) fn issuer(api: &ClientApi) -> String {
    absolute(api, "/")
}

/// A path with what is said to it.
pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let query: Vec<_> = query.iter().filter(|(_, value)| !value.is_empty()).collect();
    if query.is_empty() {
        return path.to_owned();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

/// Where a page goes on to, if that is one of ours; or else the account page. It comes from a URL, which anybody may
/// have made.
pub(crate) fn safe_next(next: Option<&str>) -> String {
    let ours = |next: &&str| {
        let path = next.split(['?', '#']).next().unwrap_or_default();
        let plain = next.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'\\');
        plain
            && next.len() <= LONGEST_NEXT
            && (path == AUTHORIZE || path == ACCOUNT || path == LINK || is_sso(path))
    };
    next.filter(ours).unwrap_or(ACCOUNT).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_on_to_pages_of_ours_alone() {
        for next in [
            "/_parvis/account",
            "/_parvis/account/link?code=A",
            "/_parvis/oauth/authorize?client_id=1&x=//evil.test",
        ] {
            assert_eq!(safe_next(Some(next)), next);
        }
        for next in [
            "//evil.test",
            "https://evil.test/_parvis/account",
            "/\\evil.test",
            "/_parvis/account/../../evil",
            "/_parvis/account\r\nSet-Cookie: x",
            "/_parvis/account/logout",
            "/_matrix/client/v3/login/sso/redirect/../../logout",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(safe_next(Some(next)), ACCOUNT, "{next}");
        }
        assert_eq!(safe_next(None), ACCOUNT);
    }
}
