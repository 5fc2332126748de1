//! Operational routes: health, version and metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::routing::{get_or_head, resource};
use sales::health::Health;
use sales::region::Region;
use sales::site::Site;
use sales::site_state::SiteState;

/// The state behind these routes. Cheap to clone.
#[derive(Clone)]
pub struct Operations {
    /// Which service this is.
    pub version: Version,
    /// The condition of its dependencies.
    pub health: Health,
    /// The region that this process runs in.
    pub region: Region,
    /// Its state, if the service's work depends on it.
    pub site: Option<Site>,
    /// Its metrics.
    pub registry: Arc<Registry>,
    /// Whether clients sign in, `on` or `off`, where a service has clients.
    pub sign_in: Option<&'static str>,
}

/// The commit of the build, passed to the compiler when images are built.
const COMMIT: &str = match option_env!("SALES_COMMIT") {
    Some(commit) if !commit.is_empty() => commit,
    _ => "unknown",
};

/// The service and its build.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Version {
    /// The service's name.
    pub name: &'static str,
    /// Its version (semver).
    pub version: &'static str,
    /// The commit of the build, or `unknown`.
    pub commit: &'static str,
    /// The digest or tag of the running image, if configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl Version {
    /// The version of a service that runs from `image`.
    #[must_use]
    pub fn new(name: &'static str, version: &'static str, image: Option<String>) -> Self {
        Self { name, version, commit: COMMIT, image }
    }
}

/// The process serves.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// The HTTP status of the response.
    #[schema(example = 200)]
    pub status: u16,
}

/// Whether the service is ready to work, and the status of its dependencies.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// The HTTP status of the response: 503 if a dependency that the service needs is unavailable.
    pub status: u16,
    /// The region that this process runs in.
    pub region: String,
    /// `ACTIVE`, `PASSIVE`, or `UNKNOWN` until the state has been read. It does not affect the status, and is left out by a
    /// service whose work does not depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// Seconds since the state was last read.
    pub state_age_seconds: Option<u64>,
    /// Whether clients must sign in: `on` or `off`; only of the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<&'static str>,
    /// Each dependency: `ok`, `unknown` before its first call, `missing`, `denied`, `unavailable` or `invalid`.
    pub dependencies: BTreeMap<&'static str, &'static str>,
}

/// Adds the routes.
pub fn configure(config: &mut ServiceConfig) {
    for (path, route) in [
        ("/healthcheck", get_or_head().to(healthcheck)),
        ("/liveness", get_or_head().to(liveness)),
        ("/readiness", get_or_head().to(readiness)),
        ("/version", get_or_head().to(version)),
        ("/metrics", get_or_head().to(metrics)),
    ] {
        config.service(resource(path, "GET, HEAD", [route]));
    }
}

/// Whether the process serves, regardless of the region's state: a PASSIVE region is healthy.
#[utoipa::path(get, path = "/healthcheck", tag = "operations", responses((status = 200, body = Alive)))]
pub async fn healthcheck() -> impl Responder {
    alive()
}

/// Whether the process serves.
#[utoipa::path(get, path = "/liveness", tag = "operations", responses((status = 200, body = Alive)))]
pub async fn liveness() -> impl Responder {
    alive()
}

fn alive() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: StatusCode::OK.as_u16() })
}

/// Whether the service is ready to work.
#[utoipa::path(get, path = "/readiness", tag = "operations", responses(
    (status = 200, description = "all dependencies available", body = Readiness),
    (status = 503, description = "a dependency is unavailable", body = Readiness),
))]
pub async fn readiness(operations: web::Data<Operations>) -> impl Responder {
    let Operations { health, region, site, sign_in, .. } = &**operations;
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(status).json(Readiness {
        status: status.as_u16(),
        region: region.to_string(),
        state: site.as_ref().map(|site| site.state().map_or("UNKNOWN", SiteState::name)),
        state_age_seconds: site.as_ref().and_then(Site::age).map(|age| age.as_secs()),
        sign_in: *sign_in,
        dependencies: health.conditions().into_iter().map(|(name, condition)| (name, condition.name())).collect(),
    })
}

/// The service and its build.
#[utoipa::path(get, path = "/version", tag = "operations", responses((status = 200, body = Version)))]
pub async fn version(operations: web::Data<Operations>) -> impl Responder {
    HttpResponse::Ok().json(&operations.version)
}

/// The service's metrics, in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses(
    (status = 200, content_type = "application/openmetrics-text", body = String),
))]
pub async fn metrics(operations: web::Data<Operations>) -> Result<HttpResponse, Problem> {
    let mut text = String::new();
    encode(&mut text, &operations.registry)
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be serialized"))?;
    Ok(HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text))
}

/// The two gauges of the state: 1 while ACTIVE and 0 otherwise, and the seconds since it was last read.
pub fn register_site(registry: &mut Registry, site: &Site) {
    registry.register_collector(Box::new(SiteCollector(site.clone())));
}

#[derive(Debug)]
struct SiteCollector(Site);

impl prometheus_client::collector::Collector for SiteCollector {
    fn encode(&self, mut encoder: prometheus_client::encoding::DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        use prometheus_client::encoding::EncodeMetric;
        use prometheus_client::metrics::gauge::ConstGauge;
        let gauges: [(&str, &str, Option<f64>); 2] = [
            (
                "site_active",
                "1 while this region is ACTIVE, 0 while it is PASSIVE",
                self.0.state().map(|state| if state == SiteState::Active { 1.0 } else { 0.0 }),
            ),
            ("site_state_age_seconds", "Time since the state was last read", self.0.age().map(|age| age.as_secs_f64())),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}
