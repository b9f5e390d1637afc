//! One run: load with faults, heal, quiet, judge.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cluster::{self, Cluster};
use crate::evidence::{Evidence, Resources, measure, wait_until_quiet, wait_until_settled};
use crate::harm::Harm;
use crate::history::{History, Recorder};
use crate::judge::Verdict;
use crate::nemesis::Nemesis;
use crate::plan::{Kind, Plan};
use crate::progress::Progress;
use crate::proxy::Condition;
use crate::report::Figures;
use crate::weather;
use crate::workload::{Crowd, Gate, Workload};

/// Load without faults, before what the processes hold is measured.
const WARM_UP: Duration = Duration::from_secs(3);
/// Longer than a statement that lost its client takes to end.
const QUIET: Duration = Duration::from_secs(5);
const WATCH_EVERY: Duration = Duration::from_millis(100);
/// For what was begun to be answered once everything is healed.
const LAST_ANSWERS: Duration = Duration::from_secs(90);

/// The quiet time T, after which nothing may be left to settle: reading the log (1 s), a unit of work that was hung
/// up (25 s) and its event being spared (30 s), and the bets at a rate that a busy machine keeps.
fn quiet_time(bets: u64) -> Duration {
    const SETTLED_PER_S: u64 = 2000;
    Duration::from_secs(1 + 25 + 30 + bets / SETTLED_PER_S)
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    pub load: Duration,
    pub kinds: Vec<Kind>,
    pub crowd: Crowd,
    /// Empty or absent.
    pub folder: PathBuf,
    /// Where the services' binaries are; by default those of this build.
    pub binaries: Option<PathBuf>,
}

/// What came of it.
pub struct Judged {
    pub verdict: Verdict,
    pub figures: Figures,
}

/// Plays the plan of the seed and judges.
///
/// # Errors
/// The attack could not be carried out. What the judge finds is no error.
pub async fn run(options: Options, progress: &Progress) -> Result<Judged> {
    let Options {
        seed,
        load,
        kinds,
        crowd,
        folder,
        binaries,
    } = options;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let plan = Plan::draw(seed, load, &kinds);
    std::fs::write(folder.join("plan.txt"), plan.to_string())?;
    if kinds.contains(&Kind::Clocks) {
        cluster::clock_library()?;
    }
    let can_fail_disks = kinds.contains(&Kind::Disk) && cluster::disk_faults_are_permitted().await?;
    if kinds.contains(&Kind::Disk) && !can_fail_disks {
        progress
            .tell("this machine does not let strace attach: the journal's disk does not fail in this run");
    }

    progress.phase("starting", None);
    let cluster = Rc::new(Cluster::start(&folder, binaries.as_deref()).await?);
    let history_file = folder.join("history.jsonl");
    let recorder = Rc::new(Recorder::create(&history_file)?);
    let (over, is_over) = watch::channel(false);
    let gate = Gate::default();
    let workload = Workload::start(
        seed,
        crowd,
        addresses(&cluster),
        Rc::clone(&recorder),
        gate.clone(),
        is_over.clone(),
    );
    progress.phase("load without faults", Some(WARM_UP));
    tokio::time::sleep(WARM_UP).await;
    let before = measure_all(&cluster).await?;

    let (storming, is_storming) = watch::channel(true);
    let nemesis = Rc::new(Nemesis {
        cluster: Rc::clone(&cluster),
        recorder: Rc::clone(&recorder),
        operators: gate,
        can_fail_disks,
        is_storming,
        harm: RefCell::new(Harm::default()),
        probes: Cell::default(),
    });
    let watching = watch_over(&cluster);
    progress.phase("load with faults", Some(load));
    let is_deaf = kinds.contains(&Kind::NoCallbacks);
    set_links(&cluster, is_deaf);
    tokio::select! {
        attacked = attack(&nemesis, plan, load, &over, &is_over) => attacked?,
        () = weather::change(storming) => {}
    }

    progress.phase("healing", None);
    set_links(&cluster, is_deaf);
    let mut harm = nemesis.harm.take();
    let mut not_healed = std::mem::take(&mut harm.wrongs);
    for healed in [
        cluster.wait_until_ready().await,
        workload.finish(LAST_ANSWERS).await,
    ] {
        not_healed.extend(healed.err().map(|error| format!("{error:#}")));
    }
    recorder.flush()?;
    let history = History::read(&history_file)?;
    let figures = Figures::of(&history);
    let patience = quiet_time(figures.bets);
    progress.phase("coming to rest", None);
    let rest = wait_until_settled(&cluster, patience).await?;
    let quiet = wait_until_quiet(&cluster, QUIET, patience).await;
    not_healed.extend(quiet.err().map(|error| format!("{error:#}")));
    drop(watching);

    progress.phase("judging", None);
    let rest_s = rest.map(|rest| rest.as_secs_f64());
    let evidence = Evidence::collect(&cluster, history, &before, rest_s, not_healed).await?;
    evidence.keep(&folder)?;
    let verdict = Verdict::of(&evidence);
    let figures = Figures {
        harm,
        ..figures.with(&evidence, can_fail_disks)
    };
    std::fs::write(folder.join("verdict.txt"), format!("{figures}{verdict}"))?;
    Ok(Judged { verdict, figures })
}

/// Clears all links, but for those of bet-makers' callbacks where these are lost for good.
fn set_links(cluster: &Cluster, is_deaf: bool) {
    for link in cluster.links() {
        link.set(Condition::Clear);
    }
    for (_, links) in cluster.replicas.iter().filter(|_| is_deaf) {
        links.callbacks.set(Condition::Reset);
    }
}

/// All tracks until the time is over.
async fn attack(
    nemesis: &Rc<Nemesis>,
    plan: Plan,
    load: Duration,
    over: &watch::Sender<bool>,
    is_over: &watch::Receiver<bool>,
) -> Result<()> {
    let mut tracks = JoinSet::new();
    for track in plan.tracks {
        let (nemesis, is_over) = (Rc::clone(nemesis), is_over.clone());
        tracks.spawn_local(async move { nemesis.carry_out(track, is_over).await });
    }
    tokio::time::sleep(load).await;
    over.send_replace(true);
    while let Some(ended) = tracks.join_next().await {
        ended?;
    }
    Ok(())
}

/// Starts again whatever ends unasked, as a container's restart policy does, until it is dropped.
fn watch_over(cluster: &Rc<Cluster>) -> JoinSet<()> {
    let mut watching = JoinSet::new();
    for process in cluster.processes() {
        let (process, cluster) = (Rc::clone(process), Rc::clone(cluster));
        watching.spawn_local(async move {
            loop {
                tokio::time::sleep(WATCH_EVERY).await;
                let begin_epoch = || cluster.begin_epoch();
                if let Err(error) = process.look_after(begin_epoch).await {
                    process.unasked_ends.borrow_mut().push(format!("{error:#}"));
                }
            }
        });
    }
    watching
}

async fn measure_all(cluster: &Cluster) -> Result<HashMap<String, Resources>> {
    let mut measured = HashMap::new();
    for process in cluster.processes() {
        let holds = measure(process)
            .await
            .with_context(|| format!("{} cannot be measured", process.name))?;
        measured.insert(process.name.clone(), holds);
    }
    Ok(measured)
}

fn addresses(cluster: &Cluster) -> crate::workload::Addresses {
    crate::workload::Addresses {
        line_provider: cluster.operators.url(),
        replicas: cluster
            .replicas
            .iter()
            .map(|(_, links)| links.bettors.url())
            .collect(),
        operator_token: cluster::OPERATOR_TOKEN.to_owned(),
    }
}

/// A folder of one's own for a seed.
pub fn folder_of(root: &Path, seed: u64) -> PathBuf {
    root.join(format!("seed-{seed}"))
}
