//! Resources with their methods, and the responses for unknown paths and methods.

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource, Route, guard};

use super::problem::Problem;
use super::requests::Pattern;

/// A resource with `routes`, whose methods are `allow`; it answers 405 to every other method.
pub fn resource(path: &'static str, allow: &'static str, routes: impl IntoIterator<Item = Route>) -> Resource {
    let resource = routes.into_iter().fold(web::resource(path).app_data(Pattern(path)), Resource::route);
    resource.default_service(web::to(move || async move { Err::<HttpResponse, _>(Problem::method_not_allowed(allow)) }))
}

/// A route for GET and HEAD; for the latter, the server leaves out the body.
#[must_use]
pub fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// Answers 404 to every unknown path.
pub fn configure_not_found(config: &mut ServiceConfig) {
    config.default_service(web::to(|| async {
        Err::<HttpResponse, _>(Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
    }));
}
