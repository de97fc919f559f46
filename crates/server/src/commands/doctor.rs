//! `parvis doctor`

use std::sync::Arc;

use parvis_ambient::Ambient;
use parvis_peers_http::{Finding, SystemDns, TrustRoots, Verdict};
use parvis_server::{
    config::{Config, OrganisationConfig},
    network, own_public_key,
};
use ruma::{OwnedServerName, ServerName};
use tokio::runtime::Runtime;

use super::{Outcome, say};
use crate::cli::DoctorCommand;

pub(crate) fn doctor(command: DoctorCommand, config: Config) -> Outcome {
    let DoctorCommand::Federation { name } = command;
    let organisation = config.organisations.first().ok_or("there is no organisation")?;
    let name = match name {
        Some(name) => {
            ServerName::parse(&name).map_err(|error| format!("{name} is no server name: {error}"))?
        }
        None => organisation.server_name.clone(),
    };
    Runtime::new()?.block_on(federation(organisation, name))
}

/// Looks for a server. Fails if not all is well.
async fn federation(config: &OrganisationConfig, name: OwnedServerName) -> Outcome {
    let ambient = Ambient::system();
    let own_key = if name == config.server_name {
        say(format_args!("Looking for this server, as other servers would from this machine."));
        Some(own_public_key(config, &ambient).await?)
    } else {
        say(format_args!("Looking for {name}."));
        None
    };
    let allowed = is_allowed(config, &name);
    let transport = network(config, TrustRoots::system(), Arc::new(SystemDns::new()), &ambient)?;
    let found = transport.examine(&name, own_key.as_deref(), &mut |finding| say(line(&finding))).await;
    match (found, allowed) {
        (true, true) => Ok(()),
        (true, false) => Err(format!("{name} is reached, and refused by this server's own settings").into()),
        (false, _) => Err(format!("{name} is not reached as it should be").into()),
    }
}

/// Whether the organisation speaks with a server; tells why, or why not.
fn is_allowed(config: &OrganisationConfig, name: &ServerName) -> bool {
    let rules = &config.federation.rules;
    let decision = rules.may_federate(name.as_str());
    let allowed = rules.allows(name.as_str());
    let verdict = if allowed { Verdict::Good } else { Verdict::Bad };
    let text = format!("{} ({})", decision.rule, decision.setting);
    say(line(&Finding { verdict, text }));
    allowed
}

fn line(finding: &Finding) -> String {
    let mark = match finding.verdict {
        Verdict::Good => "ok   ",
        Verdict::Note => "     ",
        Verdict::Bad => "FAIL ",
    };
    format!("{mark} {}", finding.text)
}
