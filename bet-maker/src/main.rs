//! The bet-maker process: settings, telemetry, app, run.

use std::error::Error;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use bet_maker::app::App;
use bet_maker::config::{Cli, Command, Settings};
use bet_maker::feed::apply;
use bet_maker::store::Store;
use bet_maker::verify::{Books, Due, verify};
use clap::Parser as _;
use http_edge::{probe, report, server, telemetry};
use secrecy::ExposeSecret as _;

#[actix_web::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bet-maker: {}", telemetry::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, Box<dyn Error>> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "another TLS provider is installed already")?;
    match cli.command {
        Some(Command::Openapi) => println!("{:#}", bet_maker::http::document().value()),
        Some(Command::Probe { bet_maker_listen }) => probe::healthz(bet_maker_listen)?,
        Some(Command::AdoptLog {
            instance,
            bet_maker_database_url,
        }) => {
            let store = Store::new(bet_maker_database_url.expose_secret(), 1);
            store
                .work(async |conn| apply::adopt(conn, instance).await)
                .await?;
            println!(
                "Noted. A running bet-maker reads the log of {instance} from its start and then follows it."
            );
        }
        Some(Command::Verify {
            bet_maker_database_url,
            bet_maker_line_provider_url,
            settled,
            within_s,
        }) => {
            let books = Books {
                database_url: bet_maker_database_url,
                line_provider_url: bet_maker_line_provider_url.filter(|url| !url.is_empty()),
                due: if settled { Due::Found } else { Due::Noted },
                within: Duration::from_secs(within_s.into()),
            };
            return Ok(report::conclude("bet-maker", verify(&books).await));
        }
        None => {
            telemetry::init(&cli.settings.rust_log, cli.settings.log_format)?;
            let settings = Settings::try_from(cli.settings)?;
            let listener = TcpListener::bind(settings.listen).map_err(|error| {
                format!("cannot listen on {} (BET_MAKER_LISTEN): {error}", settings.listen)
            })?;
            let app = App::connect(settings).await?;
            let terminated = server::terminated()
                .map_err(|error| format!("cannot listen for SIGTERM and SIGINT: {error}"))?;
            app.run(listener, Box::pin(terminated)).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
