//! The API's description, generated from the handlers, and a page that shows it without external resources.

use std::sync::{Arc, LazyLock};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, ContentEncoding};
use actix_web::web::Path;
use sales_service::http::{Problem, operations};
use utoipa::openapi::OpenApi as Description;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::Config;

use super::{active, sale};

#[derive(OpenApi)]
#[openapi(
    info(title = "Sales API", description = "Registers sales, each of which reaches the lake exactly once."),
    paths(
        sale::register,
        sale::find,
        sale::cancel,
        operations::healthcheck,
        operations::liveness,
        operations::readiness,
        active::active,
        operations::version,
        operations::metrics,
    ),
    modifiers(&AccessToken)
)]
struct Api;

/// The token that clients send where sign-in is on.
struct AccessToken;

impl Modify for AccessToken {
    fn modify(&self, api: &mut Description) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
            "An access token of one of the issuers of this API, where sign-in is on (see /readiness). Each operation names the \
             scope that it needs; sales/all, beside it, is for the sales of every client.",
        ));
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("access-token", SecurityScheme::Http(scheme.build()));
    }
}

static DESCRIPTION: LazyLock<String> = LazyLock::new(|| Api::openapi().to_json().unwrap_or_default());

/// The description, pretty-printed for a file.
#[must_use]
pub fn description() -> String {
    Api::openapi().to_pretty_json().unwrap_or_default()
}

/// Without the badge that makes an external site validate the description.
static PAGE: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::new(["/openapi.json"]).validator_url("none")));

/// The description, OpenAPI 3.1.
pub async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DESCRIPTION.as_str())
}

/// The page. Its files are below `/docs/`, so the path without the slash links to them explicitly.
pub async fn page() -> Result<HttpResponse, Problem> {
    let index = utoipa_swagger_ui::serve("index.html", PAGE.clone()).ok().flatten().ok_or_else(no_page)?;
    let text =
        String::from_utf8_lossy(&index.bytes).replace("=\"./", "=\"docs/").replace("=\"index.css", "=\"docs/index.css");
    Ok(HttpResponse::Ok().content_type(index.content_type).body(text))
}

/// A file of the page.
pub async fn file(name: Path<String>) -> Result<HttpResponse, Problem> {
    let file = utoipa_swagger_ui::serve(&name, PAGE.clone()).ok().flatten().ok_or_else(no_page)?;
    let mut response = HttpResponse::Ok();
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
    }
    Ok(response.content_type(file.content_type).body(file.bytes.into_owned()))
}

fn no_page() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path")
}
