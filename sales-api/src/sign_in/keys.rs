//! The public keys of an issuer (RFC 7517), each for one algorithm.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::verify;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::refusal::InvalidToken;
use super::token::{Algorithm, Token};

/// Bits of the smallest RSA key (RFC 7518, section 3.3), in bytes.
const SMALLEST_MODULUS: usize = 256;

/// Length of a coordinate of P-256, in bytes.
const COORDINATE: usize = 32;

/// The keys of an issuer that can verify tokens.
pub struct KeySet {
    keys: BTreeMap<(Algorithm, String), DecodingKey>,
    text: String,
}

impl PartialEq for KeySet {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A set without a key that can verify tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no key for RS256 or ES256 in the set of keys")]
pub struct NoKeys;

#[derive(Deserialize)]
struct Received<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Serialize)]
struct Kept<'a> {
    keys: Vec<&'a Jwk>,
}

/// The members of a key that are read.
#[derive(Deserialize, Serialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(skip_serializing)]
    alg: Option<String>,
    #[serde(rename = "use", skip_serializing)]
    purpose: Option<String>,
    #[serde(skip_serializing)]
    key_ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl Jwk {
    /// The one algorithm that the key is for, and the key; `None` if it is for none that is accepted.
    fn key(&self) -> Option<(Algorithm, DecodingKey)> {
        let is_for_signatures = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        let (algorithm, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => (Algorithm::Rs256, rsa(self.n.as_deref()?, self.e.as_deref()?)?),
            ("EC", Some("P-256")) => (Algorithm::Es256, p256(self.x.as_deref()?, self.y.as_deref()?)?),
            _ => return None,
        };
        let is_its_own = self.alg.as_deref().is_none_or(|named| Algorithm::parse(named) == Some(algorithm));
        (is_for_signatures && is_its_own).then_some((algorithm, key))
    }
}

fn rsa(modulus: &str, exponent: &str) -> Option<DecodingKey> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(modulus).ok()?;
    let length = bytes.iter().skip_while(|byte| **byte == 0).count();
    (length >= SMALLEST_MODULUS).then(|| DecodingKey::from_rsa_components(modulus, exponent).ok())?
}

fn p256(x: &str, y: &str) -> Option<DecodingKey> {
    let is_coordinate = |text| BASE64_URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == COORDINATE);
    (is_coordinate(x) && is_coordinate(y)).then(|| DecodingKey::from_ec_components(x, y).ok())?
}

impl KeySet {
    /// Parses a set of keys. Those of an unknown kind, for another purpose or without an id are left out; of two for one
    /// algorithm with one id, the first counts.
    ///
    /// # Errors
    /// If no key is left, or it is no set of keys.
    pub fn parse(json: &[u8]) -> Result<Self, NoKeys> {
        let received: Received<'_> = serde_json::from_slice(json).map_err(|_| NoKeys)?;
        let mut known = BTreeMap::new();
        for key in received.keys {
            let Ok(jwk) = serde_json::from_str::<Jwk>(key.get()) else { continue };
            let Some((algorithm, key)) = jwk.key() else { continue };
            known.entry((algorithm, jwk.kid.clone())).or_insert((jwk, key));
        }
        if known.is_empty() {
            return Err(NoKeys);
        }
        let kept = Kept { keys: known.values().map(|(jwk, _)| jwk).collect() };
        let text = serde_json::to_string(&kept).map_err(|_| NoKeys)?;
        Ok(Self { keys: known.into_iter().map(|(id, (_, key))| (id, key)).collect(), text })
    }

    /// The keys as a set of keys in one canonical form, without what is not read.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.text
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Verifies the signature of a token.
    ///
    /// # Errors
    /// If no key of this id is for the token's algorithm, or the signature is not that of the key.
    pub fn verify(&self, token: &Token<'_>) -> Result<(), InvalidToken> {
        let (wanted, other, algorithm) = match token.algorithm {
            Algorithm::Rs256 => (Algorithm::Rs256, Algorithm::Es256, jsonwebtoken::Algorithm::RS256),
            Algorithm::Es256 => (Algorithm::Es256, Algorithm::Rs256, jsonwebtoken::Algorithm::ES256),
        };
        let Some(key) = self.keys.get(&(wanted, token.key_id.clone())) else {
            let for_another = self.keys.contains_key(&(other, token.key_id.clone()));
            return Err(if for_another { InvalidToken::KeyForAnother } else { InvalidToken::UnknownKey });
        };
        match verify(token.signature, token.signed.as_bytes(), key, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(InvalidToken::Signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of RFC 7517, appendix A.1, and variations of them.
    const EC: &str = r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
    const RSA: &str = r#""kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw""#;

    fn set(keys: &[String]) -> Result<KeySet, NoKeys> {
        KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
    }

    #[test]
    fn keys_of_other_kinds_and_purposes_are_left_out() {
        let good = [format!(r#"{{{EC},"kid":"1","alg":"ES256","use":"sig"}}"#), format!(r#"{{{RSA},"kid":"1"}}"#)];
        let other = [
            r#"{"kty":"oct","kid":"2","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}"#.to_owned(),
            r#"{"kty":"OKP","kid":"3","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#.to_owned(),
            r#"{"kty":"AKP","kid":"4","pub":"x"}"#.to_owned(),
            format!(r#"{{{EC},"kid":"5","use":"enc"}}"#),
            format!(r#"{{{RSA},"kid":"6","alg":"RS512"}}"#),
            format!(r#"{{{RSA},"kid":"7","alg":"HS256"}}"#),
            format!(r#"{{{RSA},"kid":"8","key_ops":["encrypt"]}}"#),
            format!(r#"{{{RSA}}}"#),
            r#"{"kty":"RSA","kid":"9","e":"AQAB","n":"0vx7agoebGcQ"}"#.to_owned(),
            r#"{"kty":"EC","kid":"10","crv":"P-256","x":"MKBC","y":"4Etl"}"#.to_owned(),
            "7".to_owned(),
            "null".to_owned(),
        ];
        let all: Vec<String> = other.iter().chain(&good).cloned().collect();
        assert!(set(&all).unwrap() == set(&good).unwrap());
        assert_eq!(set(&all).unwrap().len(), 2);
        assert_eq!(set(&other).map(|_| ()), Err(NoKeys));
        for json in ["", "{}", "[]", r#"{"keys":7}"#, r#"{"keys":[]}"#] {
            assert_eq!(KeySet::parse(json.as_bytes()).map(|_| ()), Err(NoKeys), "{json}");
        }
    }

    #[test]
    fn a_set_is_read_as_it_is_kept_without_what_is_private() {
        let set = set(&[format!(r#"{{{RSA},"kid":"1","d":"private"}}"#), format!(r#"{{{EC},"kid":"2"}}"#)]).unwrap();
        assert!(!set.as_json().contains("private"));
        assert!(KeySet::parse(set.as_json().as_bytes()).unwrap() == set);
    }
}
