//! Why a request is refused, as RFC 6750 names it. No text repeats anything of a token.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use sales_service::http::Problem;
use thiserror::Error;

/// When a client may try again while there are no keys, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;

/// Why a request is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There is no `Authorization` header.
    #[error("a token is required: send it as Authorization: Bearer TOKEN")]
    NoToken,
    /// The `Authorization` header has no bearer token.
    #[error("the Authorization header must be Bearer and one token, as in Authorization: Bearer TOKEN")]
    NotBearer,
    /// There are several `Authorization` headers.
    #[error("the request has more than one Authorization header")]
    SeveralTokens,
    /// The token is not valid here.
    #[error(transparent)]
    Token(#[from] InvalidToken),
    /// The token does not allow this.
    #[error("the token does not have the scope {0}")]
    Scope(String),
    /// The keys of the token's issuer have never been fetched.
    #[error("the keys of the token's issuer are not known yet; try again")]
    NoKeys,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidToken {
    /// Longer than any token of an issuer.
    #[error("the token is longer than 16384 bytes")]
    TooLong,
    /// Not three parts in base64url.
    #[error("the token is not a signed JWT: three parts in base64url, separated by dots")]
    NotThreeParts,
    /// The header is not JSON, or lacks a member.
    #[error("the header of the token is not that of a signed JWT")]
    Header,
    /// The claims are not JSON, or have the wrong types.
    #[error("the claims of the token are not those of an access token")]
    Claims,
    /// `alg` is another one, such as none or HS256.
    #[error("the token is not signed with RS256 or ES256")]
    Algorithm,
    /// `crit` demands what is not understood here.
    #[error("the token demands extensions that are not understood (crit)")]
    Extensions,
    /// There is no `kid`.
    #[error("the token does not say which key signed it (kid)")]
    NoKeyId,
    /// `typ` is that of another kind of token.
    #[error("the token is of another type than an access token (typ)")]
    Type,
    /// It tells the client about a person, and nothing about what it may do.
    #[error("the token is an ID token; send the access token")]
    IdToken,
    /// `iss` is not configured.
    #[error("the token is not of an issuer that is accepted here (iss)")]
    Issuer,
    /// The issuer has no such key.
    #[error("the issuer of the token lists no key with this id (kid)")]
    UnknownKey,
    /// The key is for another algorithm.
    #[error("the key of the token is for another algorithm (alg)")]
    KeyForAnother,
    /// The signature is not that of the key.
    #[error("the signature of the token is not valid")]
    Signature,
    /// There is no `exp`.
    #[error("the token does not say when it expires (exp)")]
    NoExpiry,
    /// `exp` has passed.
    #[error("the token has expired (exp)")]
    Expired,
    /// `nbf` has not come.
    #[error("the token is not valid yet (nbf)")]
    NotYetValid,
    /// Neither `aud` nor `client_id` is configured.
    #[error("the token is not for this API (aud, or client_id where there is none)")]
    Audience,
    /// Neither `client_id`, `azp` nor `sub` names a client.
    #[error("the token does not name its client (client_id, azp or sub)")]
    Client,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        let (status, challenge) = match &refusal {
            Refusal::NoToken => (StatusCode::UNAUTHORIZED, "Bearer".to_owned()),
            Refusal::NotBearer | Refusal::SeveralTokens => {
                (StatusCode::UNAUTHORIZED, format!(r#"Bearer error="invalid_request", error_description="{detail}""#))
            }
            Refusal::Token(_) => {
                (StatusCode::UNAUTHORIZED, format!(r#"Bearer error="invalid_token", error_description="{detail}""#))
            }
            Refusal::Scope(scope) => {
                (StatusCode::FORBIDDEN, format!(r#"Bearer error="insufficient_scope", scope="{scope}""#))
            }
            Refusal::NoKeys => return Self::unavailable(detail, RETRY_AFTER_SECONDS),
        };
        // The texts above and the scopes that are configured have no other characters.
        let challenge = HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Bearer"));
        Self::new(status, detail).with(WWW_AUTHENTICATE, challenge)
    }
}
