//! The nemesis: carries out a plan, each track on its own, and puts everything right behind each fault.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use awc::http::Method;
use serde_json::json;
use shared_types::Timestamp;
use test_support::{Client, Postgres, Service, poll_until};
use tokio::sync::watch;

use crate::cluster::process::{end, revive};
use crate::cluster::{Cluster, DiskFault, OPERATOR_TOKEN, Process};
use crate::evidence::tables;
use crate::harm::Harm;
use crate::history::{Call, Note, Outcome, Recorder};
use crate::plan::{Act, Blow, Fault, LinkGroup};
use crate::proxy::{Condition, Link};
use crate::weather::storm_for;
use crate::workload::Gate;

/// How long Postgres has to end in order before it is killed, as by an orchestrator.
const GRACE: Duration = Duration::from_secs(2);
const PROBE: Duration = Duration::from_secs(2);
/// As long as a failing disk is waited for.
const PROBING: Duration = Duration::from_secs(20);

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
    pub harm: RefCell<Harm>,
    /// Events made only to have something written.
    pub probes: Cell<usize>,
}

impl Nemesis {
    /// Carries out a track until it ends or `over` says so; the fault under way is put right first. What does not go as
    /// it must is for the judge.
    pub async fn carry_out(&self, track: Vec<Act>, mut over: watch::Receiver<bool>) {
        let mut is_storming = self.is_storming.clone();
        for Act { after, fault, lasts } in track {
            let weather = storm_for(&mut is_storming, after);
            tokio::select! {
                _ = weather => {}
                _ = over.wait_for(|over| *over) => return,
            }
            self.recorder.note(Note::Fault(fault.to_string()));
            if let Err(error) = self.strike(&fault, lasts).await {
                let wrong = format!("{fault}: {error:#}");
                self.harm.borrow_mut().wrongs.push(wrong);
            }
        }
    }

    fn count_ends(&self, ends: usize) {
        self.harm.borrow_mut().ends += ends;
    }

    async fn strike(&self, fault: &Fault, lasts: Duration) -> Result<()> {
        let cluster = &self.cluster;
        match fault {
            Fault::LineProvider(blow) => {
                let mut service = cluster.line_provider.service.lock().await;
                if deal(&mut service, *blow, lasts).await? {
                    self.count_ends(1);
                    cluster.begin_epoch();
                    revive(&mut service).await?;
                }
            }
            Fault::BetMaker(number, blow) => {
                let (process, _) = cluster.replicas.get(*number).context("no such replica")?;
                self.blow_at(process, *blow, lasts).await?;
            }
            Fault::Subscriber(number, blow) => {
                let subscriber = cluster.subscribers.get(*number).context("no such subscriber")?;
                self.blow_at(&subscriber.process, *blow, lasts).await?;
            }
            Fault::Rolling => {
                for (process, _) in &cluster.replicas {
                    self.blow_at(process, Blow::Terminate, Duration::from_millis(50))
                        .await?;
                }
            }
            Fault::Clock { replica, seconds } => self.set_clock_off(*replica, *seconds, lasts).await?,
            Fault::Postgres(Blow::Stop) => {
                let frozen = cluster.database.freeze()?;
                tokio::time::sleep(lasts).await;
                drop(frozen);
            }
            Fault::Postgres(Blow::Kill) => self.interrupt_postgres(Postgres::kill9, lasts).await?,
            Fault::Postgres(Blow::Terminate) => {
                self.interrupt_postgres(|postgres| postgres.terminate(GRACE), lasts)
                    .await?;
            }
            Fault::PostgresImmediate => self.interrupt_postgres(Postgres::stop_immediately, lasts).await?,
            Fault::LockedTable => {
                let waiting = lock_table(&cluster.database_url(), lasts).await?;
                let mut harm = self.harm.borrow_mut();
                harm.locked_sessions = harm.locked_sessions.max(waiting);
            }
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

    async fn blow_at(&self, process: &Process, blow: Blow, lasts: Duration) -> Result<()> {
        let mut service = process.service.lock().await;
        if deal(&mut service, blow, lasts).await? {
            self.count_ends(1);
            revive(&mut service).await?;
        }
        Ok(())
    }

    async fn interrupt_postgres(&self, end: fn(&mut Postgres), lasts: Duration) -> Result<()> {
        self.count_ends(1);
        self.cluster.database.interrupt(end, lasts).await
    }

    async fn set_clock_off(&self, replica: usize, seconds: i64, lasts: Duration) -> Result<()> {
        let (process, _) = self.cluster.replicas.get(replica).context("no such replica")?;
        let mut service = process.service.lock().await;
        let off = self.restart_with_clock(&mut service, seconds).await;
        tokio::time::sleep(lasts).await;
        // Put right whatever came of it.
        let right = self.restart_with_clock(&mut service, 0).await;
        off.and(right)
    }

    async fn restart_with_clock(&self, service: &mut Service, off_by_s: i64) -> Result<()> {
        end(service).await?;
        self.count_ends(1);
        crate::cluster::set_clock_off(service, off_by_s)?;
        revive(service).await?;
        crate::cluster::require_clock_off(service, off_by_s).await
    }

    async fn fail_disk(&self, fault: DiskFault, down: Duration) -> Result<()> {
        if !self.can_fail_disks {
            return Ok(());
        }
        let mut service = self.cluster.line_provider.service.lock().await;
        let probe = self.probe(service.url());
        let (status, ()) = tokio::join!(crate::cluster::fail_disk(&mut service, fault), probe);
        self.count_ends(1);
        if status?.success() {
            bail!("line-provider ended as if all were well");
        }
        tokio::time::sleep(down).await;
        self.cluster.begin_epoch();
        revive(&mut service).await
    }

    /// Has line-provider write something, whatever the operators do; what comes of it is unknown.
    async fn probe(&self, url: String) {
        let operator = Client::new(&url).with_bearer(OPERATOR_TOKEN);
        let deadline = Timestamp::now()
            .saturating_add(Duration::from_secs(3600))
            .to_string();
        let outlived = poll_until(PROBING, async || {
            let number = self.probes.get() + 1;
            self.probes.set(number);
            let (id, title, odds) = (format!("probe-{number}"), "a probe".to_owned(), "1.50".to_owned());
            let body = json!({"id": id, "title": title, "odds": odds, "deadline": deadline});
            let deadline = deadline.clone();
            let call = self.recorder.invoke(
                "nemesis",
                Call::CreateEvent {
                    id,
                    title,
                    odds,
                    deadline,
                },
            );
            let headers = [("content-type", "application/json")];
            let sent = operator.try_send(Method::POST, "/events", &headers, body.to_string().into_bytes());
            let sent = tokio::time::timeout(PROBE, sent).await;
            let why = "a probe".to_owned();
            self.recorder.returned(call, Outcome::Unknown { why });
            // It is gone once nobody answers.
            (!matches!(sent, Ok(Ok(_)))).then_some(())
        });
        // A service that outlives its disk is told of by whoever waits for its end.
        let _ = outlived.await;
    }

    /// Keeps a copy of the journal, lets more happen, serves the copy for a while, and brings the journal back. The
    /// operators wait meanwhile: what they say to a copy that goes away again would be lost by their own doing.
    async fn set_back(&self, lasts: Duration) -> Result<()> {
        let cluster = &self.cluster;
        let (journal, copy) = (cluster.journal(), cluster.folder.join("older-copy"));
        {
            let mut service = cluster.line_provider.service.lock().await;
            end(&mut service).await?;
            copy_folder(&journal, &copy)?;
            cluster.begin_epoch();
            revive(&mut service).await?;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let closed = self.operators.close().await;
        let mut service = cluster.line_provider.service.lock().await;
        self.recorder.note(Note::SetBack);
        for (folder, patience) in [(&copy, lasts), (&journal, Duration::ZERO)] {
            end(&mut service).await?;
            self.count_ends(1);
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
        let harmed_before = link.harmed();
        link.set(condition);
        tokio::time::sleep(lasts).await;
        if blinds {
            self.recorder.note(Note::Sighted { replica: number });
        }
        link.set(Condition::Clear);
        let harmed = link.harmed() - harmed_before;
        let mut harm = self.harm.borrow_mut();
        harm.idle += usize::from(harmed == 0);
        if condition == Condition::LoseCommitReply {
            harm.lost_commit_replies += harmed;
        }
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
        Blow::Terminate => end(service).await?,
    }
    tokio::time::sleep(lasts).await;
    Ok(true)
}

/// Holds what every placement needs, until all connections wait for it; how many waited in the end.
async fn lock_table(database_url: &str, lasts: Duration) -> Result<i64> {
    let client = tables::connect(database_url).await?;
    client
        .batch_execute("begin; lock table bets in exclusive mode")
        .await?;
    tokio::time::sleep(lasts).await;
    let waiting =
        "select count(distinct pid) from pg_locks where relation = 'bets'::regclass and not granted";
    Ok(client.query_one(waiting, &[]).await?.get(0))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
