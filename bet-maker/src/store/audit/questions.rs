//! The SQL of the audit. Each answers findings, a line each, but for the sums, which are compared outside.
//!
//! Statuses of events: 0 unfinished, 1 first team won, 2 second team won, 3 cancelled. Of bets: 0 pending, 1 won, 2 lost,
//! 3 void. Reasons: 1 the event was cancelled, 2 placed after the close.

/// What a bet should be is worked out in `numeric`, from the event's row alone. Without a result it is pending: adopting
/// another log closes events and settles none.
pub(super) const SETTLED_BY_NEWEST: &str = "
with judged as (
    select b.id, b.event_id, b.status, b.void_reason, b.payout, b.stake, b.odds, e.revision,
        e.id is null as is_unknown,
        case when e.result_seq = 0 then 0
             when b.placed_at >= e.closed_at then 3
             when e.status = 0 then 0 when e.status = 1 then 1 when e.status = 2 then 2 when e.status = 3 then 3
        end as right_status,
        case when e.result_seq = 0 then null when b.placed_at >= e.closed_at then 2 when e.status = 3 then 1 end as right_reason
    from bets b left join events e on e.id = b.event_id
    where e.id is null or e.settled_seq = e.result_seq
), paid as (
    select *, case right_status when 1 then floor(stake::numeric * odds / 100)
                                when 2 then 0 when 3 then stake end as right_payout
    from judged
)
select case when is_unknown then format('bet %s is on event %s, which is not known', id, event_id)
    else format('bet %s on event %s is %s%s and was paid %s cents; at revision %s it should be %s%s and paid %s',
        id, event_id,
        (array['pending', 'won', 'lost', 'void'])[status + 1],
        (array[' (event_cancelled)', ' (placed_after_close)'])[void_reason], coalesce(payout::text, 'no'),
        revision,
        (array['pending', 'won', 'lost', 'void'])[right_status + 1],
        (array[' (event_cancelled)', ' (placed_after_close)'])[right_reason], coalesce(right_payout::text, 'no'))
    end as finding
from paid
where is_unknown
    or (status, void_reason, payout) is distinct from (right_status, right_reason, right_payout)";

pub(super) const DUE: &str = "
select format('the bets of event %s follow its result %s of %s', id, settled_seq, result_seq) as finding
from events where settled_seq <> result_seq";

/// Each bet beside the last line of its ledger and the sum of all its lines.
pub(super) const LEDGER_AGREES: &str = "
with newest as (
    select distinct on (bet_id) bet_id, result_seq, status, void_reason, settled_at,
        sum(amount) over (partition by bet_id) as total
    from ledger order by bet_id, result_seq desc
), beside as (
    select coalesce(b.id, l.bet_id) as id,
        case
            when b.id is null then 'has lines in the ledger, but there is no such bet'
            when l.bet_id is null and b.status <> 0 then 'is settled without a line in the ledger'
            when l.bet_id is null and b.settled_seq <> 0
                then format('follows result %s without a line in the ledger', b.settled_seq)
            when l.bet_id is null then null
            when l.total <> coalesce(b.payout, 0)
                then format('was paid %s cents, but its ledger adds up to %s', coalesce(b.payout::text, 'no'), l.total)
            when (l.status, l.void_reason) is distinct from (b.status, b.void_reason)
                then format('is %s, but the last line of its ledger made it %s',
                    (array['pending', 'won', 'lost', 'void'])[b.status + 1],
                    coalesce((array['pending', 'won', 'lost', 'void'])[l.status + 1], l.status::text))
            when l.result_seq <> b.settled_seq
                then format('follows result %s, but the last line of its ledger is of result %s', b.settled_seq,
                    l.result_seq)
            when b.settled_at <> l.settled_at
                then format('was settled at %s, but the last line of its ledger is of %s', b.settled_at, l.settled_at)
            when l.result_seq > e.result_seq
                then format('was settled by result %s, but event %s has had %s', l.result_seq, e.id, e.result_seq)
        end as what
    from bets b full join newest l on l.bet_id = b.id left join events e on e.id = b.event_id
)
select format('bet %s %s', id, what) as finding from beside where what is not null";

/// A key and its bet were stored by one statement, at one moment.
pub(super) const KEYS_AGREE: &str = "
select format('key %s names bet %s, %s', k.key, k.bet_id,
    case when b.id is null then 'which is not there'
         else format('which was placed at %s, not at %s', b.placed_at, k.created_at) end) as finding
from idempotency_keys k left join bets b on b.id = k.bet_id
where k.bet_id is not null and b.placed_at is distinct from k.created_at";

pub(super) const KEYS_SHARED: &str = "
select format('bet %s has the keys %s', bet_id, string_agg(key, ', ' order by key)) as finding
from idempotency_keys where bet_id is not null group by bet_id having count(*) > 1";

pub(super) const PLACED_BY_TABLES: &str = "
select format('bet %s was placed at %s on revision %s of event %s at odds of %s hundredths, %s',
    b.id, b.placed_at, b.event_revision, e.id, b.odds,
    case when b.event_revision < 1 then 'which cannot be'
         when b.event_revision > e.revision then format('which is known up to revision %s', e.revision)
         else format('which has the odds %s, the deadline %s%s', e.odds, e.deadline,
             case when e.status <> 0 or e.closed_at is not null then ' and takes no bets' end) end) as finding
from bets b join events e on e.id = b.event_id
where b.event_revision not between 1 and e.revision
    or (b.event_revision = e.revision
        and (b.odds <> e.odds or b.placed_at >= e.deadline or e.status <> 0 or e.closed_at is not null))";

pub(super) const PLACED_AT_ONE_PRICE: &str = "
select format('%s bets were placed on revision %s of event %s at different odds, %s to %s hundredths',
    count(*), event_revision, event_id, min(odds), max(odds)) as finding
from bets group by event_id, event_revision having min(odds) <> max(odds)";

pub(super) const PLACED_ON: &str = "
select format('bet %s was placed at %s on revision %s of event %s at odds of %s hundredths, which has the odds %s, '
    'the deadline %s%s', id, placed_at, event_revision, event_id, odds, $3, $4,
    case when not $5 then ' and takes no bets' end) as finding
from bets where event_id = $1 and event_revision = $2 and (odds <> $3 or placed_at >= $4 or not $5)";

pub(super) const PLACED_ON_NOTHING: &str = "
select format('bet %s was placed on revision %s of event %s, which the log does not have', id, event_revision,
    event_id) as finding
from bets where event_id = $1 and event_revision = $2";

/// What an event's row must agree with by itself. Counters of results and revisions belong together only within the
/// first history.
pub(super) const EVENTS_ALONE: &str = "
select format('event %s %s', id, what) as finding
from (
    select id, case
        when generation not between 1 and $1 then format('is of generation %s, but there have been %s', generation, $1)
        when status <> 0 and result_seq = 0 then 'has a result that was never counted'
        when settling_seq > result_seq
            then format('is being settled by result %s of %s', settling_seq, result_seq)
        when closed_at > deadline then format('closed at %s, after its deadline %s', closed_at, deadline)
        when $1 = 1 and result_revision > revision
            then format('is at revision %s, but got a result at %s', revision, result_revision)
        when $1 = 1 and closed_at is not null and result_seq = 0 then 'closed without a result'
        end as what
    from events
) as looked_at where what is not null";

pub(super) const CONFLICTS: &str = "
select format('revision %s of event %s came with another content at %s (feed_conflicts, generation %s)',
    revision, event_id, seen_at, generation) as finding
from feed_conflicts";

/// A cursor, because other statements come in between, and the bets are to be read once however many events there are.
pub(super) const SUMS: &str = "
declare sums no scroll cursor for
with worth as (
    select event_id, status, stake::numeric as stake, floor(stake::numeric * odds / 100) as prize from bets
)
select event_id, status, count(*) as bets, sum(stake) as stakes,
    sum(case when status = 3 then stake else prize end) as payout_if_first_team_wins,
    sum(case status when 1 then prize when 3 then stake else 0 end) as paid
from worth group by event_id, status order by event_id, status";

pub(super) const NEXT_SUMS: &str = "fetch 1000 from sums";
