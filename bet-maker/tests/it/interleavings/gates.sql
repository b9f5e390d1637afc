-- Gates: where a session that says whom it plays (`gates.actor`) waits until the test lets it go on. A gate is an
-- advisory lock (actor, how many gates it came to) that the test holds until then. While waiting, the session's
-- application_name says how many and where. Sessions of nobody pass.
--
-- Actors' sessions find these functions before those of the same name that bet-maker's statements mean.
create schema gates;

create sequence gates.actor_1;
create sequence gates.actor_2;
create sequence gates.actor_3;

create function gates.stop(place text) returns void language plpgsql as $$
declare
    actor integer := nullif(current_setting('gates.actor', true), '');
    n bigint;
begin
    if actor is null then return; end if;
    n := nextval(('gates.actor_' || actor)::regclass);
    perform set_config('application_name', n || ' ' || place, false);
    perform pg_advisory_xact_lock_shared(actor, n::integer);
end $$;

create function gates.fence_shared(keys bigint[]) returns void language plpgsql as $$
begin
    perform gates.stop('fence');
    perform public.fence_shared(keys);
    perform gates.stop('held');
end $$;

create function gates.fence_exclusive(keys bigint[]) returns void language plpgsql as $$
begin
    perform gates.stop('fence');
    perform public.fence_exclusive(keys);
    perform gates.stop('held');
end $$;

create function gates.clock_timestamp() returns timestamptz language plpgsql as $$
declare now timestamptz := pg_catalog.clock_timestamp();
begin
    perform gates.stop('clock');
    return now;
end $$;

create function gates.store_placements(
    ids uuid[], event_ids text[], bettors text[], stakes bigint[], odds integer[], revisions bigint[],
    keys text[], fingerprints bytea[], refusals jsonb[], at timestamptz
) returns setof text language plpgsql as $$
begin
    perform gates.stop('write');
    return query select public.store_placements(
        ids, event_ids, bettors, stakes, odds, revisions, keys, fingerprints, refusals, at);
end $$;

create function gates.settle_bets(
    seq bigint, revision bigint, at timestamptz,
    ids uuid[], statuses smallint[], void_reasons smallint[], payouts bigint[], amounts bigint[]
) returns bigint language plpgsql as $$
begin
    perform gates.stop('write');
    return public.settle_bets(seq, revision, at, ids, statuses, void_reasons, payouts, amounts);
end $$;

-- Once a transaction, whatever it wrote, before it commits.
create function gates.before_commit() returns trigger language plpgsql as $$
begin
    if current_setting('gates.committing', true) is distinct from 'yes' then
        perform set_config('gates.committing', 'yes', true);
        perform gates.stop('commit');
    end if;
    return null;
end $$;

create constraint trigger before_commit after insert or update on bets
    deferrable initially deferred for each row execute function gates.before_commit();
create constraint trigger before_commit after insert or update on idempotency_keys
    deferrable initially deferred for each row execute function gates.before_commit();
create constraint trigger before_commit after insert or update on events
    deferrable initially deferred for each row execute function gates.before_commit();
create constraint trigger before_commit after insert or update on feed
    deferrable initially deferred for each row execute function gates.before_commit();
