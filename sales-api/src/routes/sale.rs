//! Registering, finding and cancelling a sale over HTTP.

use std::future::Future;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use sales::ports::{PortError, SaleTable, StoredSale};
use sales::sale::{ClientId, DECIMALS, DIGITS, LONGEST_PRODUCT, Sale, WHOLE_DIGITS};
use sales_service::http::Problem;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::callers::{Canceller, Reader, Seller};
use super::extractors::{Key, PathId, Span, unknown_sale};
use crate::cancel_sale::{Cancelled, cancel_sale};
use crate::find_sale::find_sale;
use crate::register_sale::{Order, RegisterError, Registered, register_sale};
use crate::sales::Sales;

/// Maximum time to wait for the table.
const DEADLINE: Duration = Duration::from_millis(4_800);

/// When a client may retry after a 503.
const RETRY_AFTER_SECONDS: u32 = 1;

/// The request to register a sale. Other fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents what Order reads")]
pub struct NewSale {
    /// The product's name.
    #[schema(min_length = 1, max_length = 1024, example = "O Pequeno Principe")]
    product: String,
    /// The price: greater than zero, stored exactly, at most 28 digits, 20 before and 18 after the point.
    #[schema(value_type = f64, exclusive_minimum = 0, example = 14.00)]
    amount: String,
}

const _: () =
    assert!(LONGEST_PRODUCT == 1024 && DIGITS == 28 && WHOLE_DIGITS == 20 && DECIMALS == 18, "the schema says so");

/// A sale as clients see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Sale)]
pub struct SaleView<'a> {
    /// The sale's UUID.
    #[schema(format = Uuid)]
    id: String,
    /// The product's name.
    #[schema(example = "O Pequeno Principe")]
    product: &'a str,
    /// The price, without trailing zeros.
    #[schema(value_type = f64, example = 14)]
    amount: Box<RawValue>,
    /// Whether it is in the lake.
    processed: bool,
    /// When it was accepted, in seconds since 1970-01-01T00:00:00Z.
    #[schema(example = 1764547199)]
    timestamp: i64,
    /// The region that accepted it.
    #[schema(example = "sa-east-1")]
    region: Option<&'a str>,
}

/// An error, RFC 9457.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "it documents what Problem writes")]
pub struct ProblemView {
    /// Always `about:blank`: the status identifies the kind of problem.
    r#type: String,
    /// The reason phrase of the status.
    title: String,
    /// The HTTP status of the response.
    status: u16,
    /// What is wrong.
    detail: String,
    /// The same as `detail`.
    error: String,
}

/// Registers a sale.
///
/// Once answered with 201, the sale reaches the lake exactly once. The body is JSON, whatever its Content-Type.
#[utoipa::path(post, path = "/sales", tag = "sales", request_body = NewSale,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
        description = "the client's name for the order, visible characters: the same key of the same client gives the same sale, in every region")),
    security(("access-token" = ["sales/write"])),
    responses(
        (status = 201, description = "accepted", body = SaleView, headers(("Location" = String))),
        (status = 200, description = "this key had already registered the sale", body = SaleView, headers(("Location" = String))),
        (status = 400, description = "the body or the key is invalid", body = ProblemView, content_type = "application/problem+json"),
        (status = 401, description = "sign-in is on, and there is no valid token", body = ProblemView, content_type = "application/problem+json", headers(("WWW-Authenticate" = String))),
        (status = 403, description = "the token lacks the scope", body = ProblemView, content_type = "application/problem+json", headers(("WWW-Authenticate" = String))),
        (status = 408, description = "the body took too long", body = ProblemView, content_type = "application/problem+json"),
        (status = 413, description = "the body is larger than 64 KiB", body = ProblemView, content_type = "application/problem+json"),
        (status = 415, description = "the body is in a content coding, such as gzip", body = ProblemView, content_type = "application/problem+json", headers(("Accept-Encoding" = String))),
        (status = 417, description = "an expectation other than 100-continue", body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "the key was already used for another order", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "unavailable; retry with the same key", body = ProblemView, content_type = "application/problem+json", headers(("Retry-After" = u32))),
    ))]
pub async fn register<T: SaleTable>(
    Seller(caller): Seller,
    sales: Data<Sales<T>>,
    order: Order,
    key: Key,
    span: Span,
) -> Result<HttpResponse, Problem> {
    let started = Instant::now();
    let registered = in_time(register_sale(&sales, order, key.0.as_ref(), &caller, span.0)).await?.map_err(refused)?;
    let (status, stored) = match registered {
        Registered::Accepted(sale) => {
            tracing::info!(
                sale.id = %sale.id,
                sale.client = sale.client.as_ref().map(ClientId::as_str),
                trace.id = span.0.trace_id(),
                span.id = span.0.span_id(),
                duration_ms = milliseconds(started),
                "sale accepted"
            );
            (StatusCode::CREATED, StoredSale { sale, processed: false })
        }
        Registered::Repeated(stored) => (StatusCode::OK, stored),
    };
    let location = format!("/sales/{}", stored.sale.id);
    Ok(HttpResponse::build(status).insert_header((LOCATION, location)).json(view(&stored.sale, stored.processed)?))
}

/// Finds a sale.
#[utoipa::path(get, path = "/sales/{id}", tag = "sales",
    params(("id" = String, Path, format = Uuid)),
    security(("access-token" = ["sales/read"])),
    responses(
        (status = 200, description = "the sale; processed once it is in the lake", body = SaleView),
        (status = 401, description = "sign-in is on, and there is no valid token", body = ProblemView, content_type = "application/problem+json", headers(("WWW-Authenticate" = String))),
        (status = 403, description = "the token lacks the scope", body = ProblemView, content_type = "application/problem+json", headers(("WWW-Authenticate" = String))),
        (status = 404, description = "unknown, cancelled, or another client's", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "unavailable; retry", body = ProblemView, content_type = "application/problem+json", headers(("Retry-After" = u32))),
    ))]
pub async fn find<T: SaleTable>(
    Reader(caller): Reader,
    sales: Data<Sales<T>>,
    id: PathId,
) -> Result<HttpResponse, Problem> {
    let found = in_time(find_sale(&sales, id.0, &caller)).await?.map_err(|error| unavailable(&error))?;
    let stored = found.ok_or_else(unknown_sale)?;
    Ok(HttpResponse::Ok().json(view(&stored.sale, stored.processed)?))
}

/// Cancels a sale. A cancelled sale stays cancelled, and the cancellation reaches the lake, too.
#[utoipa::path(delete, path = "/sales/{id}", tag = "sales",
    params(("id" = String, Path, format = Uuid)),
    security(("access-token" = ["sales/cancel"])),
    responses(
        (status = 204, description = "cancelled, now or earlier"),
        (status = 401, description = "sign-in is on, and there is no valid token", body = ProblemView, content_type = "application/problem+json", headers(("WWW-Authenticate" = String))),
        (status = 403, description = "the token lacks the scope", body = ProblemView, content_type = "application/problem+json", headers(("WWW-Authenticate" = String))),
        (status = 404, description = "unknown, or another client's", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "unavailable; retry", body = ProblemView, content_type = "application/problem+json", headers(("Retry-After" = u32))),
    ))]
pub async fn cancel<T: SaleTable>(
    Canceller(caller): Canceller,
    sales: Data<Sales<T>>,
    id: PathId,
    span: Span,
) -> Result<HttpResponse, Problem> {
    let started = Instant::now();
    match in_time(cancel_sale(&sales, id.0, &caller, span.0)).await?.map_err(|error| unavailable(&error))? {
        Cancelled::UnknownSale => return Err(unknown_sale()),
        Cancelled::Before => {}
        Cancelled::Now => tracing::info!(
            sale.id = %id.0,
            trace.id = span.0.trace_id(),
            span.id = span.0.span_id(),
            duration_ms = milliseconds(started),
            "sale cancelled"
        ),
    }
    Ok(HttpResponse::NoContent().finish())
}

fn view(sale: &Sale, processed: bool) -> Result<SaleView<'_>, Problem> {
    let amount = RawValue::from_string(sale.amount.to_string())
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the amount cannot be serialized"))?;
    Ok(SaleView {
        id: sale.id.to_string(),
        product: sale.product.as_str(),
        amount,
        processed,
        timestamp: sale.timestamp.unix_seconds(),
        region: sale.region.as_ref().map(|region| region.as_str()),
    })
}

async fn in_time<O>(work: impl Future<Output = O>) -> Result<O, Problem> {
    tokio::time::timeout(DEADLINE, work).await.map_err(|_| try_again())
}

fn refused(error: RegisterError) -> Problem {
    match error {
        RegisterError::KeyReused => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "this Idempotency-Key was used for another order")
        }
        RegisterError::Table(error) => unavailable(&error),
    }
}

/// The cause is only logged, where the dependency's failure is reported; the response tells clients what to do.
fn unavailable(error: &PortError) -> Problem {
    tracing::debug!(error.operation, error.detail, "sales table unavailable");
    try_again()
}

fn try_again() -> Problem {
    Problem::unavailable(
        "the sale could not be stored or read now; try again with the same Idempotency-Key",
        RETRY_AFTER_SECONDS,
    )
}

fn milliseconds(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_table_that_never_answers_is_503_within_five_seconds() {
        let asked = Instant::now();
        let problem = in_time(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(problem.status_code(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
}
