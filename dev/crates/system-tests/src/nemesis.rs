//! The nemesis: carries out a plan, each track on its own, and puts everything right behind each fault.

use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use test_support::{Postgres, Service};
use tokio::sync::watch;

use crate::cluster::{Cluster, DiskFault, Process, process::revive};
use crate::evidence::tables;
use crate::history::{Note, Recorder};
use crate::plan::{Act, Blow, Fault, LinkGroup};
use crate::proxy::{Condition, Link};
use crate::workload::Gate;

const STORM: Duration = Duration::from_secs(9);
/// Long enough for what the last faults left behind to be over.
const CALM: Duration = Duration::from_secs(7);

/// Whose power it is to do damage.
pub struct Nemesis {
    pub cluster: Rc<Cluster>,
    pub recorder: Rc<Recorder>,
    /// Closed while what the operators say would be lost.
    pub operators: Gate,
    /// Whether strace may be attached.
    pub can_fail_disks: bool,
    /// Faults begin only while it is.
    pub is_storming: watch::Receiver<bool>,
}

/// Storm and calm in turn: a system that never gets up is not attacked, only kept down.
///
/// Never returns; drop it to stop it.
pub async fn weather(storming: watch::Sender<bool>) {
    loop {
        for (is_storming, lasts) in [(true, STORM), (false, CALM)] {
            storming.send_replace(is_storming);
            tokio::time::sleep(lasts).await;
        }
    }
}

impl Nemesis {
    /// Carries out a track until it ends or `over` says so; the fault under way is put right first.
    ///
    /// # Errors
    /// The damage could not be done, or not be put right.
    pub async fn carry_out(&self, track: Vec<Act>, mut over: watch::Receiver<bool>) -> Result<()> {
        let mut is_storming = self.is_storming.clone();
        for Act { after, fault, lasts } in track {
            let weather = async {
                tokio::time::sleep(after).await;
                is_storming.wait_for(|is_storming| *is_storming).await.is_ok()
            };
            tokio::select! {
                _ = weather => {}
                _ = over.wait_for(|over| *over) => return Ok(()),
            }
            self.recorder.note(Note::Fault(fault.to_string()));
            let done = self.strike(&fault, lasts).await;
            done.with_context(|| format!("in vain: {fault}"))?;
        }
        Ok(())
    }

    async fn strike(&self, fault: &Fault, lasts: Duration) -> Result<()> {
        let cluster = &self.cluster;
        match fault {
            Fault::LineProvider(blow) => {
                let mut service = cluster.line_provider.service.lock().await;
                if deal(&mut service, *blow, lasts).await? {
                    cluster.begin_epoch();
                    revive(&mut service).await?;
                }
            }
            Fault::BetMaker(number, blow) => {
                let (process, _) = cluster.replicas.get(*number).context("no such replica")?;
                blow_at(process, *blow, lasts).await?;
            }
            Fault::Subscriber(number, blow) => {
                let subscriber = cluster.subscribers.get(*number).context("no such subscriber")?;
                blow_at(&subscriber.process, *blow, lasts).await?;
            }
            Fault::Rolling => {
                for (process, _) in &cluster.replicas {
                    blow_at(process, Blow::Terminate, Duration::from_millis(50)).await?;
                }
            }
            Fault::Clock { replica, seconds } => self.set_clock_off(*replica, *seconds, lasts).await?,
            Fault::PostgresImmediate => {
                cluster
                    .database
                    .interrupt(Postgres::stop_immediately, lasts)
                    .await?
            }
            Fault::PostgresKill => cluster.database.interrupt(Postgres::kill9, lasts).await?,
            Fault::FrozenBackends => freeze_backends(&cluster.database_url(), lasts).await?,
            Fault::LockedTable => lock_table(&cluster.database_url(), lasts).await?,
            Fault::Disk(fault) => self.fail_disk(*fault, lasts).await?,
            Fault::SetBack => self.set_back(lasts).await?,
            Fault::Link {
                group,
                number,
                condition,
            } => {
                self.disturb(*group, *number, *condition, lasts).await?;
            }
        }
        Ok(())
    }

    async fn set_clock_off(&self, replica: usize, seconds: i64, lasts: Duration) -> Result<()> {
        let (process, _) = self.cluster.replicas.get(replica).context("no such replica")?;
        let mut service = process.service.lock().await;
        for seconds in [seconds, 0] {
            service.terminate().await;
            crate::cluster::set_clock_off(&mut service, seconds)?;
            revive(&mut service).await?;
            if seconds != 0 {
                tokio::time::sleep(lasts).await;
            }
        }
        Ok(())
    }

    async fn fail_disk(&self, fault: DiskFault, down: Duration) -> Result<()> {
        if !self.can_fail_disks {
            return Ok(());
        }
        let mut service = self.cluster.line_provider.service.lock().await;
        let status = crate::cluster::fail_disk(&mut service, fault).await?;
        if status.success() {
            bail!("line-provider ended as if all were well: {status}");
        }
        tokio::time::sleep(down).await;
        self.cluster.begin_epoch();
        revive(&mut service).await
    }

    /// Keeps a copy of the journal, lets more happen, serves the copy for a while, and brings the journal back. The
    /// operators wait meanwhile: what they say to a copy that goes away again would be lost by their own doing.
    async fn set_back(&self, lasts: Duration) -> Result<()> {
        let cluster = &self.cluster;
        let (journal, copy) = (cluster.journal(), cluster.folder.join("older-copy"));
        {
            let mut service = cluster.line_provider.service.lock().await;
            service.terminate().await;
            copy_folder(&journal, &copy)?;
            cluster.begin_epoch();
            revive(&mut service).await?;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let closed = self.operators.close().await;
        let mut service = cluster.line_provider.service.lock().await;
        service.terminate().await;
        self.recorder.note(Note::SetBack);
        for (folder, patience) in [(&copy, lasts), (&journal, Duration::ZERO)] {
            service.terminate().await;
            service.remove_env("LINE_PROVIDER_DATA_DIR");
            service.set_env("LINE_PROVIDER_DATA_DIR", folder.display().to_string());
            cluster.begin_epoch();
            revive(&mut service).await?;
            tokio::time::sleep(patience).await;
        }
        self.recorder.note(Note::BroughtBack);
        drop(closed);
        std::fs::remove_dir_all(&copy).context("cannot remove the older copy")
    }

    async fn disturb(
        &self,
        group: LinkGroup,
        number: usize,
        condition: Condition,
        lasts: Duration,
    ) -> Result<()> {
        let link = self.link(group, number).context("no such link")?;
        let blinds = group == LinkGroup::ToLineProvider && condition == Condition::BlackHole;
        if blinds {
            self.recorder.note(Note::Blind { replica: number });
        }
        link.set(condition);
        tokio::time::sleep(lasts).await;
        if blinds {
            self.recorder.note(Note::Sighted { replica: number });
        }
        link.set(Condition::Clear);
        Ok(())
    }

    fn link(&self, group: LinkGroup, number: usize) -> Option<&Link> {
        let cluster = &self.cluster;
        let replica = || cluster.replicas.get(number).map(|(_, links)| links);
        Some(match group {
            LinkGroup::Operators => &cluster.operators,
            LinkGroup::Bettors => &replica()?.bettors,
            LinkGroup::Callbacks => &replica()?.callbacks,
            LinkGroup::ToLineProvider => &replica()?.to_line_provider,
            LinkGroup::ToDatabase => &replica()?.to_database,
            LinkGroup::Subscribers => &cluster.subscribers.get(number)?.link,
        })
    }
}

async fn blow_at(process: &Process, blow: Blow, lasts: Duration) -> Result<()> {
    let mut service = process.service.lock().await;
    if deal(&mut service, blow, lasts).await? {
        revive(&mut service).await?;
    }
    Ok(())
}

/// Whether the process has to be started again.
async fn deal(service: &mut Service, blow: Blow, lasts: Duration) -> Result<bool> {
    match blow {
        Blow::Stop => {
            service.signal("STOP");
            tokio::time::sleep(lasts).await;
            service.signal("CONT");
            return Ok(false);
        }
        Blow::Kill => service.kill9().await,
        Blow::Terminate => {
            let status = service.terminate().await;
            if let Some(status) = status
                && !status.success()
            {
                bail!("{} was told to end, and ended with {status}", service.name());
            }
        }
    }
    tokio::time::sleep(lasts).await;
    Ok(true)
}

/// Halts some backends in whatever they are doing, locks in hand.
async fn freeze_backends(database_url: &str, lasts: Duration) -> Result<()> {
    let client = tables::connect(database_url).await?;
    let pids =
        "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
                order by random() limit 4";
    let rows = client.query(pids, &[]).await?;
    let pids: Vec<String> = rows.iter().map(|row| row.get::<_, i32>(0).to_string()).collect();
    if pids.is_empty() {
        return Ok(());
    }
    // A backend may end meanwhile: `kill` fails for that one, and only for that one.
    let signal = |name: &str| Command::new("kill").arg(name).args(&pids).output();
    signal("-STOP").context("cannot run kill")?;
    tokio::time::sleep(lasts).await;
    signal("-CONT").context("cannot run kill")?;
    Ok(())
}

/// Holds what every placement needs, until all connections wait for it.
async fn lock_table(database_url: &str, lasts: Duration) -> Result<()> {
    let client = tables::connect(database_url).await?;
    let held = client
        .batch_execute("begin; lock table bets in exclusive mode")
        .await;
    // Postgres may be on its way down by another track's doing.
    if held.is_ok() {
        tokio::time::sleep(lasts).await;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
