//! The request metrics: which series a request belongs to, with each worker's handles kept at hand.
//!
//! Labels are bounded: known methods, the routes' patterns, statuses. What a client makes up counts as `other`
//! or [`UNMATCHED`].

use std::{cell::RefCell, collections::HashMap, time::Duration};

use actix_web::http::{Method, StatusCode};
use metrics::{Counter, Histogram};

use crate::metrics::{REQUEST_DURATION_SECONDS, REQUESTS_TOTAL};

/// The route of a request that none matched.
pub(super) const UNMATCHED: &str = "unmatched";

struct Series {
    method: &'static str,
    duration: Histogram,
    by_status: Vec<(StatusCode, Counter)>,
}

thread_local! {
    /// By route; a route has few methods and statuses, so those are searched in order.
    static SERIES: RefCell<HashMap<String, Vec<Series>>> = RefCell::default();
}

pub(super) fn record(method: &'static str, route: &str, status: StatusCode, latency: Duration) {
    SERIES.with_borrow_mut(|routes| {
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), Vec::new());
        }
        let Some(methods) = routes.get_mut(route) else {
            return;
        };
        if !methods.iter().any(|series| series.method == method) {
            methods.push(Series::new(method, route));
        }
        let Some(series) = methods.iter_mut().find(|series| series.method == method) else {
            return;
        };
        series.duration.record(latency);
        match series.by_status.iter().find(|(known, _)| *known == status) {
            Some((_, requests)) => requests.increment(1),
            None => {
                let requests = counter(method, route, status);
                requests.increment(1);
                series.by_status.push((status, requests));
            }
        }
    });
}

impl Series {
    fn new(method: &'static str, route: &str) -> Self {
        let duration =
            metrics::histogram!(REQUEST_DURATION_SECONDS, "method" => method, "route" => route.to_owned());
        Self {
            method,
            duration,
            by_status: Vec::new(),
        }
    }
}

fn counter(method: &'static str, route: &str, status: StatusCode) -> Counter {
    metrics::counter!(
        REQUESTS_TOTAL,
        "method" => method,
        "route" => route.to_owned(),
        "status" => status.as_str().to_owned(),
    )
}

pub(super) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
