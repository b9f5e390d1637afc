//! A copy of the tree to plant bugs in, with a build folder of its own. Both stay, so that the next bug costs the two
//! services only; files that are as they were are not touched, so that nothing else is built again.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail, ensure};

use super::Bug;

/// Compiled dependencies are found in these folders of a build. Compiled files are replaced, never written into, so that
/// gigabytes of them can be shared.
const WARM: [(&str, &str); 3] = [("deps", "-al"), ("build", "-a"), (".fingerprint", "-a")];

pub(super) struct Scratch {
    /// Held for as long as this value lives.
    #[expect(dead_code, reason = "it is held, not read")]
    lock: File,
    tree: PathBuf,
    target: PathBuf,
}

impl Scratch {
    /// Copies what git knows of the tree, and what it would take: the tree as it is, not as it was committed.
    pub(super) fn make() -> Result<Self> {
        let root = root()?;
        // Beside this program's own build, which is never committed.
        let program = std::env::current_exe().context("cannot tell where this program is")?;
        let profile = program
            .ancestors()
            .find(|folder| {
                folder.file_name() == Some(OsStr::new("debug"))
                    || folder.file_name() == Some(OsStr::new("release"))
            })
            .context("this program does not lie in a build folder")?;
        let folder = profile.with_file_name("planted");
        let scratch = Self {
            lock: Self::lock(&folder)?,
            tree: folder.join("tree"),
            target: folder.join("target"),
        };
        scratch.copy_tree(&root)?;
        scratch.warm_up(profile)?;
        Ok(scratch)
    }

    /// Whether the bug's patch applies.
    pub(super) fn takes(&self, bug: &Bug) -> bool {
        self.apply(&bug.file, &["--check"]).is_ok()
    }

    /// The services with that bug, built; the copy is clean again afterwards.
    pub(super) fn build_with(&self, bug: &Bug) -> Result<PathBuf> {
        self.apply(&bug.file, &[])
            .with_context(|| format!("{} does not apply any more", bug.name))?;
        let built = self.build();
        self.apply(&bug.file, &["--reverse"])?;
        built.with_context(|| format!("{} does not build", bug.name))?;
        Ok(self.target.join("debug"))
    }

    /// One at a time works on the copy.
    fn lock(folder: &Path) -> Result<File> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock().context("cannot lock the copy of the tree")?;
        Ok(lock)
    }

    fn copy_tree(&self, root: &Path) -> Result<()> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output();
        let listed = succeeded(listed, "git ls-files")?;
        let mut wanted = HashSet::new();
        for name in listed
            .stdout
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
        {
            let name = PathBuf::from(std::str::from_utf8(name).context("names of files are UTF-8")?);
            let (from, to) = (root.join(&name), self.tree.join(&name));
            // Listed, and deleted since.
            let Ok(content) = std::fs::read(&from) else {
                continue;
            };
            if std::fs::read(&to).ok().as_ref() != Some(&content) {
                std::fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
                std::fs::write(&to, content).with_context(|| format!("cannot write {}", to.display()))?;
            }
            wanted.insert(to);
        }
        remove_others(&self.tree, &wanted)
    }

    /// Takes over the dependencies that are compiled already.
    fn warm_up(&self, profile: &Path) -> Result<()> {
        let debug = self.target.join("debug");
        if debug.exists() || profile.file_name() != debug.file_name() {
            return Ok(());
        }
        std::fs::create_dir_all(&debug)?;
        for (folder, how) in WARM {
            let copied = Command::new("cp")
                .arg(how)
                .arg(profile.join(folder))
                .arg(&debug)
                .output();
            succeeded(copied, "cp")?;
        }
        Ok(())
    }

    fn apply(&self, patch: &Path, options: &[&str]) -> Result<()> {
        let applied = Command::new("git")
            .arg("apply")
            .args(options)
            .arg(patch)
            .current_dir(&self.tree)
            // The copy is no checkout, although it may lie within one.
            .env(
                "GIT_CEILING_DIRECTORIES",
                self.tree.parent().unwrap_or(&self.tree),
            )
            .output();
        succeeded(applied, "git apply").map(|_| ())
    }

    fn build(&self) -> Result<()> {
        let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args([
                "build",
                "--locked",
                "--quiet",
                "-p",
                "line-provider",
                "-p",
                "bet-maker",
            ])
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .output();
        succeeded(built, "cargo build").map(|_| ())
    }
}

fn root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let root = root
        .canonicalize()
        .context("the tree that this program was built from is gone")?;
    ensure!(
        root.join("Cargo.lock").is_file(),
        "{} is no workspace",
        root.display()
    );
    Ok(root)
}

fn remove_others(folder: &Path, wanted: &HashSet<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, wanted)?;
        } else if !wanted.contains(&path) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn succeeded(output: std::io::Result<Output>, what: &str) -> Result<Output> {
    let output = output.with_context(|| format!("cannot run {what}"))?;
    if !output.status.success() {
        bail!(
            "{what} failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output)
}
