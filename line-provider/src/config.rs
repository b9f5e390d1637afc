//! Settings: the only place that reads the environment and the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use http_edge::telemetry::LogFormat;
use secrecy::{ExposeSecret as _, SecretString};

const OPERATOR_TOKEN_MIN_CHARACTERS: usize = 16;

/// Publishes events and their results, and calls subscribers back on every change.
#[derive(Debug, Parser)]
#[command(name = "line-provider", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub settings: RawSettings,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the OpenAPI document.
    Openapi,
    /// Ask the service that listens there whether it is alive; exits with 0 if it is.
    Probe {
        #[arg(long, env = "LINE_PROVIDER_LISTEN", default_value = "127.0.0.1:8081")]
        line_provider_listen: SocketAddr,
    },
    /// Check the journal, whether a line-provider runs on it or not. Alters nothing. Exits with 0 where all is right, 1
    /// with what is wrong, 2 where it could not check.
    Verify {
        #[arg(long, env = "LINE_PROVIDER_DATA_DIR", default_value = "./data/line-provider")]
        line_provider_data_dir: PathBuf,
    },
}

/// Whether events end by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AutoResult {
    /// Only the operator gives results.
    #[default]
    Off,
    /// At its deadline an unfinished event gets a random winner.
    Random,
}

/// The settings as they were given; [`Settings`] holds them checked.
#[derive(Debug, Args)]
pub struct RawSettings {
    /// Address to serve on.
    #[arg(long, env = "LINE_PROVIDER_LISTEN", default_value = "127.0.0.1:8081")]
    line_provider_listen: SocketAddr,
    /// The journal's folder; made if it is missing.
    #[arg(long, env = "LINE_PROVIDER_DATA_DIR", default_value = "./data/line-provider")]
    line_provider_data_dir: PathBuf,
    /// Token for the operator's routes, 16 characters at least. Required.
    #[arg(long, env = "LINE_PROVIDER_OPERATOR_TOKEN", hide_env_values = true)]
    line_provider_operator_token: Option<SecretString>,
    /// Whether events end by themselves at their deadline.
    #[arg(long, env = "LINE_PROVIDER_AUTO_RESULT", value_enum, default_value = "off")]
    line_provider_auto_result: AutoResult,
    /// What to log, such as info or line_provider=debug.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub rust_log: String,
    /// text or json.
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// What line-provider needs to run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub operator_token: SecretString,
    pub auto_result: AutoResult,
}

/// A setting that is missing or wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    #[error("LINE_PROVIDER_OPERATOR_TOKEN is not set. It is required: see --help and .env.example")]
    MissingToken,
    #[error("LINE_PROVIDER_OPERATOR_TOKEN must have {OPERATOR_TOKEN_MIN_CHARACTERS} characters at least")]
    ShortToken,
}

impl TryFrom<RawSettings> for Settings {
    type Error = InvalidSettings;

    fn try_from(raw: RawSettings) -> Result<Self, InvalidSettings> {
        let operator_token = raw
            .line_provider_operator_token
            .filter(|token| !token.expose_secret().is_empty())
            .ok_or(InvalidSettings::MissingToken)?;
        if operator_token.expose_secret().chars().count() < OPERATOR_TOKEN_MIN_CHARACTERS {
            return Err(InvalidSettings::ShortToken);
        }
        Ok(Self {
            listen: raw.line_provider_listen,
            data_dir: raw.line_provider_data_dir,
            operator_token,
            auto_result: raw.line_provider_auto_result,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(arguments: &[&str]) -> Result<Settings, InvalidSettings> {
        Cli::parse_from(["line-provider"].iter().chain(arguments))
            .settings
            .try_into()
    }

    #[test]
    fn the_token_has_16_characters_at_least() {
        let with = |token: &str| settings(&["--line-provider-operator-token", token]).map(|_| ());
        assert_eq!(with("0123456789abcdef"), Ok(()));
        assert_eq!(with("0123456789abcde"), Err(InvalidSettings::ShortToken));
        assert_eq!(with(""), Err(InvalidSettings::MissingToken));
    }

    #[test]
    fn events_end_by_themselves_only_where_asked_for() {
        let token = "--line-provider-operator-token=0123456789abcdef";
        assert_eq!(settings(&[token]).unwrap().auto_result, AutoResult::Off);
        let random = settings(&[token, "--line-provider-auto-result=random"]).unwrap();
        assert_eq!(random.auto_result, AutoResult::Random);
    }

    #[test]
    fn the_document_is_printed_without_settings() {
        let cli = Cli::parse_from(["line-provider", "openapi"]);
        assert!(matches!(cli.command, Some(Command::Openapi)));
    }
}
