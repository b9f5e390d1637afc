//! The process: opens the journal as line-provider does, carries out steps of a script through the writer, and says on
//! its standard output what was acknowledged, line by line.
//!
//! The first thread opens, decides, writes and closes. A second one asks and prints; it touches no file. What may share
//! a commit is handed in while the first thread stands in the clock, so that batches are the same each time.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::future::{join, join_all};
use line_provider::clock::Clock;
use line_provider::journal::Journal;
use line_provider::writer::{ReadModels, SubscriptionCommand, SubscriptionRefusal, Writer, WriterError};
use shared_types::SubscriptionId;
use uuid::Uuid;

use crate::script::{Act, Script, moment};
use crate::told::Told;

/// Before the steps: what the journal told when it was opened, `opened <instance> <JSON>`.
pub const OPENED: &str = "opened";
/// After each step: `acknowledged <steps so far>`.
pub const ACKNOWLEDGED: &str = "acknowledged";

const READER_PATIENCE: Duration = Duration::from_secs(10);

/// Opens the journal in `folder`, carries out those steps, and closes it in order.
///
/// # Errors
/// The journal cannot be opened or written, or a step is refused.
pub fn run(folder: &Path, script: Script, steps: Range<usize>) -> Result<()> {
    let (journal, contents) = Journal::open(folder, Uuid::now_v7(), moment(0))?;
    let read_models = ReadModels::of(&journal, &contents)?;
    let told = Told::of(&contents, &read_models.log);
    say(&format!("{OPENED} {} {}", told.instance, told.content))?;
    let (clock, gate) = gated_clock();
    let (writer, decider) = Writer::new(journal, contents, clock, read_models);
    let asking = thread::Builder::new()
        .name("asking".to_owned())
        .spawn(move || ask(&writer, &gate, script, steps))?;
    let written = decider.run();
    let asked = asking.join().map_err(|_| anyhow!("the asking thread panicked"))?;
    written.context("the journal failed")?;
    asked?;
    // The reading thread closes the file by itself once nobody is left to ask it; the process must not end before.
    thread::spawn(wait_for_reader)
        .join()
        .map_err(|_| anyhow!("the waiting thread panicked"))?
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Where the asking thread holds the deciding one while it hands in a batch.
struct Gate {
    step: Arc<AtomicUsize>,
    armed: Arc<AtomicBool>,
    entered: Receiver<()>,
    release: Sender<()>,
}

fn gated_clock() -> (Clock, Gate) {
    let (step, armed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let (enter, entered) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let gate = Gate {
        step: Arc::clone(&step),
        armed: Arc::clone(&armed),
        entered,
        release,
    };
    let held = Mutex::new((enter, released));
    let clock = Clock::new(move || {
        if armed.swap(false, Ordering::SeqCst) {
            let (enter, released) = &*held.lock().unwrap_or_else(PoisonError::into_inner);
            // A failure of either means that the asking thread has ended, and nothing is to be waited for.
            let _ = enter.send(()).map(|()| released.recv());
        }
        moment(step.load(Ordering::SeqCst))
    });
    (clock, gate)
}

fn ask(writer: &Writer, gate: &Gate, script: Script, steps: Range<usize>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        for (number, acts) in script.steps().into_iter().enumerate() {
            if !steps.contains(&number) {
                continue;
            }
            gate.step.store(number, Ordering::SeqCst);
            carry_out(writer, gate, acts).await?;
            say(&format!("{ACKNOWLEDGED} {}", number + 1))?;
        }
        writer.stop().await;
        Ok(())
    })
}

/// Has the acts decided in one batch.
async fn carry_out(writer: &Writer, gate: &Gate, acts: Vec<Act>) -> Result<()> {
    let is_silent = acts.iter().all(|act| matches!(act, Act::Cursors(_)));
    gate.armed.store(true, Ordering::SeqCst);
    let batch = async {
        gate.entered.recv().context("the writer has ended")?;
        let acts = join_all(acts.into_iter().map(|act| act_on(writer, act)));
        let (acts, released) = join(acts, async { gate.release.send(()) }).await;
        released.context("the writer has ended")?;
        acts.into_iter().collect::<Result<()>>()
    };
    // While nothing is decided, the rest is handed in.
    let (nothing, done) = join(ask_nothing(writer), batch).await;
    nothing?;
    done?;
    // That cursors were saved is told by nothing else than that the writer goes on. Everything else counts as soon as it
    // is answered.
    match is_silent {
        true => ask_nothing(writer).await,
        false => Ok(()),
    }
}

/// A command that changes nothing.
async fn ask_nothing(writer: &Writer) -> Result<()> {
    let id = SubscriptionId::from_uuid(Uuid::nil());
    match writer.subscription(SubscriptionCommand::Unsubscribe { id }).await {
        Err(WriterError::Refused(SubscriptionRefusal::NotFound)) => Ok(()),
        other => bail!("instead of being refused: {other:?}"),
    }
}

async fn act_on(writer: &Writer, act: Act) -> Result<()> {
    match act {
        Act::Event(command) => drop(writer.event(command, None).await?),
        Act::Subscription(command) => match writer.subscription(command).await {
            // It was carried out before the run was cut off.
            Ok(_) | Err(WriterError::Refused(SubscriptionRefusal::NotFound)) => {}
            Err(error) => return Err(error.into()),
        },
        Act::Cursors(cursors) => writer.save_cursors(cursors).await,
    }
    Ok(())
}

/// Waits until this process has no thread that reads the journal.
fn wait_for_reader() -> Result<()> {
    let deadline = Instant::now() + READER_PATIENCE;
    loop {
        let mut reading = false;
        for task in std::fs::read_dir("/proc/self/task")? {
            // A thread may end between being listed and being looked at.
            let name = std::fs::read_to_string(task?.path().join("comm")).unwrap_or_default();
            reading |= name.trim() == "journal-reader";
        }
        if !reading {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the journal's reader has not ended");
        }
        thread::yield_now();
    }
}
