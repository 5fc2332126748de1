//! What the API does for a request with a token: the API's own code, on tokens of an issuer that is made for the measurement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use anyhow::{Context, bail};
use clap::ValueEnum;
use sales::clock::Clock;
use sales::sale::ClientId;
use sales_api::sign_in::caller::Scope;
use sales_api::sign_in::issuer::Issuer;
use sales_api::sign_in::keys::KeySet;
use sales_api::sign_in::rules::Rules;
use sales_api::sign_in::{Gate, SignIn};
use sales_testbed::testing::TestKey;
use serde_json::json;

use crate::ceilings::Cost;
use crate::usage::cpu_time;

const ISSUER: &str = "https://cognito-idp.sa-east-1.amazonaws.com/sa-east-1_0123456789";
const CLIENT: &str = "0123456789abcdefghijklmnop";

/// Different tokens.
const TOKENS: usize = 200;

/// A request's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenKind {
    /// Verified a short while ago.
    Seen,
    /// Never seen before, signed with RSA.
    Rs256,
    /// Never seen before, signed on P-256.
    Es256,
}

/// Admits requests for `time`, and returns the cost to this process.
///
/// # Errors
/// If one is refused.
pub(crate) fn admit(kind: TokenKind, time: Duration) -> anyhow::Result<Cost> {
    let key = if kind == TokenKind::Es256 { TestKey::p256("key-1") } else { TestKey::rsa("key-1") }?;
    let requests = (0..TOKENS).map(|number| request(&key, number)).collect::<anyhow::Result<Vec<_>>>()?;
    let before = (Instant::now(), cpu_time(std::process::id())?);
    let mut calls = 0;
    let mut sign_in = new_sign_in(&key)?;
    while before.0.elapsed() < time {
        if kind != TokenKind::Seen {
            // It has seen none.
            sign_in = new_sign_in(&key)?;
        }
        for request in &requests {
            if sign_in.caller(request, Scope::Write).is_err() {
                bail!("a valid token was refused");
            }
            calls += 1;
        }
    }
    Ok(Cost { calls, cpu_seconds: (cpu_time(std::process::id())? - before.1).as_secs_f64() })
}

fn new_sign_in(key: &TestKey) -> anyhow::Result<SignIn> {
    let keys = KeySet::parse(json!({ "keys": [key.public()] }).to_string().as_bytes())?;
    let rules = Rules {
        audiences: vec![CLIENT.to_owned()],
        scope_prefix: "sales/".to_owned(),
        separate_issuers: false,
        clients: [(CLIENT.to_owned(), ClientId::new("shop-1").context("no client's name")?)].into(),
    };
    Ok(SignIn::On(Arc::new(Gate::new(vec![Issuer::with_keys(ISSUER, keys)], rules, Clock::system()))))
}

/// With a token of the size and content of Cognito's.
fn request(key: &TestKey, number: usize) -> anyhow::Result<HeaderMap> {
    let now = Clock::system().now().unix_seconds();
    let token = key.token(&json!({
        "sub": CLIENT, "token_use": "access", "scope": "sales/write sales/read sales/cancel", "auth_time": now,
        "iss": ISSUER, "exp": now + 3_600, "iat": now, "version": 2, "client_id": CLIENT,
        "jti": format!("0192f5c0-7c1d-7a3e-8f11-{number:012x}"),
    }));
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
    Ok(headers)
}
