//! Counts requests by labels that clients cannot make up.

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::web;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

/// Metrics of requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RequestMetrics {
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

impl RequestMetrics {
    /// Metrics registered in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let durations: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 13));
        let metrics = Self { requests: Family::default(), durations: Family::new_with_constructor(durations) };
        registry.register("http_requests", "Requests by route, method and status", metrics.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request to its answer",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        metrics
    }

    /// `route` is the matched pattern, never the path: so the number of label values is limited, whatever clients send.
    fn count(&self, method: &Method, route: &'static str, status: StatusCode, started: Instant) {
        let seconds = started.elapsed().as_secs_f64();
        self.durations.get_or_create(&Route { route }).observe(seconds);
        let labels = Request { method: known_method(method), route, status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
    }
}

fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The pattern that a resource's paths match, kept in its data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern(pub(super) &'static str);

/// A request that is being answered.
pub(super) struct Timing {
    started: Instant,
    metrics: Option<web::Data<RequestMetrics>>,
}

impl Timing {
    pub(super) fn start(request: &ServiceRequest) -> Self {
        Self { started: Instant::now(), metrics: request.app_data::<web::Data<RequestMetrics>>().cloned() }
    }

    /// Counts the request, whose response is ready.
    pub(super) fn count<B>(self, response: &ServiceResponse<B>) {
        if let Some(metrics) = self.metrics {
            let request = response.request();
            let route = request.app_data::<Pattern>().map_or("none", |pattern| pattern.0);
            metrics.count(request.method(), route, response.status(), self.started);
        }
    }
}
