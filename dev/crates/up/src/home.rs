//! The folder that lasts from one start to the next: `secrets.env`, `postgres/`, `line-provider/`, `log/`.
//!
//! Invariants: one `up` at a time holds it; secrets are made once, and only their owner may read them.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use shared_types::signature::Secret;

const OPERATOR_TOKEN: &str = "LINE_PROVIDER_OPERATOR_TOKEN";
const CALLBACK_SECRET: &str = "BET_MAKER_CALLBACK_SECRET";

pub struct Home {
    path: PathBuf,
    /// Held for as long as this program lives.
    _lock: File,
}

pub struct Secrets {
    pub operator_token: String,
    pub callback_secret: String,
}

impl Home {
    /// # Errors
    /// Another `up` holds it, or it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path.join("log"))
            .with_context(|| format!("cannot make {}", path.display()))?;
        let path = path.canonicalize()?;
        let lock = lock(&path.join("lock"))?;
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn line_provider_data(&self) -> PathBuf {
        self.path.join("line-provider")
    }

    /// A log of this start; the one of the start before is kept as `<name>.log.1`.
    pub fn new_log(&self, name: &str) -> Result<PathBuf> {
        let log = self.path.join("log").join(format!("{name}.log"));
        if log.exists() {
            std::fs::rename(&log, log.with_extension("log.1"))
                .with_context(|| format!("cannot rename {}", log.display()))?;
        }
        Ok(log)
    }

    /// The folder for Postgres. For root, Postgres runs as another user: if that one cannot get here (a project
    /// below /root), the data goes to /var/lib and a link to it lies here.
    pub fn postgres_data(&self) -> Result<PathBuf> {
        let folder = self.path.join("postgres");
        let we_are_root = std::fs::metadata("/proc/self")?.uid() == 0;
        if folder.exists() || !we_are_root || is_open_to_all(&self.path)? {
            return Ok(folder);
        }
        let elsewhere = tempfile::Builder::new()
            .prefix("dev-up-postgres-")
            .tempdir_in("/var/lib")
            .context("cannot make a folder for Postgres in /var/lib")?
            .keep();
        symlink(&elsewhere, &folder).with_context(|| format!("cannot link {}", folder.display()))?;
        Ok(folder)
    }

    pub fn secrets(&self) -> Result<Secrets> {
        let file = self.path.join("secrets.env");
        if !file.exists() {
            Secrets::generate()?.write(&file)?;
        }
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Secrets::parse(&text)
            .with_context(|| format!("{} is damaged; delete it for new ones", file.display()))
    }
}

impl Secrets {
    fn generate() -> Result<Self> {
        let mut token = [0; 24];
        let mut key = [0; 32];
        OsRng.try_fill_bytes(&mut token).context("no randomness")?;
        OsRng.try_fill_bytes(&mut key).context("no randomness")?;
        Ok(Self {
            operator_token: token.iter().map(|byte| format!("{byte:02x}")).collect(),
            callback_secret: Secret::from_bytes(&key)?.expose(),
        })
    }

    fn parse(text: &str) -> Result<Self> {
        let value = |name: &str| {
            let found = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found
                .map(str::to_owned)
                .with_context(|| format!("{name} is missing"))
        };
        Ok(Self {
            operator_token: value(OPERATOR_TOKEN)?,
            callback_secret: value(CALLBACK_SECRET)?,
        })
    }

    /// Under another name first, so that a file that is there is whole.
    fn write(&self, file: &Path) -> Result<()> {
        let unfinished = file.with_extension("new");
        let mut new = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&unfinished)
            .with_context(|| format!("cannot write {}", unfinished.display()))?;
        writeln!(new, "{OPERATOR_TOKEN}={}", self.operator_token)?;
        writeln!(new, "{CALLBACK_SECRET}={}", self.callback_secret)?;
        new.sync_all()?;
        std::fs::rename(&unfinished, file).with_context(|| format!("cannot write {}", file.display()))
    }
}

fn lock(file: &Path) -> Result<File> {
    let mut lock = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(file)
        .with_context(|| format!("cannot write {}", file.display()))?;
    match lock.try_lock() {
        Ok(()) => {
            lock.set_len(0)?;
            write!(lock, "{}", std::process::id())?;
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            lock.read_to_string(&mut holder)?;
            bail!("./dev/up runs already (process {holder}); stop it first by Ctrl-C or `kill {holder}`")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", file.display()))
        }
    }
}

/// Whether every user may pass through all folders down to this one.
fn is_open_to_all(folder: &Path) -> Result<bool> {
    for folder in folder.ancestors() {
        let mode = std::fs::metadata(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?
            .permissions()
            .mode();
        if mode & 0o001 == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let first = home.secrets().unwrap();
        let mode = std::fs::metadata(home.path().join("secrets.env"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(first.operator_token.len(), 48);
        first.callback_secret.parse::<Secret>().unwrap();
        let second = home.secrets().unwrap();
        assert_eq!(first.operator_token, second.operator_token);
        assert_eq!(first.callback_secret, second.callback_secret);
    }

    #[test]
    fn a_secrets_file_without_a_secret_is_refused_by_its_name() {
        let refusal = Secrets::parse("LINE_PROVIDER_OPERATOR_TOKEN=x\n").err().unwrap();
        assert_eq!(refusal.to_string(), "BET_MAKER_CALLBACK_SECRET is missing");
    }

    #[test]
    fn a_second_up_in_the_same_home_names_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Home::open(folder.path()).unwrap();
        let refusal = Home::open(folder.path()).err().unwrap().to_string();
        assert!(
            refusal.contains(&format!("process {}", std::process::id())),
            "{refusal}"
        );
    }

    #[test]
    fn a_folder_is_open_only_if_all_above_it_are() {
        let top = tempfile::tempdir().unwrap();
        let below = top.path().join("below");
        std::fs::create_dir(&below).unwrap();
        std::fs::set_permissions(&below, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(top.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_open_to_all(&below).unwrap());
        std::fs::set_permissions(top.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!is_open_to_all(&below).unwrap());
    }

    #[test]
    fn a_new_log_keeps_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let log = home.new_log("x").unwrap();
        std::fs::write(&log, "yesterday").unwrap();
        assert_eq!(home.new_log("x").unwrap(), log);
        assert!(!log.exists());
        assert_eq!(
            std::fs::read_to_string(home.path().join("log/x.log.1")).unwrap(),
            "yesterday"
        );
    }
}
