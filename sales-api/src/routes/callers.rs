//! Extractors of callers: a handler that takes one answers only those who may do what it does.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use sales_service::http::Problem;

use crate::sign_in::SignIn;
use crate::sign_in::caller::{Caller, Scope};

/// Who may post sales.
#[derive(Debug)]
pub struct Seller(pub Caller);

/// Who may read sales.
#[derive(Debug)]
pub struct Reader(pub Caller);

/// Who may cancel sales.
#[derive(Debug)]
pub struct Canceller(pub Caller);

impl FromRequest for Seller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request, Scope::Write).map(Self))
    }
}

impl FromRequest for Reader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request, Scope::Read).map(Self))
    }
}

impl FromRequest for Canceller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request, Scope::Cancel).map(Self))
    }
}

fn caller(request: &HttpRequest, scope: Scope) -> Result<Caller, Problem> {
    let sign_in = request.app_data::<Data<SignIn>>();
    // Without it, no one is let in.
    let sign_in = sign_in.ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "sign-in is not set up"))?;
    Ok(sign_in.caller(request.headers(), scope)?)
}
