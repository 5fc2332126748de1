//! The routes of the API, besides those that every service has.

pub mod active;
pub mod callers;
pub mod docs;
pub mod extractors;
pub mod sale;

use actix_web::web::{self, ServiceConfig};
use sales::ports::SaleTable;
use sales_service::http::routing::{get_or_head, resource};

/// The paths that need no token, whether sign-in is on or off: they say nothing of any sale. All others need one.
pub const OPEN: [&str; 9] = [
    "/active",
    "/docs",
    "/docs/{file}",
    "/healthcheck",
    "/liveness",
    "/metrics",
    "/openapi.json",
    "/readiness",
    "/version",
];

/// Adds the routes.
pub fn configure<T: SaleTable>(config: &mut ServiceConfig) {
    config
        .service(resource("/sales", "POST", [web::post().to(sale::register::<T>)]))
        .service(resource(
            "/sales/{id}",
            "GET, HEAD, DELETE",
            [get_or_head().to(sale::find::<T>), web::delete().to(sale::cancel::<T>)],
        ))
        .service(resource("/active", "GET, HEAD", [get_or_head().to(active::active)]))
        .service(resource("/openapi.json", "GET, HEAD", [get_or_head().to(docs::openapi)]))
        .service(resource("/docs", "GET, HEAD", [get_or_head().to(docs::page)]))
        .service(resource("/docs/{file:.*}", "GET, HEAD", [get_or_head().to(docs::file)]));
}
