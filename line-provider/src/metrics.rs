//! The metrics of line-provider, each named and described once. The HTTP edge counts requests by itself.

use std::time::Duration;

use http_edge::metrics::count;
use shared_types::SubscriptionId;

const COMMIT_SECONDS: &str = "line_provider_journal_commit_seconds";
const COMMIT_WRITES: &str = "line_provider_journal_commit_writes";
const QUEUE_DEPTH: &str = "line_provider_writer_queue_depth";
const HEAD: &str = "line_provider_log_head";
const EVENTS: &str = "line_provider_events";
const ATTEMPTS: &str = "line_provider_delivery_attempts_total";
const ATTEMPT_SECONDS: &str = "line_provider_delivery_attempt_seconds";
const GIVEN_UP: &str = "line_provider_delivery_given_up_total";
const SUPERSEDED: &str = "line_provider_delivery_superseded_total";
const LAG: &str = "line_provider_subscription_lag_positions";

const SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];
const WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Installs the recorder with the buckets of our histograms, and describes what we record.
pub fn install() {
    http_edge::metrics::install(&[
        (COMMIT_SECONDS, &SECONDS),
        (COMMIT_WRITES, &WRITES),
        (ATTEMPT_SECONDS, &SECONDS),
    ]);
    metrics::describe_histogram!(
        COMMIT_SECONDS,
        metrics::Unit::Seconds,
        "One commit of the journal, sync included."
    );
    metrics::describe_histogram!(COMMIT_WRITES, "Rows that one commit made durable.");
    metrics::describe_gauge!(QUEUE_DEPTH, "Commands that wait behind the batch being written.");
    metrics::describe_gauge!(HEAD, "Position of the newest change.");
    metrics::describe_gauge!(EVENTS, "Events in the catalogue.");
    metrics::describe_counter!(ATTEMPTS, "Callback attempts, by outcome.");
    metrics::describe_histogram!(
        ATTEMPT_SECONDS,
        metrics::Unit::Seconds,
        "One callback attempt, from connecting to the end of the answer."
    );
    metrics::describe_counter!(GIVEN_UP, "Changes that a subscription never took.");
    metrics::describe_counter!(
        SUPERSEDED,
        "Changes in whose place, after a failed attempt, a newer one of their event was sent."
    );
    metrics::describe_gauge!(LAG, "How many positions a subscription is behind the head.");
}

pub(crate) fn committed(writes: usize, took: Duration) {
    metrics::histogram!(COMMIT_SECONDS).record(took);
    metrics::histogram!(COMMIT_WRITES).record(count(writes));
}

pub(crate) fn queue_depth(waiting: usize) {
    metrics::gauge!(QUEUE_DEPTH).set(count(waiting));
}

pub(crate) fn head(position: u64, events: usize) {
    metrics::gauge!(HEAD).set(count(position));
    metrics::gauge!(EVENTS).set(count(events));
}

pub(crate) fn attempt(outcome: &'static str, took: Duration) {
    metrics::counter!(ATTEMPTS, "outcome" => outcome).increment(1);
    metrics::histogram!(ATTEMPT_SECONDS).record(took);
}

pub(crate) fn given_up() {
    metrics::counter!(GIVEN_UP).increment(1);
}

pub(crate) fn superseded() {
    metrics::counter!(SUPERSEDED).increment(1);
}

pub(crate) fn lag(subscription: SubscriptionId, positions: u64) {
    metrics::gauge!(LAG, "subscription" => subscription.to_string()).set(count(positions));
}
