//! `parvis restored`

use parvis_ambient::Ambient;
use parvis_server::{begin_after_restore, config::Config};
use tokio::runtime::Runtime;

use super::{Outcome, say};

pub(crate) fn restored(config: Config) -> Outcome {
    Runtime::new()?.block_on(async {
        for organisation in &config.organisations {
            begin_after_restore(organisation, &Ambient::system()).await?;
            say(format_args!(
                "{}: one-time keys are void, clients begin anew, and other servers ask for devices anew.",
                organisation.server_name
            ));
        }
        Ok(())
    })
}
