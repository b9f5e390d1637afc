//! A server that hangs: its processes are stopped, its sockets stay open, and whoever asks hears nothing.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// First the postmaster, so that it starts nobody any more; then its children. Both go on when the pipe closes, also
/// because we were killed.
const FREEZE: &str = r#"kill -s STOP "$1" || exit 1
    all="$1"
    for stat in /proc/[0-9]*/stat; do
        read -r line < "$stat" 2>/dev/null || continue
        set -- $1 ${line##*) }
        [ "$3" = "$1" ] && { pid=${stat#/proc/}; all="$all ${pid%/stat}"; }
    done
    kill -s STOP $all; echo frozen; read -r end; kill -s CONT $all"#;

/// While it lives, the server hangs.
#[derive(Debug)]
pub struct Frozen {
    shell: Child,
}

impl Frozen {
    pub(super) fn new(postmaster: u32) -> Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", FREEZE, "freeze", &postmaster.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        let mut said = String::new();
        if let Some(output) = shell.stdout.take() {
            BufReader::new(output).read_line(&mut said)?;
        }
        let frozen = Self { shell };
        if said.trim() != "frozen" {
            bail!("Postgres cannot be stopped by a signal");
        }
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
