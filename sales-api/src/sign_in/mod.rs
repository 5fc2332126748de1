//! Sign-in: who asks, by an OAuth 2.0 access token (RFC 6750), and what they may do.
//!
//! [`token`] reads a token without trusting it, [`keys`] verify its signature, and [`rules`] decide about its claims: a
//! [`caller`], or a [`refusal`]. [`remembered`] tokens need no second verification. The keys of each [`issuer`] are fetched
//! in the background ([`fetch`], [`address`]). [`settings`] reads the variables.

pub mod address;
pub mod caller;
pub mod fetch;
pub mod issuer;
pub mod keys;
pub mod refusal;
pub mod remembered;
pub mod rules;
pub mod settings;
pub mod token;

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use sales::clock::{Clock, Timestamp};

use self::caller::{Caller, Scope};
use self::issuer::Issuer;
use self::refusal::{InvalidToken, Refusal};
use self::remembered::{Remembered, Verified};
use self::rules::{Admission, Rules};
use self::token::Token;

/// Whether clients sign in. Cheap to clone.
#[derive(Clone)]
pub enum SignIn {
    /// Everyone may do everything.
    Off,
    /// With a token.
    On(Arc<Gate>),
}

/// Admits clients by their tokens.
pub struct Gate {
    issuers: Vec<Issuer>,
    rules: Rules,
    remembered: Remembered,
    clock: Clock,
}

impl SignIn {
    /// `on` or `off`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On(_) => "on",
        }
    }

    /// Who sends a request with these headers, if they may do what `scope` is for.
    ///
    /// # Errors
    /// If they may not.
    pub fn caller(&self, headers: &HeaderMap, scope: Scope) -> Result<Caller, Refusal> {
        match self {
            Self::Off => Ok(Caller::Anyone),
            Self::On(gate) => gate.admit(bearer_token(headers)?, scope),
        }
    }
}

impl Gate {
    /// A gate for the tokens of `issuers`.
    #[must_use]
    pub fn new(issuers: Vec<Issuer>, rules: Rules, clock: Clock) -> Self {
        Self { issuers, rules, remembered: Remembered::default(), clock }
    }

    /// Waits until the keys of every issuer are known.
    pub async fn ready(&self) {
        for issuer in &self.issuers {
            issuer.known().await;
        }
    }

    fn admit(&self, text: &str, scope: Scope) -> Result<Caller, Refusal> {
        let admission = self.admission(text)?;
        if admission.scopes.contain(scope) {
            Ok(admission.caller.clone())
        } else {
            Err(Refusal::Scope(self.rules.name_of(scope)))
        }
    }

    fn admission(&self, text: &str) -> Result<Arc<Admission>, Refusal> {
        if text.len() > token::LARGEST_TOKEN {
            return Err(InvalidToken::TooLong.into());
        }
        let (hash, now) = (Remembered::hash(text), self.clock.now());
        // Once its issuer's keys have changed, a token is verified again.
        if let Some(Verified { admission, keys }) = self.remembered.find(&hash, now)
            && self.issuers.iter().any(|issuer| issuer.keys().is_some_and(|known| Arc::ptr_eq(&known, &keys)))
        {
            return Ok(admission);
        }
        let verified = self.verify(text, now)?;
        self.remembered.add(hash, verified.clone(), now);
        Ok(verified.admission)
    }

    fn verify(&self, text: &str, now: Timestamp) -> Result<Verified, Refusal> {
        let token = Token::read(text)?;
        let named = token.claims.iss.as_deref();
        let issuer = self.issuers.iter().find(|issuer| named == Some(issuer.name())).ok_or(InvalidToken::Issuer)?;
        let keys = issuer.keys().ok_or(Refusal::NoKeys)?;
        if let Err(error) = keys.verify(&token) {
            if error == InvalidToken::UnknownKey {
                issuer.miss_key();
            }
            return Err(error.into());
        }
        Ok(Verified { admission: Arc::new(self.rules.admit(&token, now)?), keys })
    }
}

/// The token of the one `Authorization` header; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer_token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION);
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Refusal::SeveralTokens);
    }
    let value = first.ok_or(Refusal::NoToken)?.to_str().map_err(|_| Refusal::NotBearer)?;
    let (scheme, token) = value.trim().split_once(' ').ok_or(Refusal::NotBearer)?;
    let token = token.trim_start();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains([' ', ',']) {
        Ok(token)
    } else {
        Err(Refusal::NotBearer)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_bearer_token_is_the_only_one_whatever_the_case_of_its_scheme() {
        let with = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| headers.append(AUTHORIZATION, HeaderValue::from_static(value)));
            bearer_token(&headers).map(str::to_owned)
        };
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c "] {
            assert_eq!(with(&[value]), Ok("a.b.c".to_owned()), "{value}");
        }
        for value in
            ["", "Bearer", "Bearer ", "Basic a.b.c", "Bearera.b.c", "a.b.c", "Bearer a.b.c, Bearer d", "Bearer a b"]
        {
            assert_eq!(with(&[value]), Err(Refusal::NotBearer), "{value}");
        }
        assert_eq!(with(&[]), Err(Refusal::NoToken));
        assert_eq!(with(&["Bearer a.b.c", "Bearer a.b.c"]), Err(Refusal::SeveralTokens));
    }
}
