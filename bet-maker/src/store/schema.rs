//! The tables as diesel sees them; a test compares them with the migrated database.

diesel::table! {
    events (id) {
        id -> Text,
        title -> Text,
        odds -> Integer,
        deadline -> Timestamptz,
        status -> SmallInt,
        revision -> BigInt,
        generation -> Integer,
        closed_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        result_seq -> BigInt,
        result_revision -> BigInt,
        settled_seq -> BigInt,
        settling_seq -> BigInt,
        settle_after -> Nullable<Uuid>,
    }
}

diesel::table! {
    bets (id) {
        id -> Uuid,
        event_id -> Text,
        bettor -> Nullable<Text>,
        stake -> BigInt,
        odds -> Integer,
        event_revision -> BigInt,
        placed_at -> Timestamptz,
        status -> SmallInt,
        void_reason -> Nullable<SmallInt>,
        payout -> Nullable<BigInt>,
        settled_seq -> BigInt,
        settled_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    ledger (bet_id, result_seq) {
        bet_id -> Uuid,
        result_seq -> BigInt,
        event_revision -> BigInt,
        status -> SmallInt,
        void_reason -> Nullable<SmallInt>,
        amount -> BigInt,
        settled_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_keys (key) {
        key -> Text,
        fingerprint -> Binary,
        bet_id -> Nullable<Uuid>,
        refusal -> Nullable<Jsonb>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    feed (id) {
        id -> Bool,
        instance -> Nullable<Uuid>,
        generation -> Integer,
        position -> BigInt,
        digest -> Nullable<Binary>,
        highest -> BigInt,
        suspended -> Nullable<Text>,
        candidate_instance -> Nullable<Uuid>,
        candidate_position -> BigInt,
        candidate_digest -> Nullable<Binary>,
        candidate_generation -> Integer,
        adopting -> Bool,
    }
}

diesel::table! {
    feed_conflicts (event_id, generation, revision, digest) {
        event_id -> Text,
        generation -> Integer,
        revision -> BigInt,
        digest -> Binary,
        received -> Jsonb,
        seen_at -> Timestamptz,
    }
}

diesel::joinable!(idempotency_keys -> bets (bet_id));
diesel::allow_tables_to_appear_in_same_query!(bets, idempotency_keys);
diesel::allow_tables_to_appear_in_same_query!(events, feed_conflicts);

/// The functions that the migrations create, and the one clock that decides on deadlines.
#[expect(
    clippy::too_many_arguments,
    reason = "a column each: a batch comes as one array a column"
)]
pub mod functions {
    use diesel::sql_types::{
        Array, BigInt, Binary, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid,
    };

    diesel::define_sql_function!(fn clock_timestamp() -> Timestamptz);
    diesel::define_sql_function!(fn fence_shared(keys: Array<BigInt>));
    diesel::define_sql_function!(fn fence_exclusive(keys: Array<BigInt>));
    diesel::define_sql_function!(
        fn store_placements(
            ids: Array<Uuid>,
            event_ids: Array<Text>,
            bettors: Array<Nullable<Text>>,
            stakes: Array<BigInt>,
            odds: Array<Integer>,
            revisions: Array<BigInt>,
            keys: Array<Nullable<Text>>,
            fingerprints: Array<Nullable<Binary>>,
            refusals: Array<Nullable<Jsonb>>,
            at: Timestamptz,
        ) -> Text
    );
    diesel::define_sql_function!(
        fn settle_bets(
            seq: BigInt,
            revision: BigInt,
            at: Timestamptz,
            ids: Array<Uuid>,
            statuses: Array<SmallInt>,
            void_reasons: Array<Nullable<SmallInt>>,
            payouts: Array<Nullable<BigInt>>,
            amounts: Array<BigInt>,
        ) -> BigInt
    );
}
