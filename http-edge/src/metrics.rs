//! The Prometheus recorder of this process, and `GET /metrics` to read it.
//!
//! There is one recorder per process, whoever asks first installs it: tests start many apps in one process.

use std::{sync::OnceLock, thread, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub(crate) const REQUESTS_TOTAL: &str = "http_requests_total";
pub(crate) const REQUEST_DURATION_SECONDS: &str = "http_request_duration_seconds";
pub(crate) const CONNECTIONS: &str = "http_connections";
const TASKS: &str = "tokio_tasks";
pub(crate) const CONNECTIONS_CUT_TOTAL: &str = "http_connections_cut_total";

/// From a cache hit to the longest long poll.
const DURATION_BUCKETS_SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// Histograms keep every sample until they are drained.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder if this process has none yet. Call it before the first metric is registered.
///
/// `buckets` are the histograms of the service itself, by full name.
pub fn install(buckets: &[(&str, &[f64])]) {
    RECORDER.get_or_init(|| {
        let own = [(REQUEST_DURATION_SECONDS, DURATION_BUCKETS_SECONDS.as_slice())];
        let builder = own
            .iter()
            .chain(buckets)
            .fold(PrometheusBuilder::new(), |builder, (name, bounds)| {
                builder
                    .set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)
                    .expect("bucket bounds are not empty")
            });
        let handle = builder
            .install_recorder()
            .expect("nothing else installs a recorder");
        metrics::describe_counter!(REQUESTS_TOTAL, "Requests answered, by method, route and status.");
        metrics::describe_histogram!(
            REQUEST_DURATION_SECONDS,
            metrics::Unit::Seconds,
            "From the request's head to the answer's head, by method and route."
        );
        metrics::describe_gauge!(CONNECTIONS, "Connections open now; each is a task of its own.");
        metrics::describe_gauge!(
            TASKS,
            "Tasks of tokio::spawn alive when this was asked for; local ones, such as those of connections, are not counted."
        );
        metrics::describe_counter!(
            CONNECTIONS_CUT_TOTAL,
            "Connections ended because the client was too slow, by limit: head of a request, or taking (write) an answer."
        );
        let upkeep = handle.clone();
        thread::Builder::new()
            .name("metrics-upkeep".to_owned())
            .spawn(move || {
                loop {
                    thread::sleep(UPKEEP_EVERY);
                    upkeep.run_upkeep();
                }
            })
            .expect("the process can start one more thread");
        handle
    });
}

pub(crate) fn tasks(alive: usize) {
    metrics::gauge!(TASKS).set(count(alive));
}

/// Everything recorded so far in Prometheus' text format; empty before [`install`].
pub(crate) fn render() -> String {
    RECORDER.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// A count as a metric's value: exact up to 2^53, which nothing here reaches.
#[expect(
    clippy::as_conversions,
    reason = "no conversion that cannot fail exists from u64 to f64"
)]
pub fn count(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}
