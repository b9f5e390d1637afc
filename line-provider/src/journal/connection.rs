//! Connections to the journal's file: how SQLite is set up, and whether the file is one that we may touch.
//!
//! WAL with `synchronous=FULL`: a commit has reached the disk when it returns.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::error::JournalError;
use super::standing::Way;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/line-provider");
/// "LPRJ", as the first migration writes it.
const APPLICATION_ID: i64 = 1_280_332_362;
/// The `user_version` that the last migration writes.
pub(super) const SCHEMA_VERSION: i64 = 1;

#[derive(QueryableByName)]
struct Header {
    #[diesel(sql_type = BigInt)]
    application_id: i64,
    #[diesel(sql_type = BigInt)]
    user_version: i64,
    #[diesel(sql_type = BigInt)]
    tables: i64,
}

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    finding: String,
}

/// Opens the file for the writer: refuses what is not ours or newer, checks its structure, brings it up to date.
///
/// # Errors
/// [`JournalError::Foreign`], [`JournalError::Newer`], [`JournalError::Damaged`]; [`JournalError::Store`] where SQLite
/// fails.
pub(super) fn open_for_writing(file: &Path) -> Result<SqliteConnection, JournalError> {
    let mut connection = connect(file)?;
    let failed = |doing| move |source: diesel::result::Error| store_error(file, doing, source);
    let header = read_header(&mut connection, file)?;
    if !header.is_new() {
        header.check(file)?;
    }
    // Rows carry checksums; this finds what lies between them, such as a page that lost its last row.
    if let Some(what) = structure(&mut connection, file, Depth::Quick)?.into_iter().next() {
        return Err(JournalError::Damaged {
            file: file.to_owned(),
            what,
        });
    }
    connection
        // SQLite's own checkpoint would keep its failures to itself; see `checkpoint_in_passing`.
        .batch_execute(
            "pragma journal_mode = wal; pragma journal_size_limit = 67108864; pragma wal_autocheckpoint = 0",
        )
        .map_err(failed("cannot set up the log of"))?;
    connection
        .run_pending_migrations(MIGRATIONS)
        .map_err(|source| JournalError::Store {
            file: file.to_owned(),
            doing: "cannot bring up to date",
            source,
        })?;
    Ok(connection)
}

/// A connection that cannot write. Not even when it is closed: as the last one of a file that it may write, it would
/// sync it and remove the write-ahead log, also after the writer's sync had failed.
pub(super) fn open_for_reading(file: &Path) -> Result<SqliteConnection, JournalError> {
    let connection = establish(file, |path| format!("file:{}?mode=ro", encoded(path)))?;
    set_up(connection, file)
}

/// Copies what the write-ahead log holds into the file itself as far as readers let it, waiting for none, so that the
/// next commit can begin the log again.
pub(super) fn checkpoint_in_passing(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("pragma wal_checkpoint(passive)")
}

/// Moves what the write-ahead log holds into the file itself.
pub(super) fn checkpoint(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("pragma wal_checkpoint(truncate)")
}

pub(super) fn store_error(file: &Path, doing: &'static str, source: diesel::result::Error) -> JournalError {
    JournalError::Store {
        file: file.to_owned(),
        doing,
        source: source.into(),
    }
}

/// A connection that may write.
fn connect(file: &Path) -> Result<SqliteConnection, JournalError> {
    set_up(establish(file, str::to_owned)?, file)
}

fn set_up(mut connection: SqliteConnection, file: &Path) -> Result<SqliteConnection, JournalError> {
    // The folder's lock keeps other writers out; an operator's backup may hold the file for a moment.
    connection
        .batch_execute("pragma busy_timeout = 1000; pragma synchronous = full; pragma cell_size_check = on")
        .map_err(|source| store_error(file, "cannot open", source))?;
    Ok(connection)
}

/// Opens the file under the name that `named` makes of its path.
fn establish(file: &Path, named: impl FnOnce(&str) -> String) -> Result<SqliteConnection, JournalError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| JournalError::Store {
        file: file.to_owned(),
        doing: "cannot open",
        source,
    };
    let path = file
        .to_str()
        .ok_or_else(|| failed("its path is not UTF-8".into()))?;
    SqliteConnection::establish(&named(path)).map_err(|error| failed(error.into()))
}

/// A connection that alters nothing in the journal's folder, in one read transaction: all it reads is of one moment.
///
/// # Errors
/// [`JournalError::Foreign`], [`JournalError::Newer`], [`JournalError::Older`]; [`JournalError::Store`] where SQLite
/// fails.
pub(super) fn open_for_verifying(file: &Path, way: Way) -> Result<SqliteConnection, JournalError> {
    let (parameters, locking) = match way {
        Way::Shared => ("mode=ro", "normal"),
        // Exclusive keeps the index of the write-ahead log in memory.
        Way::Alone => ("mode=ro&vfs=unix-none", "exclusive"),
        Way::Unchanging => ("mode=ro&immutable=1", "normal"),
    };
    let mut connection = establish(file, |path| format!("file:{}?{parameters}", encoded(path)))?;
    connection
        .batch_execute(&format!(
            "pragma locking_mode = {locking}; pragma busy_timeout = 1000; pragma query_only = on; \
             pragma cell_size_check = on; begin"
        ))
        .map_err(|source| store_error(file, "cannot open for reading", source))?;
    let header = read_header(&mut connection, file)?;
    header.check(file)?;
    if header.user_version < SCHEMA_VERSION {
        return Err(JournalError::Older {
            file: file.to_owned(),
            found: header.user_version,
            known: SCHEMA_VERSION,
        });
    }
    Ok(connection)
}

fn read_header(connection: &mut SqliteConnection, file: &Path) -> Result<Header, JournalError> {
    diesel::sql_query(
        "select application_id, user_version, (select count(*) from sqlite_schema \
         where tbl_name <> '__diesel_schema_migrations') as tables \
         from pragma_application_id, pragma_user_version",
    )
    .get_result(connection)
    .map_err(|source| store_error(file, "cannot read the header of", source))
}

impl Header {
    /// The first start may have been cut off after diesel made its own table.
    const fn is_new(&self) -> bool {
        self.application_id == 0 && self.user_version == 0 && self.tables == 0
    }

    /// Whether the file is ours, of a schema that is not newer than ours.
    fn check(&self, file: &Path) -> Result<(), JournalError> {
        if self.application_id != APPLICATION_ID {
            return Err(JournalError::Foreign {
                file: file.to_owned(),
            });
        }
        if self.user_version > SCHEMA_VERSION {
            return Err(JournalError::Newer {
                file: file.to_owned(),
                found: self.user_version,
                known: SCHEMA_VERSION,
            });
        }
        Ok(())
    }
}

/// How closely the structure is looked at.
#[derive(Clone, Copy)]
pub(super) enum Depth {
    Quick,
    /// Indexes against their tables too.
    Full,
}

/// What SQLite finds wrong with the file.
///
/// # Errors
/// [`JournalError::Store`] where it cannot even look.
pub(super) fn structure(
    connection: &mut SqliteConnection,
    file: &Path,
    depth: Depth,
) -> Result<Vec<String>, JournalError> {
    let query = match depth {
        Depth::Quick => "select quick_check as finding from pragma_quick_check",
        Depth::Full => "select integrity_check as finding from pragma_integrity_check",
    };
    let findings: Vec<Finding> = diesel::sql_query(query)
        .load(connection)
        .map_err(|source| store_error(file, "cannot check the structure of", source))?;
    let findings = findings.into_iter().map(|found| found.finding);
    Ok(findings.filter(|finding| finding != "ok").collect())
}

/// A path as a URI takes it.
fn encoded(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}
