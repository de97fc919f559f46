//! How the process writes its log: to standard error, for people or for machines.

use std::{
    any::Any,
    io::{self, IsTerminal},
    panic,
};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogFormat, LoggingSettings};

/// Starts logging, once for the process. Panics are logged too, by the one hook that knows where they happened.
pub fn start_logging(settings: &LoggingSettings) {
    let filter = EnvFilter::try_new(&settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = io::stderr().is_terminal();
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    // A second start, in tests, changes nothing.
    let _ = match settings.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, message = message_of(panic.payload()), "panic");
    }));
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}
