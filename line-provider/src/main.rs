//! The line-provider process: settings, telemetry, app, run.

use std::error::Error;
use std::net::TcpListener;
use std::process::ExitCode;

use clap::Parser as _;
use http_edge::{probe, report, server, telemetry};
use line_provider::app::App;
use line_provider::clock::Clock;
use line_provider::config::{Cli, Command, Settings};
use line_provider::{http, journal};

#[actix_web::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("line-provider: {}", telemetry::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, Box<dyn Error>> {
    match cli.command {
        Some(Command::Openapi) => println!("{:#}", http::document().value()),
        Some(Command::Probe { line_provider_listen }) => probe::healthz(line_provider_listen)?,
        Some(Command::Verify {
            line_provider_data_dir,
        }) => {
            return Ok(report::conclude(
                "line-provider",
                journal::verify(&line_provider_data_dir),
            ));
        }
        None => {
            telemetry::init(&cli.settings.rust_log, cli.settings.log_format)?;
            let settings = Settings::try_from(cli.settings)?;
            let listener = TcpListener::bind(settings.listen).map_err(|error| {
                format!(
                    "cannot listen on {} (LINE_PROVIDER_LISTEN): {error}",
                    settings.listen
                )
            })?;
            let app = App::open(settings, Clock::system())?;
            let terminated = server::terminated()
                .map_err(|error| format!("cannot listen for SIGTERM and SIGINT: {error}"))?;
            app.run(listener, Box::pin(terminated)).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
