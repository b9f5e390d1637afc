//! The system under attack: Postgres, one line-provider, three bet-makers and three subscribers, all real processes,
//! with a link of our own in front of every address that one of them, or a client, connects to.

mod audit;
mod clock;
mod disk;
pub mod process;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use shared_types::{SubscriptionId, subscription::CreatedSubscription};
use test_support::{Client, Service, ServiceBuilder, ensure_database, find_binary, poll_until};

use crate::proxy::{Link, Proxies};

pub use clock::{library as clock_library, require_off as require_clock_off, set_off as set_clock_off};
pub use disk::{DiskFault, fail as fail_disk, is_permitted as disk_faults_are_permitted};
pub use process::{Database, Process};

pub const OPERATOR_TOKEN: &str = "an-operator-token-for-chaos";
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const REPLICAS: usize = 3;
const DATABASE: &str = "bets";
const PATIENCE: Duration = Duration::from_secs(60);
/// Short, so that a blind replica stops within a run; long enough for a restart of line-provider.
pub const STALE_AFTER: Duration = Duration::from_secs(3);

/// What ends a process and what begins it, and which changes were superseded.
const LOGGED: &str = "warn,bet_maker::app=info,line_provider::app=info,line_provider::delivery=debug";

/// How a subscriber feels, and what it wants to hear of.
const SUBSCRIBERS: [(&str, &[&str]); 3] =
    [("well", &[]), ("moody", &[]), ("well", &["event.status_changed"])];

/// Links of one bet-maker.
#[derive(Debug)]
pub struct ReplicaLinks {
    pub to_database: Arc<Link>,
    pub to_line_provider: Arc<Link>,
    /// From line-provider: callbacks.
    pub callbacks: Arc<Link>,
    pub bettors: Arc<Link>,
}

/// A subscriber, and what line-provider knows of it.
#[derive(Debug)]
pub struct Subscriber {
    pub process: Rc<Process>,
    pub link: Arc<Link>,
    pub wire: PathBuf,
    pub id: SubscriptionId,
    /// Empty means all.
    pub event_types: Vec<String>,
    /// Changes up to this position were before its time.
    pub since: u64,
}

/// Everything that runs. Dropping it ends all of it.
#[derive(Debug)]
pub struct Cluster {
    pub folder: PathBuf,
    /// Where the services' binaries are.
    binaries: PathBuf,
    pub line_provider: Rc<Process>,
    pub operators: Arc<Link>,
    pub replicas: Vec<(Rc<Process>, ReplicaLinks)>,
    pub subscribers: Vec<Subscriber>,
    pub database: Database,
    proxies: Proxies,
}

impl Cluster {
    /// Starts everything in an empty folder, with the services' binaries from `binaries` (by default those of this
    /// build), and waits until it is ready.
    ///
    /// # Errors
    /// Something cannot be started.
    pub async fn start(folder: &Path, binaries: Option<&Path>) -> Result<Self> {
        let proxies = Proxies::start()?;
        let database = Database::start().await?;
        ensure_database(&database.url("postgres"), DATABASE).await?;
        let named = |service: &str, name: &str| {
            let builder = Service::named(service)
                .log_file(folder.join(format!("{name}.log")))
                .env("RUST_LOG", LOGGED);
            match binaries {
                Some(binaries) => builder.binaries(binaries),
                None => builder,
            }
        };
        proxies.epoch.fetch_add(1, Ordering::Relaxed);
        let line_provider = named("line-provider", "line-provider")
            .env(
                "LINE_PROVIDER_DATA_DIR",
                folder.join("journal").display().to_string(),
            )
            .env("LINE_PROVIDER_OPERATOR_TOKEN", OPERATOR_TOKEN)
            .start()
            .await;
        let operators = proxies.link("operator->line-provider", line_provider.address())?;
        let mut replicas = Vec::new();
        for number in 0..REPLICAS {
            let name = format!("bet-maker-{number}");
            let builder = named("bet-maker", &name);
            replicas.push(start_replica(&proxies, &database, line_provider.address(), &name, builder).await?);
        }
        audit::install(&database.url(DATABASE)).await?;
        let mut subscribers = Vec::new();
        let operator = Client::new(&line_provider.url()).with_bearer(OPERATOR_TOKEN);
        for (number, (mood, event_types)) in SUBSCRIBERS.into_iter().enumerate() {
            subscribers.push(start_subscriber(&proxies, &operator, folder, number, mood, event_types).await?);
        }
        Ok(Self {
            folder: folder.to_owned(),
            binaries: binaries.map_or_else(own_binaries, |folder| Ok(folder.to_owned()))?,
            line_provider: Process::new("line-provider", line_provider),
            operators,
            replicas,
            subscribers,
            database,
            proxies,
        })
    }

    /// The database of the bet-makers, not through any link.
    pub fn database_url(&self) -> String {
        self.database.url(DATABASE)
    }

    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    pub fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    /// Straight to line-provider, as its operator.
    pub async fn operator(&self) -> Client {
        Client::new(&self.line_provider.url().await).with_bearer(OPERATOR_TOKEN)
    }

    /// From now on line-provider's connections belong to another run of it.
    pub fn begin_epoch(&self) {
        self.proxies.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Every process that runs a service, subscribers included.
    pub fn processes(&self) -> impl Iterator<Item = &Rc<Process>> {
        let replicas = self.replicas.iter().map(|(process, _)| process);
        let subscribers = self.subscribers.iter().map(|subscriber| &subscriber.process);
        std::iter::once(&self.line_provider)
            .chain(replicas)
            .chain(subscribers)
    }

    pub fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        let replicas = self.replicas.iter().flat_map(|(_, links)| {
            [
                &links.to_database,
                &links.to_line_provider,
                &links.callbacks,
                &links.bettors,
            ]
        });
        let subscribers = self.subscribers.iter().map(|subscriber| &subscriber.link);
        std::iter::once(&self.operators)
            .chain(replicas)
            .chain(subscribers)
    }
}

/// The folder of this build's programs.
fn own_binaries() -> Result<PathBuf> {
    let mut folder = find_binary("bet-maker")?;
    folder.pop();
    Ok(folder)
}

async fn start_replica(
    proxies: &Proxies,
    database: &Database,
    line_provider: SocketAddr,
    name: &str,
    builder: ServiceBuilder,
) -> Result<(Rc<Process>, ReplicaLinks)> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let links = ReplicaLinks {
        to_database: proxies.link(&format!("{name}->postgres"), database.address())?,
        to_line_provider: proxies.link(&format!("{name}->line-provider"), line_provider)?,
        callbacks: proxies.link(&format!("line-provider->{name}"), nowhere)?,
        bettors: proxies.link(&format!("bettor->{name}"), nowhere)?,
    };
    let service = builder
        .env(
            "BET_MAKER_DATABASE_URL",
            format!("postgres://postgres@{}/{DATABASE}", links.to_database.address()),
        )
        .env("BET_MAKER_DATABASE_CONNECTIONS", "12")
        .env("BET_MAKER_FEED_STALE_AFTER_S", STALE_AFTER.as_secs().to_string())
        .env("BET_MAKER_LINE_PROVIDER_URL", links.to_line_provider.url())
        .env("BET_MAKER_LINE_PROVIDER_TOKEN", OPERATOR_TOKEN)
        .env("BET_MAKER_CALLBACK_SECRET", SECRET)
        .env(
            "BET_MAKER_CALLBACK_URL",
            format!("{}/callbacks/line-provider", links.callbacks.url()),
        )
        .start()
        .await;
    links.callbacks.set_target(service.address());
    links.bettors.set_target(service.address());
    Ok((Process::new(name, service), links))
}

async fn start_subscriber(
    proxies: &Proxies,
    operator: &Client,
    folder: &Path,
    number: usize,
    mood: &str,
    event_types: &[&str],
) -> Result<Subscriber> {
    let name = format!("subscriber-{number}");
    let wire = folder.join(format!("{name}.jsonl"));
    let service = Service::named("subscriber")
        .log_file(folder.join(format!("{name}.log")))
        .env("SUBSCRIBER_WIRE", wire.display().to_string())
        .env("SUBSCRIBER_MOOD", mood)
        .env("SUBSCRIBER_SECRET", SECRET)
        .start()
        .await;
    let link = proxies.link(&format!("line-provider->{name}"), service.address())?;
    let url = format!("{}/callbacks", link.url());
    let wanted = json!({"url": url, "event_types": event_types, "secret": SECRET});
    let answer = operator.post("/subscriptions", &wanted).await;
    ensure!(answer.status == 201, "{answer:?}");
    let created: CreatedSubscription =
        serde_json::from_slice(&answer.body).context("the answer is no subscription")?;
    Ok(Subscriber {
        process: Process::new(&name, service),
        link,
        wire,
        id: created.subscription.id,
        event_types: event_types.iter().map(|&kind| kind.to_owned()).collect(),
        since: created.subscription.cursor,
    })
}

impl Cluster {
    /// Waits until every replica accepts bets again.
    ///
    /// # Errors
    /// One does not within a minute; what it says of itself.
    pub async fn wait_until_ready(&self) -> Result<()> {
        for (process, _) in &self.replicas {
            let client = Client::new(&process.url().await);
            let mut said = String::new();
            let ready = poll_until(PATIENCE, async || {
                let asked = client
                    .try_send(awc::http::Method::GET, "/readyz", &[], Vec::new())
                    .await;
                match asked {
                    Ok(answer) if answer.status == 200 => return Some(()),
                    Ok(answer) => said = answer.text(),
                    Err(error) => said = format!("{error:#}"),
                }
                None
            });
            ensure!(ready.await.is_ok(), "{} does not get ready: {said}", process.name);
        }
        Ok(())
    }
}
