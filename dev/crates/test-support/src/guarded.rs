//! A child process together with a guard: a shell that holds the other end of a pipe of ours.
//!
//! Invariant: when this process ends in any way, SIGKILL included, the kernel closes the pipe and the guard ends the
//! child. While we live, the guard also sends the signals that the standard library cannot (no unsafe code, no
//! libc). A child is reaped by us only, so its id cannot have been given to another process while we use it.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// What the guard does with the child when the process that started it is gone.
pub enum Orphan<'a> {
    /// SIGKILL at once: the services lose nothing by it.
    Kill,
    /// Postgres' fast shutdown, then `scratch` is removed.
    StopPostgres { pid_file: &'a Path, scratch: &'a Path },
}

const OBEY: &str =
    r#"trap "" INT TERM HUP; while read -r signal; do kill -s "$signal" "$1" 2>/dev/null; done; "#;
const KILL: &str = r#"kill -s KILL "$1" 2>/dev/null"#;
/// Waits for postmaster.pid to go rather than for the process: nobody may be there to reap an orphan.
const STOP_POSTGRES: &str = r#"kill -s INT "$1" 2>/dev/null; n=0
    while [ -e "$2" ] && kill -s 0 "$1" 2>/dev/null && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done
    rm -rf "$3""#;

#[derive(Debug)]
pub struct Guarded {
    child: Child,
    guard: Child,
    signals: Option<ChildStdin>,
    exit: Option<ExitStatus>,
}

impl Guarded {
    /// Both get process groups of their own, so that Ctrl-C in a terminal reaches only us, and we stop our
    /// children in our order.
    ///
    /// # Errors
    /// The program or `sh` cannot be started.
    pub fn spawn(command: &mut Command, orphan: &Orphan<'_>) -> Result<Self> {
        let program = command.get_program().to_os_string();
        let mut child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        match guard(child.id(), orphan) {
            Ok(mut guard) => {
                let signals = guard.stdin.take();
                Ok(Self {
                    child,
                    guard,
                    signals,
                    exit: None,
                })
            }
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, `"TERM"`; nothing happens if the child has ended.
    pub fn signal(&mut self, name: &str) {
        if self.exited().is_none()
            && let Some(signals) = &mut self.signals
        {
            // A guard that is gone cannot be written to; then Drop's SIGKILL remains.
            let _ = writeln!(signals, "{name}");
        }
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.child.try_wait().ok().flatten();
            if self.exit.is_some() {
                self.dismiss_guard();
            }
        }
        self.exit
    }

    /// SIGKILL, and waits until the child is gone.
    pub fn kill(&mut self) {
        if self.exited().is_none() {
            let _ = self.child.kill();
            self.exit = self.child.wait().ok();
            self.dismiss_guard();
        }
    }

    /// Sends the signal and blocks until the child has ended; SIGKILL when `patience` is over.
    pub fn stop(&mut self, signal: &str, patience: Duration) -> Option<ExitStatus> {
        self.signal(signal);
        let deadline = Instant::now() + patience;
        while self.exited().is_none() && Instant::now() < deadline {
            sleep(Duration::from_millis(5));
        }
        self.kill();
        self.exit
    }

    fn dismiss_guard(&mut self) {
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        self.signals = None;
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.kill();
    }
}

fn guard(child: u32, orphan: &Orphan<'_>) -> Result<Child> {
    let mut shell = Command::new("sh");
    match orphan {
        Orphan::Kill => shell.args(["-c", &[OBEY, KILL].concat(), "guard", &child.to_string()]),
        Orphan::StopPostgres { pid_file, scratch } => shell
            .args(["-c", &[OBEY, STOP_POSTGRES].concat(), "guard", &child.to_string()])
            .args([pid_file, scratch]),
    };
    shell
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("cannot start sh")
}
