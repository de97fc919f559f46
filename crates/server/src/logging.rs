//! How the process writes its log: to standard error, for people or for machines.

use std::{
    any::Any,
    io::{self, IsTerminal},
    panic,
};

use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::config::{LogFormat, LoggingSettings};

/// Starts logging, once for the process. Panics are logged too, by the one hook that knows where they happened.
pub fn start_logging(settings: &LoggingSettings) {
    let filter: Targets =
        settings.level.parse().unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let lines = match settings.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // A second start, in tests, changes nothing.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, message = message_of(panic.payload()), "panic");
    }));
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}
