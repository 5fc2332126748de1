//! The route that DNS follows: whether this region is ACTIVE.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use sales::site::Site;
use sales::site_state::SiteState;
use sales_service::http::operations::Operations;
use serde::Serialize;
use utoipa::ToSchema;

/// The region's state, for the health checks of DNS.
#[derive(Debug, Serialize, ToSchema)]
pub struct Active {
    /// The HTTP status of the response.
    #[schema(example = 200)]
    pub status: u16,
    /// The region that this process runs in.
    pub region: String,
    /// `ACTIVE`, `PASSIVE`, or `UNKNOWN` until the state has been read.
    pub state: &'static str,
}

/// Whether this region is known to be ACTIVE. Only for DNS: a load balancer that used this would replace the healthy
/// tasks of a PASSIVE region.
///
/// Reports the last known state, so an SSM failure changes nothing. A state that was never read is not ACTIVE: DNS then
/// prefers regions that are and, if there are none, answers with all that are ready.
#[utoipa::path(get, path = "/active", tag = "operations", responses(
    (status = 200, description = "this region is ACTIVE", body = Active),
    (status = 503, description = "this region is PASSIVE, or its state was never read", body = Active),
))]
pub async fn active(operations: Data<Operations>) -> impl Responder {
    let Operations { region, site, .. } = &**operations;
    let state = site.as_ref().and_then(Site::state);
    let status = status_of(state);
    HttpResponse::build(status).json(Active {
        status: status.as_u16(),
        region: region.to_string(),
        state: state.map_or("UNKNOWN", SiteState::name),
    })
}

fn status_of(state: Option<SiteState>) -> StatusCode {
    match state {
        Some(SiteState::Active) => StatusCode::OK,
        Some(SiteState::Passive) | None => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_state_that_is_known_to_be_active_is_active() {
        assert_eq!(status_of(Some(SiteState::Active)), StatusCode::OK);
        for state in [Some(SiteState::Passive), None] {
            assert_eq!(status_of(state), StatusCode::SERVICE_UNAVAILABLE, "{state:?}");
        }
    }
}
