//! Logs: tracing to standard error, as text for people or JSON lines for machines.
//!
//! Errors are what an operator should look into, so that what anybody can cause from outside is none.

use std::{io::IsTerminal, str::FromStr};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// An error and its causes, from the outermost inwards, joined by `: `.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("{other:?} is not a log format: use text or json")),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter {filter:?} cannot be read")]
    Filter {
        filter: String,
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("logging is already set up in this process")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up logging for this process; `filter` is in the syntax of `RUST_LOG`, such as `info,bet_maker=debug`.
/// What clients do to connections is logged only where the filter names `actix_http`.
///
/// # Errors
/// The filter cannot be read, or logging is already set up.
pub fn init(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let registry = tracing_subscriber::registry().with(filter_of(filter)?);
    match format {
        LogFormat::Text => {
            // A file or a collector shows no colours.
            let colours = std::io::stderr().is_terminal();
            registry
                .with(fmt::layer().with_ansi(colours).with_writer(std::io::stderr))
                .try_init()
        }
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    }
    .map_err(TelemetryError::Twice)
}

/// The filter, and without what actix logs as errors of connections: every head that cannot be read is one.
/// What fails on our side of a connection is logged by the [middleware](crate::middleware) and by
/// [`EventStream`](crate::EventStream).
fn filter_of(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let wanted = EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    if filter.contains("actix_http") {
        return Ok(wanted);
    }
    let connections = "actix_http::h1::dispatcher=off";
    Ok(wanted.add_directive(connections.parse().expect("this is a directive")))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn shows_connections_errors(filter: &str) -> bool {
        let subscriber = tracing_subscriber::registry().with(filter_of(filter).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            assert!(tracing::enabled!(target: "bet_maker", Level::ERROR), "{filter}");
            tracing::enabled!(target: "actix_http::h1::dispatcher", Level::ERROR)
        })
    }

    #[test]
    fn what_clients_do_to_connections_is_logged_only_where_it_is_asked_for() {
        for filter in ["info", "debug,bet_maker=trace"] {
            assert!(!shows_connections_errors(filter), "{filter}");
        }
        for filter in ["info,actix_http=warn", "info,actix_http::h1::dispatcher=error"] {
            assert!(shows_connections_errors(filter), "{filter}");
        }
    }
}
