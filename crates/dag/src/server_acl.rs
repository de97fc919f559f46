//! Which servers a room speaks with: `m.room.server_acl`.
//!
//! No rule of authorisation: an event of a server that is shut out is as good as any. What it does is to keep
//! that server from handing events to this one, and this one from answering it.
//! <https://spec.matrix.org/v1.19/client-server-api/#server-access-control-lists-acls-for-rooms>

use std::{net::Ipv4Addr, sync::Arc};

use parvis_events::Pdu;
use ruma::ServerName;
use serde::Deserialize;
use serde_json::Value;

use crate::glob::{globs, matches};

/// Which servers a room speaks with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAcl {
    allow: Vec<String>,
    deny: Vec<String>,
    allow_ip_literals: bool,
}

impl ServerAcl {
    /// The list that an event sets. What is not of the form that it should be counts as absent: then nobody is
    /// allowed, nobody is denied, and IP literals are allowed.
    pub fn of(event: &Pdu) -> Arc<Self> {
        event.remembered(|event| Self::read(event.content_json()))
    }

    fn read(content: &str) -> Self {
        #[derive(Deserialize)]
        struct Content {
            #[serde(default)]
            allow: Value,
            #[serde(default)]
            deny: Value,
            #[serde(default)]
            allow_ip_literals: Value,
        }
        let content = serde_json::from_str::<Content>(content);
        let content = content.unwrap_or(Content {
            allow: Value::Null,
            deny: Value::Null,
            allow_ip_literals: Value::Null,
        });
        Self {
            allow: globs(&content.allow),
            deny: globs(&content.deny),
            allow_ip_literals: content.allow_ip_literals != Value::Bool(false),
        }
    }

    /// Whether the room speaks with a server. Ports do not matter, nor does the case of letters.
    pub fn allows(&self, server: &ServerName) -> bool {
        let host = server.host().to_ascii_lowercase();
        if !self.allow_ip_literals && is_ip_literal(&host) {
            return false;
        }
        let listed = |globs: &[String]| globs.iter().any(|glob| matches(glob.as_bytes(), host.as_bytes()));
        !listed(&self.deny) && listed(&self.allow)
    }
}

fn is_ip_literal(host: &str) -> bool {
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(content: &str, server: &str) -> bool {
        let server = <&ServerName>::try_from(server).unwrap();
        ServerAcl::read(content).allows(server)
    }

    #[test]
    fn list_decides_by_host_alone() {
        let content = r#"{"allow":["*"],"deny":["evil.example","*.Evil.example","1.2.3.*"]}"#;
        for (server, allowed) in [
            ("good.example", true),
            ("evil.example", false),
            ("EVIL.example", false),
            ("evil.example:8448", false),
            ("a.b.evil.example", false),
            ("notevil.example", true),
            ("evil.example.org", true),
            ("1.2.3.4", false),
            ("1.2.3.4:80", false),
            ("[::1]", true),
        ] {
            assert_eq!(allows(content, server), allowed, "{server}");
        }
    }

    #[test]
    fn only_those_allowed_come_in() {
        let content = r#"{"allow":["a?.example","[2001:db8::1]","10.0.0.1"]}"#;
        for (server, allowed) in [
            ("a1.example", true),
            ("A1.EXAMPLE:1", true),
            ("a.example", false),
            ("a12.example", false),
            ("axexample", false),
            ("[2001:db8::1]:8448", true),
            ("[2001:DB8::1]", true),
            ("[2001:db8::2]", false),
            ("10.0.0.1:80", true),
        ] {
            assert_eq!(allows(content, server), allowed, "{server}");
        }
    }

    #[test]
    fn ip_literals_can_be_shut_out() {
        let content = r#"{"allow":["*"],"allow_ip_literals":false}"#;
        for (server, allowed) in [
            ("1.2.3.4", false),
            ("1.2.3.4:5", false),
            ("[::1]", false),
            ("[::1]:5", false),
            ("1.2.3.4.example", true),
        ] {
            assert_eq!(allows(content, server), allowed, "{server}");
        }
    }

    #[test]
    fn what_has_the_wrong_form_counts_as_absent() {
        for (content, allowed) in [
            ("{}", false),
            (r#"{"deny":["x.example"]}"#, false),
            (r#"{"allow":"*"}"#, false),
            (r#"{"allow":{"0":"*"}}"#, false),
            (r#"{"allow":[]}"#, false),
            (r#"{"allow":[1,null,"*"]}"#, true),
            (r#"{"allow":["*"],"deny":"*"}"#, true),
            (r#"{"allow":["*"],"deny":[["*"]]}"#, true),
            (r#"{"allow":["*"],"allow_ip_literals":"false"}"#, true),
            (r#"{"allow":["*"],"allow_ip_literals":null}"#, true),
            ("[]", false),
        ] {
            assert_eq!(allows(content, "1.2.3.4"), allowed, "{content}");
        }
    }

    #[test]
    fn globs_are_no_regular_expressions() {
        for (glob, text, matching) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("***", "abc", true),
            ("a*c", "abbc", true),
            ("a*c", "ac", true),
            ("a*c", "acb", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("a.c", "abc", false),
            ("[a-z]", "b", false),
            (".*", "abc", false),
            ("?", "", false),
            ("a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(glob.as_bytes(), text.as_bytes()), matching, "{glob} {text}");
        }
    }
}
