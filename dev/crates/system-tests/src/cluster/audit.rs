//! What the judge needs to know of Postgres beyond its tables: which versions of an event bet-maker knew, which bets
//! were stored, and when each of these was committed. Triggers of our own, in a schema of our own.

use anyhow::Result;

use crate::evidence::tables;

/// The rows' own transaction ids give the moment of their commit.
const AUDIT: &str = "
    create schema audit;
    create table audit.versions (
        event_id text not null, generation integer not null, revision bigint not null, status smallint not null,
        closed_at timestamptz
    );
    create table audit.placements (bet_id uuid not null);
    create function audit.note_version() returns trigger language plpgsql as $$
    begin
        insert into audit.versions values (new.id, new.generation, new.revision, new.status, new.closed_at);
        return null;
    end $$;
    create function audit.note_placement() returns trigger language plpgsql as $$
    begin
        insert into audit.placements values (new.id);
        return null;
    end $$;
    create trigger audit_created after insert on events for each row execute function audit.note_version();
    create trigger audit_changed after update on events for each row
        when ((old.revision, old.status, old.closed_at) is distinct from (new.revision, new.status, new.closed_at))
        execute function audit.note_version();
    create trigger audit_placed after insert on bets for each row execute function audit.note_placement();
";

/// After the migrations, before the first event.
///
/// # Errors
/// The database refuses.
pub async fn install(database_url: &str) -> Result<()> {
    Ok(tables::connect(database_url).await?.batch_execute(AUDIT).await?)
}
