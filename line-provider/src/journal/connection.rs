//! Connections to the journal's file: how SQLite is set up, and whether the file is one that we may touch.
//!
//! WAL with `synchronous=FULL`: a commit has reached the disk when it returns.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::error::JournalError;

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
    quick_check: String,
}

/// Opens the file for the writer: refuses what is not ours or newer, checks its structure, brings it up to date.
///
/// # Errors
/// [`JournalError::Foreign`], [`JournalError::Newer`], [`JournalError::Damaged`]; [`JournalError::Store`] where SQLite
/// fails.
pub(super) fn open_for_writing(file: &Path) -> Result<SqliteConnection, JournalError> {
    let mut connection = connect(file)?;
    let failed = |doing| move |source: diesel::result::Error| store_error(file, doing, source);
    let header: Header = diesel::sql_query(
        "select application_id, user_version, (select count(*) from sqlite_schema \
         where tbl_name <> '__diesel_schema_migrations') as tables \
         from pragma_application_id, pragma_user_version",
    )
    .get_result(&mut connection)
    .map_err(failed("cannot read the header of"))?;
    // The first start may have been cut off after diesel made its own table.
    let is_new = header.application_id == 0 && header.user_version == 0 && header.tables == 0;
    if !is_new && header.application_id != APPLICATION_ID {
        return Err(JournalError::Foreign {
            file: file.to_owned(),
        });
    }
    if header.user_version > SCHEMA_VERSION {
        return Err(JournalError::Newer {
            file: file.to_owned(),
            found: header.user_version,
            known: SCHEMA_VERSION,
        });
    }
    check_structure(&mut connection, file)?;
    connection
        .batch_execute("pragma journal_mode = wal; pragma journal_size_limit = 67108864")
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

/// A connection that cannot write.
pub(super) fn open_for_reading(file: &Path) -> Result<SqliteConnection, JournalError> {
    let mut connection = connect(file)?;
    connection
        .batch_execute("pragma query_only = on")
        .map_err(|source| store_error(file, "cannot open for reading", source))?;
    Ok(connection)
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

fn connect(file: &Path) -> Result<SqliteConnection, JournalError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| JournalError::Store {
        file: file.to_owned(),
        doing: "cannot open",
        source,
    };
    let path = file
        .to_str()
        .ok_or_else(|| failed("its path is not UTF-8".into()))?;
    let mut connection = SqliteConnection::establish(path).map_err(|error| failed(error.into()))?;
    // The folder's lock keeps other writers out; an operator's backup may hold the file for a moment.
    connection
        .batch_execute("pragma busy_timeout = 1000; pragma synchronous = full; pragma cell_size_check = on")
        .map_err(|error| failed(error.into()))?;
    Ok(connection)
}

/// Rows carry checksums; this finds what lies between them, such as a page that lost its last row.
fn check_structure(connection: &mut SqliteConnection, file: &Path) -> Result<(), JournalError> {
    let findings: Vec<Finding> = diesel::sql_query("select quick_check from pragma_quick_check")
        .load(connection)
        .map_err(|source| store_error(file, "cannot check the structure of", source))?;
    match findings.into_iter().find(|finding| finding.quick_check != "ok") {
        None => Ok(()),
        Some(finding) => Err(JournalError::Damaged {
            file: file.to_owned(),
            what: finding.quick_check,
        }),
    }
}
