//! Settings: the only place that reads the environment and the command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, value_parser};
use http_edge::telemetry::LogFormat;
use secrecy::SecretString;
use shared_types::Instance;
use shared_types::signature::{InvalidSecret, Secret};

/// Half of them read. The other half is for two writers, two settlers, the inbox and the poller, which at the least take
/// turns on four.
const DATABASE_CONNECTIONS_MIN: u16 = 8;

/// Takes bets on line-provider's events and settles each exactly once.
#[derive(Debug, Parser)]
#[command(name = "bet-maker", version, args_conflicts_with_subcommands = true)]
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
        #[arg(long, env = "BET_MAKER_LISTEN", default_value = "127.0.0.1:8082")]
        bet_maker_listen: SocketAddr,
    },
    /// Follow another journal of line-provider, after its own was lost or set back for good. Betting is closed
    /// on the events that it does not know; their bets stay pending until a result comes. Nothing is voided.
    AdoptLog {
        /// The journal's instance, as `GET /changes` of line-provider shows it.
        #[arg(long)]
        instance: Instance,
        #[arg(long, env = "BET_MAKER_DATABASE_URL", hide_env_values = true)]
        bet_maker_database_url: SecretString,
    },
    /// Check the books while bet-makers run on them, or not. Alters nothing. Exits with 0 where all is right, 1 with what
    /// is wrong, 2 where nothing was found wrong but not all could be checked.
    Verify {
        #[arg(long, env = "BET_MAKER_DATABASE_URL", hide_env_values = true)]
        bet_maker_database_url: SecretString,
        /// Where line-provider is; without it, bets and events are not compared with its log. Where its log cannot be
        /// read, all else is checked.
        #[arg(long, env = "BET_MAKER_LINE_PROVIDER_URL")]
        bet_maker_line_provider_url: Option<String>,
        /// Results that are not settled yet are wrong, and not under way.
        #[arg(long)]
        settled: bool,
        /// Seconds that it may take, half of them for the log. Up to a day.
        #[arg(long, default_value_t = 3600, value_parser = value_parser!(u32).range(1..=86_400))]
        within_s: u32,
    },
}

/// The settings as they were given; [`Settings`] holds them checked.
#[derive(Debug, Args)]
pub struct RawSettings {
    /// Address to serve on.
    #[arg(long, env = "BET_MAKER_LISTEN", default_value = "127.0.0.1:8082")]
    bet_maker_listen: SocketAddr,
    /// Postgres, such as postgres://user:password@host/database. Required. Migrations run at start.
    #[arg(long, env = "BET_MAKER_DATABASE_URL", hide_env_values = true)]
    bet_maker_database_url: Option<SecretString>,
    /// Most connections to Postgres, 8 at least.
    #[arg(long, env = "BET_MAKER_DATABASE_CONNECTIONS", default_value_t = 16)]
    bet_maker_database_connections: u16,
    /// Where line-provider is.
    #[arg(
        long,
        env = "BET_MAKER_LINE_PROVIDER_URL",
        default_value = "http://127.0.0.1:8081"
    )]
    bet_maker_line_provider_url: String,
    /// line-provider's operator token, for registering the callback. Required.
    #[arg(long, env = "BET_MAKER_LINE_PROVIDER_TOKEN", hide_env_values = true)]
    bet_maker_line_provider_token: Option<SecretString>,
    /// Where line-provider reaches this service; by default /callbacks/line-provider at the address served on.
    #[arg(long, env = "BET_MAKER_CALLBACK_URL")]
    bet_maker_callback_url: Option<String>,
    /// Secret that callbacks are signed with, whsec_ and base64 of 24 to 64 bytes. Required. Several, separated
    /// by spaces, while rotating: the first is registered, all are accepted.
    #[arg(long, env = "BET_MAKER_CALLBACK_SECRET", hide_env_values = true)]
    bet_maker_callback_secret: Option<SecretString>,
    /// Seconds without news of the log after which no bets are accepted.
    #[arg(long, env = "BET_MAKER_FEED_STALE_AFTER_S", default_value_t = 20)]
    bet_maker_feed_stale_after_s: u64,
    /// What to log, such as info or bet_maker=debug.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub rust_log: String,
    /// text or json.
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// What bet-maker needs to run.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    pub database_url: SecretString,
    pub database_connections: u16,
    pub line_provider_url: String,
    pub line_provider_token: SecretString,
    /// `None`: at the address served on.
    pub callback_url: Option<String>,
    /// The first is registered; all are accepted. Never empty.
    pub callback_secrets: Vec<Secret>,
    pub feed_stale_after: Duration,
    /// How often the log is read; a second, and less in tests.
    pub feed_read_every: Duration,
}

/// A setting that is missing or wrong.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSettings {
    #[error("{0} is not set. It is required: see --help and .env.example")]
    Missing(&'static str),
    #[error("BET_MAKER_CALLBACK_SECRET is not a signing secret")]
    Secret(#[from] InvalidSecret),
    #[error("{0} must be an http:// or https:// URL with a host")]
    Url(&'static str),
    #[error("BET_MAKER_DATABASE_CONNECTIONS must be {DATABASE_CONNECTIONS_MIN} at least")]
    Connections,
    #[error("BET_MAKER_CALLBACK_URL is needed, because {0} is not an address that others reach")]
    CallbackUrl(SocketAddr),
}

impl TryFrom<RawSettings> for Settings {
    type Error = InvalidSettings;

    fn try_from(raw: RawSettings) -> Result<Self, InvalidSettings> {
        use secrecy::ExposeSecret as _;
        let required = |value: Option<SecretString>, name| {
            value
                .filter(|value| !value.expose_secret().is_empty())
                .ok_or(InvalidSettings::Missing(name))
        };
        let secrets = required(raw.bet_maker_callback_secret, "BET_MAKER_CALLBACK_SECRET")?;
        let callback_secrets = secrets
            .expose_secret()
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<Vec<Secret>, _>>()?;
        if callback_secrets.is_empty() {
            return Err(InvalidSettings::Missing("BET_MAKER_CALLBACK_SECRET"));
        }
        if raw.bet_maker_database_connections < DATABASE_CONNECTIONS_MIN {
            return Err(InvalidSettings::Connections);
        }
        let callback_url = raw.bet_maker_callback_url.filter(|url| !url.is_empty());
        if callback_url.as_deref().is_some_and(|url| !is_http_url(url)) {
            return Err(InvalidSettings::Url("BET_MAKER_CALLBACK_URL"));
        }
        if !is_http_url(&raw.bet_maker_line_provider_url) {
            return Err(InvalidSettings::Url("BET_MAKER_LINE_PROVIDER_URL"));
        }
        if callback_url.is_none() && raw.bet_maker_listen.ip().is_unspecified() {
            return Err(InvalidSettings::CallbackUrl(raw.bet_maker_listen));
        }
        Ok(Self {
            listen: raw.bet_maker_listen,
            database_url: required(raw.bet_maker_database_url, "BET_MAKER_DATABASE_URL")?,
            database_connections: raw.bet_maker_database_connections,
            line_provider_url: raw.bet_maker_line_provider_url,
            line_provider_token: required(
                raw.bet_maker_line_provider_token,
                "BET_MAKER_LINE_PROVIDER_TOKEN",
            )?,
            callback_url,
            callback_secrets,
            feed_stale_after: Duration::from_secs(raw.bet_maker_feed_stale_after_s),
            feed_read_every: Duration::from_secs(1),
        })
    }
}

fn is_http_url(text: &str) -> bool {
    text.parse::<awc::http::Uri>()
        .is_ok_and(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn settings(extra: &[&str]) -> Result<Settings, InvalidSettings> {
        let required = [
            "bet-maker",
            "--bet-maker-database-url=postgres://x",
            "--bet-maker-line-provider-token=t",
        ];
        Cli::parse_from(required.iter().chain(extra)).settings.try_into()
    }

    #[test]
    fn several_secrets_are_taken_while_rotating() {
        let two = format!("--bet-maker-callback-secret={SECRET} {SECRET}");
        assert_eq!(settings(&[&two]).unwrap().callback_secrets.len(), 2);
    }

    #[test]
    fn it_does_not_start_without_its_secrets() {
        assert!(matches!(
            settings(&[]),
            Err(InvalidSettings::Missing("BET_MAKER_CALLBACK_SECRET"))
        ));
        let empty = "--bet-maker-callback-secret=";
        assert!(matches!(
            settings(&[empty]),
            Err(InvalidSettings::Missing("BET_MAKER_CALLBACK_SECRET"))
        ));
        let short = "--bet-maker-callback-secret=whsec_c2hvcnQ=";
        assert!(matches!(
            settings(&[short]),
            Err(InvalidSettings::Secret(InvalidSecret::Length))
        ));
    }

    #[test]
    fn a_url_that_cannot_be_called_is_refused_at_start() {
        let secret = format!("--bet-maker-callback-secret={SECRET}");
        for name in ["BET_MAKER_LINE_PROVIDER_URL", "BET_MAKER_CALLBACK_URL"] {
            for wrong in ["nonsense", "localhost:8081", "ftp://host/", "/callbacks"] {
                let flag = format!("--{}={wrong}", name.to_lowercase().replace('_', "-"));
                assert!(
                    matches!(settings(&[&secret, &flag]), Err(InvalidSettings::Url(named)) if named == name)
                );
            }
        }
    }

    #[test]
    fn an_address_for_all_interfaces_needs_a_callback_url() {
        let secret = format!("--bet-maker-callback-secret={SECRET}");
        let everywhere = "--bet-maker-listen=0.0.0.0:8082";
        assert!(matches!(
            settings(&[&secret, everywhere]),
            Err(InvalidSettings::CallbackUrl(_))
        ));
        assert!(settings(&[&secret, everywhere, "--bet-maker-callback-url=http://b/c"]).is_ok());
    }
}
