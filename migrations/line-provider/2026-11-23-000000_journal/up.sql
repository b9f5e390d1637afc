-- The journal: every change of every event, the subscriptions, and how far each subscription was served.
-- `changes` is the only truth about events; whatever else is known of them is derived from it at start.
-- Every row carries a CRC-32 over its own columns and the journal's instance.

-- "LPRJ": tells a journal from any other SQLite file.
pragma application_id = 1280332362;
-- The schema's version: a program that knows only lower ones refuses the file.
pragma user_version = 1;

create table journal (
    id integer primary key not null check (id = 1),
    instance blob not null,
    -- Microseconds since 1970, as are all times here.
    created_at integer not null,
    crc32 integer not null
) strict;

create table changes (
    -- From 1 without gaps, in the order of the decisions.
    position integer primary key not null,
    event_id text not null,
    revision integer not null,
    kind text not null,
    occurred_at integer not null,
    -- The event after the change, as JSON, as it is sent to readers.
    body text not null,
    -- Why a result was corrected.
    note text,
    crc32 integer not null
) strict;

create table subscriptions (
    id blob primary key not null,
    url text not null unique,
    -- Words separated by spaces; empty means all.
    event_types text not null,
    secret text not null,
    status text not null,
    disabled_reason text,
    created_at integer not null,
    updated_at integer not null,
    crc32 integer not null
) strict;

-- Apart from `subscriptions` because it is written about every second.
create table subscription_cursors (
    subscription_id blob primary key not null,
    cursor integer not null,
    crc32 integer not null
) strict, without rowid;
