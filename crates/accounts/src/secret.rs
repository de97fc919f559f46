//! Tokens: made of chance, given away once, and known here by their hashes alone.

use parvis_ambient::Chance;
use subtle::ConstantTimeEq as _;

/// The hash under which a token is kept and found.
pub(crate) type TokenHash = [u8; 32];

/// Letters and digits in a token: 238 bits.
const LENGTH: usize = 40;

/// What a token is for; its first letters say so, for those who search logs and repositories for lost secrets.
#[derive(Clone, Copy)]
pub(crate) enum TokenKind {
    Access,
    Refresh,
    Login,
    OpenId,
    Mail,
    Registration,
    Code,
    DeviceCode,
    Browser,
}

/// A new token.
pub(crate) fn new_token(chance: &dyn Chance, kind: TokenKind) -> String {
    let prefix = match kind {
        TokenKind::Access => "parvis_at_",
        TokenKind::Refresh => "parvis_rt_",
        TokenKind::Login => "parvis_lt_",
        TokenKind::OpenId => "parvis_ot_",
        TokenKind::Mail => "parvis_mt_",
        TokenKind::Registration => "parvis_gt_",
        TokenKind::Code => "parvis_oc_",
        TokenKind::DeviceCode => "parvis_dc_",
        TokenKind::Browser => "parvis_bt_",
    };
    format!("{prefix}{}", chance.text(LENGTH))
}

/// The hash of a token. Tokens are random and long, so a fast hash is enough.
pub(crate) fn hash(token: &str) -> TokenHash {
    *blake3::hash(token.as_bytes()).as_bytes()
}

/// What stands for an application service that acts as a user on a device, in the place of a token's hash. No token
/// has such a hash.
pub(crate) fn acting_hash(service: &str, user: &str, device: &str) -> TokenHash {
    let mut hasher = blake3::Hasher::new_derive_key("Parvis: an application service acts as a user");
    for part in [service, user, device] {
        hasher.update(&part.len().to_le_bytes()).update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub(crate) fn same(left: &str, right: &str) -> bool {
    hash(left).ct_eq(&hash(right)).into()
}

#[cfg(test)]
mod tests {
    use parvis_ambient::SeededChance;

    use super::*;

    #[test]
    fn tokens_differ_and_say_what_they_are_for() {
        let chance = SeededChance::new(1);
        let (first, second) = (new_token(&chance, TokenKind::Access), new_token(&chance, TokenKind::Refresh));
        assert!(first.starts_with("parvis_at_") && second.starts_with("parvis_rt_"));
        assert_ne!(first[10..], second[10..]);
    }

    #[test]
    fn only_equal_secrets_are_the_same() {
        assert!(same("open sesame", "open sesame"));
        assert!(!same("open sesame", "open sesamE"));
    }
}
