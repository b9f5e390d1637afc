//! The user that a Postgres runs as. Postgres refuses root, so root picks the owner of a folder that already holds
//! data, else `postgres`, else `nobody`; anybody else stays who they are.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::close_to_others;

#[derive(Clone, Debug)]
pub(super) struct Account {
    /// `None`: as we are.
    drop_to: Option<(u32, u32)>,
}

impl Account {
    pub(super) fn choose(kept: Option<&Path>) -> Result<Self> {
        // The owner of /proc/self is our effective user.
        let we = std::fs::metadata("/proc/self").context("cannot read /proc/self")?;
        if we.uid() != 0 {
            return Ok(Self { drop_to: None });
        }
        if let Some(data) = kept.and_then(|folder| std::fs::metadata(folder.join("data")).ok())
            && data.uid() != 0
        {
            return Ok(Self {
                drop_to: Some((data.uid(), data.gid())),
            });
        }
        let users = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        match find_user(&users, "postgres").or_else(|| find_user(&users, "nobody")) {
            Some(ids) => Ok(Self { drop_to: Some(ids) }),
            None => bail!("Postgres refuses to run as root, and there is neither a user postgres nor nobody"),
        }
    }

    /// Gives a folder to this account and closes it to all others.
    pub(super) fn give(&self, folder: &Path) -> Result<()> {
        close_to_others(folder, self.drop_to)
    }

    /// A command that runs as this account, in `folder`, with none of libpq's variables.
    pub(super) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        if let Some((uid, gid)) = self.drop_to {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Whether this account may enter the folder: the data of a project below /root is out of its reach.
    pub(super) fn can_enter(&self, folder: &Path) -> bool {
        let mut test = self.command(Path::new("sh"), Path::new("/"));
        test.args(["-c", r#"test -w "$1" && test -x "$1""#, "sh"])
            .arg(folder);
        test.status().is_ok_and(|status| status.success())
    }
}

/// The user's and its group's id in a text of the form of /etc/passwd.
fn find_user(users: &str, name: &str) -> Option<(u32, u32)> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        Some((uid, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::find_user;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users =
            "root:x:0:0:root:/root:/bin/bash\npostgres2:x:7:8::/:\npostgres:x:101:104:a,b:/var:/bin/sh\n";
        assert_eq!(find_user(users, "postgres"), Some((101, 104)));
        assert_eq!(find_user(users, "nobody"), None);
    }
}
