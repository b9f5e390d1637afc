//! The journal's tables as diesel sees them; `migrations/line-provider` makes them.

diesel::table! {
    journal (id) {
        id -> BigInt,
        instance -> Binary,
        created_at -> BigInt,
        crc32 -> BigInt,
    }
}

diesel::table! {
    changes (position) {
        position -> BigInt,
        event_id -> Text,
        revision -> BigInt,
        kind -> Text,
        occurred_at -> BigInt,
        body -> Text,
        note -> Nullable<Text>,
        crc32 -> BigInt,
    }
}

diesel::table! {
    subscriptions (id) {
        id -> Binary,
        url -> Text,
        event_types -> Text,
        secret -> Text,
        status -> Text,
        disabled_reason -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        crc32 -> BigInt,
    }
}

diesel::table! {
    subscription_cursors (subscription_id) {
        subscription_id -> Binary,
        cursor -> BigInt,
        crc32 -> BigInt,
    }
}
