//! Counts requests by labels that clients cannot make up.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
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
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
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

    fn count(&self, method: &Method, route: Option<String>, status: StatusCode, started: Instant) {
        // The matched pattern, never the path: so the number of label values is limited, whatever clients send.
        let route = route.unwrap_or_else(|| "none".to_owned());
        let seconds = started.elapsed().as_secs_f64();
        self.durations.get_or_create(&Route { route: route.clone() }).observe(seconds);
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

/// Middleware that counts each request when its response is ready.
///
/// # Errors
/// Those of the wrapped service.
pub async fn count<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let metrics = request.app_data::<web::Data<RequestMetrics>>().cloned();
    let method = request.method().clone();
    let response = next.call(request).await?;
    if let Some(metrics) = metrics {
        metrics.count(&method, response.request().match_pattern(), response.status(), started);
    }
    Ok(response)
}
