//! `./dev/up`: runs the pair on this machine until it is told to stop.
//!
//! Order up: Postgres, line-provider, bet-maker; order down: the reverse. Everything that lasts lies in one folder
//! (`home`), so that the next start finds it. If this program is killed, everything it started ends as well.

mod greeting;
mod home;
mod pair;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use shared_types::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use home::Home;
use pair::Pair;

/// How often the children are looked at.
const WATCH: Duration = Duration::from_millis(200);

/// Runs line-provider, bet-maker and a private Postgres on this machine until Ctrl-C.
#[derive(clap::Parser)]
pub struct Settings {
    /// Where line-provider listens; port 0 picks a free one.
    #[arg(long, env = "LINE_PROVIDER_LISTEN", default_value = "127.0.0.1:8081")]
    line_provider_listen: SocketAddr,
    /// Where bet-maker listens; port 0 picks a free one.
    #[arg(long, env = "BET_MAKER_LISTEN", default_value = "127.0.0.1:8082")]
    bet_maker_listen: SocketAddr,
    /// A Postgres database to use instead of starting one.
    #[arg(long, env = "BET_MAKER_DATABASE_URL", hide_env_values = true)]
    bet_maker_database_url: Option<String>,
    /// The folder for data, secrets and logs.
    #[arg(long, default_value = ".dev/up")]
    home: PathBuf,
}

fn main() -> ExitCode {
    let settings = Settings::parse();
    match actix_rt::System::new().block_on(run(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(mut settings: Settings) -> Result<()> {
    let home = Home::open(&settings.home)?;
    settings.line_provider_listen = free_address(
        "LINE_PROVIDER_LISTEN",
        "line-provider",
        settings.line_provider_listen,
    )?;
    settings.bet_maker_listen = free_address("BET_MAKER_LISTEN", "bet-maker", settings.bet_maker_listen)?;
    let secrets = home.secrets()?;
    let mut stop = StopSignals::new()?;

    let mut pair = Pair::default();
    let outcome = tokio::select! {
        biased;
        () = stop.received() => Ok(()),
        outcome = run_pair(&mut pair, &home, &settings, &secrets) => outcome,
    };
    if let Err(error) = &outcome {
        complain(error);
    }
    pair.stop().await;
    match outcome {
        Ok(()) => {
            say(&format!("stopped; the data stays in {}", home.path().display()));
            Ok(())
        }
        Err(_) => bail!("stopped because of the error above"),
    }
}

/// Never ends by itself but with an error.
async fn run_pair(pair: &mut Pair, home: &Home, settings: &Settings, secrets: &home::Secrets) -> Result<()> {
    pair.start(home, settings, secrets).await?;
    say(&greeting::text(pair, home, secrets, Timestamp::now()));
    loop {
        tokio::time::sleep(WATCH).await;
        if let Some(death) = pair.find_death() {
            bail!("{death}");
        }
    }
}

/// The address with its port, free a moment ago: asked before anything is started, because a service can only say
/// it in its log.
fn free_address(variable: &str, service: &str, address: SocketAddr) -> Result<SocketAddr> {
    match TcpListener::bind(address) {
        Ok(listener) => listener.local_addr().context("cannot tell the free port"),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let port = address.port();
            let other = SocketAddr::new(address.ip(), port.checked_add(10_000).unwrap_or(0));
            bail!(
                "port {port}, where {service} should listen, is taken by another program.\n\
                 Stop that one, or choose another address: {variable}={other} ./dev/up"
            )
        }
        Err(error) => Err(error).with_context(|| format!("{service} cannot listen on {variable}={address}")),
    }
}

/// Prints a line. A terminal that is gone must not keep us from stopping in order, as `println!` would.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "up: {error:#}");
}

/// Ctrl-C, SIGTERM, or the terminal is closed.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl StopSignals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
