-- Money is in cents, odds in hundredths. Statuses are small integers; src/store/codes.rs holds their meaning.

-- What bet-maker knows of line-provider's events: the newest revision of each.
create table events (
    id text collate "C" primary key,
    title text not null,
    odds integer not null check (odds between 1 and 1000000),
    deadline timestamptz not null,
    status smallint not null check (status between 0 and 3),
    revision bigint not null check (revision > 0),
    -- The history that the revision counts in: goes up with each other log that is compared with it.
    generation integer not null,
    closed_at timestamptz check (closed_at is not null or status = 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- Counts the results seen of this event; settlement is due while settled_seq lags behind it.
    result_seq bigint not null default 0,
    result_revision bigint not null default 0,
    settled_seq bigint not null default 0 check (settled_seq <= result_seq),
    -- The pass under way: for which result, and the last bet it has done.
    settling_seq bigint not null default 0,
    settle_after uuid
) with (fillfactor = 70);

create index events_open on events (deadline, id) where status = 0 and closed_at is null;
create index events_due on events (id) where settled_seq < result_seq;

-- No foreign key to events: it would lock the hot row and fence nothing. No index on status: it would end
-- HOT updates, which fillfactor 50 makes of fifteen settlements in sixteen.
create table bets (
    id uuid primary key,
    event_id text collate "C" not null,
    bettor text collate "C",
    stake bigint not null check (stake > 0),
    odds integer not null check (odds > 0),
    event_revision bigint not null,
    placed_at timestamptz not null,
    status smallint not null default 0 check (status between 0 and 3),
    void_reason smallint check ((void_reason is not null) = (status = 3)),
    payout bigint check ((payout is null) = (status = 0)),
    settled_seq bigint not null default 0,
    settled_at timestamptz check ((settled_at is null) = (status = 0))
) with (fillfactor = 50);

create index bets_by_event on bets (event_id, id);
create index bets_by_bettor on bets (bettor, id) where bettor is not null;

-- Every settlement of every bet, append-only: what it became and what that moved. The primary key is the
-- promise that one result settles one bet once.
create table ledger (
    bet_id uuid not null,
    result_seq bigint not null,
    event_revision bigint not null,
    status smallint not null,
    void_reason smallint,
    amount bigint not null, -- the new payout less the one before
    settled_at timestamptz not null,
    primary key (bet_id, result_seq)
);

-- The first answer to each key, kept for ever.
create table idempotency_keys (
    key text collate "C" primary key,
    fingerprint bytea not null,
    bet_id uuid,
    refusal jsonb,
    created_at timestamptz not null,
    check ((bet_id is null) <> (refusal is null))
);

-- Where the reading of line-provider's log stands: one row.
create table feed (
    id boolean primary key default true check (id),
    instance uuid,
    generation integer not null default 1,
    position bigint not null default 0,
    -- Of the change at that position: shows whether the log still has the history that was read.
    digest bytea,
    -- The highest position that any change came with, by callback too: a log that ends below it was set back.
    highest bigint not null default 0,
    -- While acceptance is suspended: why, and how far another history was read to see whether it agrees.
    suspended text,
    candidate_instance uuid,
    candidate_position bigint not null default 0,
    candidate_digest bytea,
    candidate_generation integer not null default 0,
    -- An operator decided that the candidate is the truth from now on.
    adopting boolean not null default false,
    check ((suspended is null) = (candidate_instance is null))
);
insert into feed default values;

-- Two contents under one revision: kept for a person to judge.
create table feed_conflicts (
    event_id text collate "C" not null,
    generation integer not null,
    revision bigint not null,
    digest bytea not null,
    received jsonb not null,
    seen_at timestamptz not null,
    primary key (event_id, generation, revision, digest)
);

-- The fences: transaction-scoped advisory locks, taken in the order given, in a statement of their own, so
-- that the statement after it sees all that was committed under them.
create function fence_shared(keys bigint[]) returns void language plpgsql as $$
declare k bigint;
begin
    foreach k in array keys loop
        perform pg_advisory_xact_lock_shared(k);
    end loop;
end $$;

create function fence_exclusive(keys bigint[]) returns void language plpgsql as $$
declare k bigint;
begin
    foreach k in array keys loop
        perform pg_advisory_xact_lock(k);
    end loop;
end $$;

-- Stores a batch of decided placements. A row with a refusal stores only its key's answer; a row whose key is
-- already known stores nothing. Answers the keys that were new.
create function store_placements(
    ids uuid[], event_ids text[], bettors text[], stakes bigint[], odds integer[], revisions bigint[],
    keys text[], fingerprints bytea[], refusals jsonb[], at timestamptz
) returns setof text language plpgsql as $$
begin
    return query
    with entry as (
        select * from unnest(ids, event_ids, bettors, stakes, odds, revisions, keys, fingerprints, refusals)
            as e (id, event_id, bettor, stake, odds, revision, key, fingerprint, refusal)
    ), claimed as (
        insert into idempotency_keys as k (key, fingerprint, bet_id, refusal, created_at)
        select e.key, e.fingerprint, case when e.refusal is null then e.id end, e.refusal, at
        from entry e where e.key is not null order by e.key
        on conflict do nothing
        returning k.key
    ), placed as (
        insert into bets (id, event_id, bettor, stake, odds, event_revision, placed_at)
        select e.id, e.event_id, e.bettor, e.stake, e.odds, e.revision, at
        from entry e
        where e.refusal is null and (e.key is null or e.key in (select c.key from claimed c))
    )
    select c.key from claimed c;
end $$;

-- Settles a chunk of bets and books it. Answers how many were settled: fewer than asked for means that one of
-- them was already settled by this result or a newer one.
create function settle_bets(
    seq bigint, revision bigint, at timestamptz,
    ids uuid[], statuses smallint[], void_reasons smallint[], payouts bigint[], amounts bigint[]
) returns bigint language plpgsql as $$
declare settled bigint;
begin
    with outcome as (
        select * from unnest(ids, statuses, void_reasons, payouts, amounts)
            as o (id, status, void_reason, payout, amount)
    ), changed as (
        update bets b
        set status = o.status, void_reason = o.void_reason, payout = o.payout, settled_seq = seq,
            settled_at = case when o.status = 0 then null else at end
        from outcome o
        where b.id = o.id and b.settled_seq < seq
        returning b.id, o.status, o.void_reason, o.amount
    ), booked as (
        insert into ledger (bet_id, result_seq, event_revision, status, void_reason, amount, settled_at)
        select c.id, seq, revision, c.status, c.void_reason, c.amount, at from changed c
        returning 1
    )
    select count(*) into settled from booked;
    return settled;
end $$;
