drop function settle_bets, store_placements, fence_exclusive, fence_shared;
drop table feed_conflicts, feed, idempotency_keys, ledger, bets, events;
