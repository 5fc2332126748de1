//! Who is admitted: decides about the claims of a token whose signature is valid.

use std::collections::BTreeMap;

use sales::clock::Timestamp;
use sales::sale::ClientId;

use super::caller::{Caller, Scope, Scopes};
use super::refusal::InvalidToken;
use super::token::{Claims, Token};

/// Tolerance for clocks that differ, in seconds.
const LEEWAY: i64 = 60;

/// What tokens are accepted, and what their scopes are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The audiences of this API, or the ids of clients.
    pub audiences: Vec<String>,
    /// What precedes the names of scopes.
    pub scope_prefix: String,
    /// Whether the same id of two issuers is two clients.
    pub separate_issuers: bool,
    /// The names of clients by the ids that issuers have given them: one name where one client has several ids.
    pub clients: BTreeMap<String, ClientId>,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Who asks.
    pub caller: Caller,
    /// What they may do.
    pub scopes: Scopes,
    /// When the token ends, in seconds since 1970.
    pub expires_at: i64,
}

impl Rules {
    /// The scope's full name.
    #[must_use]
    pub fn name_of(&self, scope: Scope) -> String {
        format!("{}{}", self.scope_prefix, scope.name())
    }

    /// Admits the client of a token, or says what is wrong with it. The signature is verified already.
    ///
    /// # Errors
    /// If it is no access token for this API, at this time.
    pub fn admit(&self, token: &Token<'_>, now: Timestamp) -> Result<Admission, InvalidToken> {
        check_kind(token)?;
        let claims = &token.claims;
        let expires_at = claims.exp.ok_or(InvalidToken::NoExpiry)?;
        let now = now.unix_seconds();
        if now >= expires_at.saturating_add(LEEWAY) {
            return Err(InvalidToken::Expired);
        }
        if claims.nbf.is_some_and(|begin| now < begin.saturating_sub(LEEWAY)) {
            return Err(InvalidToken::NotYetValid);
        }
        if !self.is_for_this_api(claims) {
            return Err(InvalidToken::Audience);
        }
        let scopes = self.scopes(claims);
        let caller = Caller::Client { id: self.client(claims)?, all: scopes.contain(Scope::All) };
        Ok(Admission { caller, scopes, expires_at })
    }

    fn is_for_this_api(&self, claims: &Claims) -> bool {
        self.audiences.iter().any(|own| match &claims.aud {
            Some(audience) => audience.names(own),
            None => claims.client_id.as_ref() == Some(own),
        })
    }

    fn client(&self, claims: &Claims) -> Result<ClientId, InvalidToken> {
        let named = [&claims.client_id, &claims.azp, &claims.sub].into_iter().flatten().next();
        let named = named.ok_or(InvalidToken::Client)?;
        if let Some(client) = self.clients.get(named) {
            return Ok(client.clone());
        }
        // Otherwise, an issuer whose ids can be chosen could give out the name of another's client.
        if self.clients.values().any(|client| client.as_str() == named) {
            return Err(InvalidToken::Client);
        }
        // An empty id would otherwise be hidden by the issuer before it.
        ClientId::new(named).ok_or(InvalidToken::Client)?;
        match claims.iss.as_deref().filter(|_| self.separate_issuers) {
            // No issuer has a #, so this is unambiguous.
            Some(issuer) => ClientId::new(&format!("{issuer}#{named}")).ok_or(InvalidToken::Client),
            None => ClientId::new(named).ok_or(InvalidToken::Client),
        }
    }

    fn scopes(&self, claims: &Claims) -> Scopes {
        let named = claims.scope.as_deref().unwrap_or_default().split(' ');
        let known = named.filter_map(|name| {
            let name = name.strip_prefix(&self.scope_prefix)?;
            Scope::EVERY.into_iter().find(|scope| scope.name() == name)
        });
        known.fold(Scopes::default(), Scopes::with)
    }
}

/// Access tokens say so by their type (RFC 9068) or their use (Cognito). Where neither says so, what only ID tokens have
/// gives those away.
fn check_kind(token: &Token<'_>) -> Result<(), InvalidToken> {
    let claims = &token.claims;
    match claims.token_use.as_deref() {
        None | Some("access") => {}
        Some(_) => return Err(InvalidToken::IdToken),
    }
    let has_marks_of_an_id_token = [&claims.nonce, &claims.at_hash, &claims.c_hash].into_iter().any(Option::is_some);
    match token.kind.as_deref() {
        Some("at+jwt") => Ok(()),
        None | Some("jwt") if claims.token_use.is_some() || !has_marks_of_an_id_token => Ok(()),
        None | Some("jwt") => Err(InvalidToken::IdToken),
        Some(_) => Err(InvalidToken::Type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign_in::token::Algorithm;
    use serde_json::{Value, json};

    const NOW: i64 = 1_764_547_199;

    fn rules(separate_issuers: bool) -> Rules {
        let audiences = vec!["sales-api".to_owned(), "cognito-client".to_owned()];
        Rules { audiences, scope_prefix: "sales/".into(), separate_issuers, clients: BTreeMap::new() }
    }

    fn admit(kind: Option<&str>, changes: &Value) -> Result<Admission, InvalidToken> {
        let mut claims = json!({"iss": "https://i.example/p", "aud": "sales-api", "exp": NOW + 100, "sub": "subject",
            "scope": "openid sales/write sales/read"});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        admit_by(&rules(false), kind, &claims)
    }

    fn admit_by(rules: &Rules, kind: Option<&str>, claims: &Value) -> Result<Admission, InvalidToken> {
        let claims = serde_json::from_value(claims.clone()).unwrap();
        let kind = kind.map(str::to_owned);
        let token =
            Token { algorithm: Algorithm::Rs256, key_id: String::new(), kind, claims, signed: "", signature: "" };
        rules.admit(&token, Timestamp::from_unix_seconds(NOW).unwrap())
    }

    #[test]
    fn the_client_is_the_client_id_else_azp_else_sub() {
        for (claims, client) in [
            (json!({}), "subject"),
            (json!({"azp": "party"}), "party"),
            (json!({"azp": "party", "client_id": "client"}), "client"),
        ] {
            let admission = admit(None, &claims).unwrap();
            assert_eq!(admission.caller.client().unwrap().as_str(), client);
        }
        for claims in [json!({"sub": null}), json!({"client_id": ""}), json!({"client_id": "a b"})] {
            assert_eq!(admit(None, &claims), Err(InvalidToken::Client), "{claims}");
        }
    }

    #[test]
    fn a_client_with_several_ids_has_one_name_that_no_other_client_can_have() {
        let shop = ClientId::new("shop").unwrap();
        let clients = [("1a2b".to_owned(), shop.clone()), ("3c4d".to_owned(), shop)].into();
        let rules = Rules { clients, ..rules(false) };
        let client = |id: &str| {
            let claims = json!({"iss": "https://i", "aud": "sales-api", "exp": NOW, "client_id": id});
            admit_by(&rules, None, &claims).map(|admission| admission.caller.client().unwrap().to_string())
        };
        for (id, expected) in [("1a2b", Ok("shop")), ("3c4d", Ok("shop")), ("5e6f", Ok("5e6f"))] {
            assert_eq!(client(id), expected.map(str::to_owned), "{id}");
        }
        assert_eq!(client("shop"), Err(InvalidToken::Client));
    }

    #[test]
    fn separate_issuers_name_separate_clients() {
        let client = |issuer: &str, client: &str| {
            let claims = json!({"iss": issuer, "aud": "sales-api", "exp": NOW, "client_id": client});
            admit_by(&rules(true), None, &claims).map(|admission| admission.caller.client().unwrap().to_string())
        };
        assert_eq!(client("https://i", "shop").unwrap(), "https://i#shop");
        assert_eq!(client("https://i", ""), Err(InvalidToken::Client));
    }

    #[test]
    fn a_token_is_accepted_from_a_minute_before_its_beginning_to_a_minute_after_its_end() {
        for (claims, outcome) in [
            (json!({"exp": NOW - 59}), Ok(())),
            (json!({"exp": NOW - 60}), Err(InvalidToken::Expired)),
            (json!({"exp": i64::MIN}), Err(InvalidToken::Expired)),
            (json!({"exp": i64::MAX, "nbf": i64::MIN}), Ok(())),
            (json!({"exp": null}), Err(InvalidToken::NoExpiry)),
            (json!({"nbf": NOW + 60}), Ok(())),
            (json!({"nbf": NOW + 61}), Err(InvalidToken::NotYetValid)),
        ] {
            assert_eq!(admit(None, &claims).map(|_| ()), outcome, "{claims}");
        }
    }

    #[test]
    fn the_audience_decides_and_the_client_id_only_where_there_is_none() {
        for (claims, outcome) in [
            (json!({"aud": ["other", "sales-api"]}), Ok(())),
            (json!({"aud": "other"}), Err(InvalidToken::Audience)),
            (json!({"aud": []}), Err(InvalidToken::Audience)),
            (json!({"aud": "other", "client_id": "cognito-client"}), Err(InvalidToken::Audience)),
            (json!({"aud": null, "client_id": "cognito-client"}), Ok(())),
            (json!({"aud": null, "client_id": "other"}), Err(InvalidToken::Audience)),
            (json!({"aud": null}), Err(InvalidToken::Audience)),
            (json!({"aud": null, "azp": "cognito-client"}), Err(InvalidToken::Audience)),
        ] {
            assert_eq!(admit(None, &claims).map(|_| ()), outcome, "{claims}");
        }
    }

    #[test]
    fn id_tokens_and_other_kinds_are_refused() {
        for (kind, claims, outcome) in [
            (None, json!({"token_use": "access", "nonce": "n"}), Ok(())),
            (None, json!({"token_use": "id"}), Err(InvalidToken::IdToken)),
            (Some("at+jwt"), json!({"token_use": "id"}), Err(InvalidToken::IdToken)),
            (Some("at+jwt"), json!({"nonce": "n"}), Ok(())),
            (Some("jwt"), json!({"nonce": "n"}), Err(InvalidToken::IdToken)),
            (None, json!({"at_hash": "h"}), Err(InvalidToken::IdToken)),
            (Some("jwt"), json!({"c_hash": "h"}), Err(InvalidToken::IdToken)),
            (Some("jwt"), json!({}), Ok(())),
            (Some("logout+jwt"), json!({}), Err(InvalidToken::Type)),
            (Some("dpop+jwt"), json!({"token_use": "access"}), Err(InvalidToken::Type)),
        ] {
            assert_eq!(admit(kind, &claims).map(|_| ()), outcome, "{kind:?} {claims}");
        }
    }

    #[test]
    fn only_whole_scopes_with_the_prefix_count() {
        for (scope, expected) in [
            (json!("sales/write sales/cancel"), [true, false, true, false]),
            (json!("sales/read sales/all"), [false, true, false, true]),
            (json!("write sales/writes sales/ SALES/READ xsales/read"), [false; 4]),
            (json!(""), [false; 4]),
            (Value::Null, [false; 4]),
        ] {
            let admission = admit(None, &json!({"scope": scope})).unwrap();
            assert_eq!(Scope::EVERY.map(|scope| admission.scopes.contain(scope)), expected, "{scope}");
            assert!(matches!(admission.caller, Caller::Client { all, .. } if all == expected[3]));
        }
    }
}
