//! Subscriptions and their cursors as the journal keeps them. The secrets are among them, because they must sign.

use diesel::prelude::*;
use shared_types::{ChangeType, Instance, SubscriptionId, Timestamp};
use uuid::Uuid;

use super::checksum::Checksum;
use super::record::{UNREADABLE, WRONG_CHECKSUM, kind, signed};
use super::schema::{subscription_cursors, subscriptions};
use crate::subscription::{Registration, Standing};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = subscriptions, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(super) struct Row {
    id: Vec<u8>,
    url: String,
    event_types: String,
    secret: String,
    status: String,
    disabled_reason: Option<String>,
    created_at: i64,
    updated_at: i64,
    crc32: i64,
}

impl Row {
    pub(super) fn new(registration: &Registration, instance: Instance) -> Self {
        let words: Vec<_> = registration
            .event_types
            .iter()
            .map(|kind| kind.as_str())
            .collect();
        let (status, disabled_reason) = match &registration.standing {
            Standing::Active => ("active", None),
            Standing::Paused => ("paused", None),
            Standing::Disabled { reason } => ("disabled", Some(reason.clone())),
        };
        let mut row = Self {
            id: registration.id.as_uuid().as_bytes().to_vec(),
            url: registration.url.as_str().to_owned(),
            event_types: words.join(" "),
            secret: registration.secret.expose(),
            status: status.to_owned(),
            disabled_reason,
            created_at: registration.created_at.unix_micros(),
            updated_at: registration.updated_at.unix_micros(),
            crc32: 0,
        };
        row.crc32 = row.checksum(instance);
        row
    }

    fn checksum(&self, instance: Instance) -> i64 {
        Checksum::new("subscriptions", instance)
            .bytes(&self.id)
            .text(&self.url)
            .text(&self.event_types)
            .text(&self.secret)
            .text(&self.status)
            .optional(self.disabled_reason.as_deref())
            .number(self.created_at)
            .number(self.updated_at)
            .finish()
    }

    /// The registration, or what is wrong with the row.
    pub(super) fn check(self, instance: Instance) -> Result<Registration, &'static str> {
        if self.checksum(instance) != self.crc32 {
            return Err(WRONG_CHECKSUM);
        }
        let parsed = || {
            let event_types: Option<Vec<ChangeType>> =
                self.event_types.split_whitespace().map(kind).collect();
            let standing = match (self.status.as_str(), self.disabled_reason) {
                ("active", None) => Standing::Active,
                ("paused", None) => Standing::Paused,
                ("disabled", Some(reason)) => Standing::Disabled { reason },
                _ => return None,
            };
            Some(Registration {
                id: subscription_id(&self.id)?,
                url: self.url.parse().ok()?,
                event_types: event_types?,
                secret: self.secret.parse().ok()?,
                standing,
                created_at: Timestamp::from_unix_micros(self.created_at)?,
                updated_at: Timestamp::from_unix_micros(self.updated_at)?,
            })
        };
        parsed().ok_or(UNREADABLE)
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = subscription_cursors)]
pub(super) struct CursorRow {
    subscription_id: Vec<u8>,
    cursor: i64,
    crc32: i64,
}

impl CursorRow {
    pub(super) fn new(id: SubscriptionId, cursor: u64, instance: Instance) -> Self {
        let mut row = Self {
            subscription_id: id.as_uuid().as_bytes().to_vec(),
            cursor: signed(cursor),
            crc32: 0,
        };
        row.crc32 = row.checksum(instance);
        row
    }

    fn checksum(&self, instance: Instance) -> i64 {
        Checksum::new("subscription_cursors", instance)
            .bytes(&self.subscription_id)
            .number(self.cursor)
            .finish()
    }

    /// The cursor and whose it is, or what is wrong with the row.
    pub(super) fn check(self, instance: Instance) -> Result<(SubscriptionId, u64), &'static str> {
        if self.checksum(instance) != self.crc32 {
            return Err(WRONG_CHECKSUM);
        }
        let parsed = || {
            Some((
                subscription_id(&self.subscription_id)?,
                self.cursor.try_into().ok()?,
            ))
        };
        parsed().ok_or(UNREADABLE)
    }
}

fn subscription_id(bytes: &[u8]) -> Option<SubscriptionId> {
    Uuid::from_slice(bytes).ok().map(SubscriptionId::from_uuid)
}
