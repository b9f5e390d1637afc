//! Finds Postgres' programs: the folder in `PG_BIN`, then Debian's `/usr/lib/postgresql/<major>/bin`, newest first
//! (or the one that matches a kept folder), then `PATH`.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

const DEBIAN: &str = "/usr/lib/postgresql";

/// `major` is the version that a kept folder was made by: no other can read it.
pub(super) fn find(major: Option<&str>) -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("PG_BIN") {
        let folder = PathBuf::from(folder);
        if !is_complete(&folder) {
            bail!(
                "PG_BIN is {}, but initdb and postgres are not there",
                folder.display()
            );
        }
        return Ok(folder);
    }
    let installed = installed_majors(Path::new(DEBIAN));
    let on_path = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    if let Some(major) = major
        && !installed.is_empty()
    {
        let folder = Path::new(DEBIAN).join(major).join("bin");
        if !is_complete(&folder) {
            bail!(
                "the data was made by PostgreSQL {major}, which is not installed; install it, or name its programs' \
                 folder in PG_BIN"
            );
        }
        return Ok(folder);
    }
    let debian = installed
        .iter()
        .map(|major| Path::new(DEBIAN).join(major.to_string()).join("bin"));
    match debian.chain::<Vec<_>>(on_path).find(|folder| is_complete(folder)) {
        Some(folder) => Ok(folder),
        None => bail!(
            "no PostgreSQL found: install it (`apt-get install postgresql`), or name its folder in PG_BIN"
        ),
    }
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

/// Newest first, as numbers: 9 is older than 15.
fn installed_majors(root: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    let mut majors: Vec<u32> = entries
        .flatten()
        .filter(|entry| is_complete(&entry.path().join("bin")))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    majors.sort_by_key(|major| Reverse(*major));
    majors
}

#[cfg(test)]
mod tests {
    use super::installed_majors;

    #[test]
    fn the_newest_version_comes_first_by_number_and_half_installed_ones_do_not_count() {
        let root = tempfile::tempdir().unwrap();
        for (major, programs) in [
            ("9", ["initdb", "postgres"]),
            ("15", ["initdb", "postgres"]),
            ("17", ["psql", "initdb"]),
        ] {
            let bin = root.path().join(major).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            for program in programs {
                std::fs::write(bin.join(program), "").unwrap();
            }
        }
        assert_eq!(installed_majors(root.path()), [15, 9]);
    }
}
