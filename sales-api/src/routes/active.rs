//! What DNS follows: whether this region is ACTIVE.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use sales::site_state::SiteState;
use sales_service::http::operations::Operations;
use serde::Serialize;
use utoipa::ToSchema;

/// The region's state, for the health checks of DNS.
#[derive(Debug, Serialize, ToSchema)]
pub struct Active {
    /// The status of the answer.
    #[schema(example = 200)]
    pub status: u16,
    /// The own region.
    pub region: String,
    /// `ACTIVE`, `PASSIVE`, or `UNKNOWN` before the switch has ever answered.
    pub state: &'static str,
}

/// Whether this region is ACTIVE, as far as is known. For DNS alone: a load balancer that asked this would replace the
/// healthy tasks of a passive region.
///
/// Answered from what was learnt last, so that an SSM that fails changes nothing. A state that was never known is not
/// ACTIVE: DNS then looks for a region that says that it is and, without one, answers with all that are ready.
#[utoipa::path(get, path = "/active", tag = "operations", responses(
    (status = 200, description = "this region is ACTIVE", body = Active),
    (status = 503, description = "this region is PASSIVE, or its state was never known", body = Active),
))]
pub async fn active(operations: Data<Operations>) -> impl Responder {
    let site = &operations.site;
    let state = site.state();
    let status = status_of(state);
    HttpResponse::build(status).json(Active {
        status: status.as_u16(),
        region: site.region().to_string(),
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
