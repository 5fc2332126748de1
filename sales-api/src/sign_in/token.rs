//! Reading a token (RFC 7515, RFC 7519), without trusting anything in it.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::refusal::InvalidToken;

/// Maximum length of a token, in bytes. Nothing longer is decoded.
pub const LARGEST_TOKEN: usize = 16 * 1024;

/// Algorithms of signatures. There is no other: not `none`, and none with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// The algorithm of this name; names are case-sensitive.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// A token as it was sent: well-formed, and not verified.
#[derive(Debug)]
pub struct Token<'a> {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// The id of the key that signed it.
    pub key_id: String,
    /// What kind of token it is, in lower case, without `application/`.
    pub kind: Option<String>,
    /// What it claims.
    pub claims: Claims,
    /// What is signed.
    pub signed: &'a str,
    /// The signature, in base64url.
    pub signature: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
}

/// The claims that are read; others are ignored.
#[derive(Debug, Default, Deserialize)]
pub struct Claims {
    /// The issuer.
    pub iss: Option<String>,
    /// For whom the token is.
    pub aud: Option<Audience>,
    /// When it ends, in seconds since 1970.
    #[serde(default, deserialize_with = "seconds")]
    pub exp: Option<i64>,
    /// When it begins.
    #[serde(default, deserialize_with = "seconds")]
    pub nbf: Option<i64>,
    /// The client, in RFC 9068 and Cognito's form.
    pub client_id: Option<String>,
    /// The client, in OpenID Connect's form.
    pub azp: Option<String>,
    /// The subject: of a token that a client got for itself, that client.
    pub sub: Option<String>,
    /// The scopes, separated by spaces.
    pub scope: Option<String>,
    /// Cognito: `access` or `id`.
    pub token_use: Option<String>,
    /// Only in ID tokens (OpenID Connect Core, sections 2 and 3.3.2.11), as are the next two.
    pub nonce: Option<IgnoredAny>,
    /// A hash of the access token.
    pub at_hash: Option<IgnoredAny>,
    /// A hash of the code.
    pub c_hash: Option<IgnoredAny>,
}

/// One name, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Audience {
    /// Whether `name` is one of them.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(several) => several.iter().any(|one| one == name),
        }
    }
}

impl<'a> Token<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// If it is too long, not a signed JWT, or signed in a way that is never accepted.
    pub fn read(text: &'a str) -> Result<Self, InvalidToken> {
        if text.len() > LARGEST_TOKEN {
            return Err(InvalidToken::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(InvalidToken::NotThreeParts)?;
        let parts = signed.split_once('.').filter(|(_, claims)| !claims.contains('.'));
        let (header, claims) = parts.ok_or(InvalidToken::NotThreeParts)?;
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.decode(part));
        let header: Header = object(&header.map_err(|_| InvalidToken::NotThreeParts)?).ok_or(InvalidToken::Header)?;
        let algorithm = Algorithm::parse(&header.alg).ok_or(InvalidToken::Algorithm)?;
        if header.crit.is_some() {
            return Err(InvalidToken::Extensions);
        }
        let claims = object(&claims.map_err(|_| InvalidToken::NotThreeParts)?).ok_or(InvalidToken::Claims)?;
        let kind = header.typ.map(|kind| kind.to_ascii_lowercase());
        let kind = kind.map(|kind| kind.strip_prefix("application/").map(str::to_owned).unwrap_or(kind));
        let key_id = header.kid.ok_or(InvalidToken::NoKeyId)?;
        Ok(Self { algorithm, key_id, kind, claims, signed, signature })
    }
}

/// A JSON object; serde would also accept an array for a struct.
fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(json).ok())?
}

/// A `NumericDate`: seconds, which may have a fraction.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    #[expect(clippy::cast_possible_truncation, reason = "a time out of range is the last one in range")]
    Ok(number.map(|number| number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or(f64::MAX) as i64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(header: &str, claims: &str) -> String {
        format!("{}.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    const HEADER: &str = r#"{"alg":"RS256","kid":"k1"}"#;

    #[test]
    fn a_token_is_read_with_the_claims_that_count() {
        let claims = r#"{"iss":"https://i","aud":["a","b"],"exp":1764547199.9,"nbf":1764547000,"scope":"x y","x":{}}"#;
        let text = encode(r#"{"typ":"application/AT+jwt","alg":"ES256","kid":"k1","x":1}"#, claims);
        let token = Token::read(&text).unwrap();
        assert_eq!((token.algorithm, token.key_id.as_str()), (Algorithm::Es256, "k1"));
        assert_eq!((token.kind.as_deref(), token.signature), (Some("at+jwt"), "c2ln"));
        let Claims { iss, exp, nbf, scope, aud, .. } = token.claims;
        assert_eq!((iss.as_deref(), scope.as_deref()), (Some("https://i"), Some("x y")));
        assert_eq!((exp, nbf), (Some(1_764_547_199), Some(1_764_547_000)));
        let aud = aud.unwrap();
        assert!(aud.names("a") && aud.names("b") && !aud.names("ab"));
        assert_eq!(format!("{}.{}", token.signed, token.signature), text);
    }

    #[test]
    fn a_token_that_is_none_says_why() {
        for (text, why) in [
            (String::new(), InvalidToken::NotThreeParts),
            ("a.b".into(), InvalidToken::NotThreeParts),
            ("...".into(), InvalidToken::NotThreeParts),
            ("!.!.!".into(), InvalidToken::NotThreeParts),
            (format!("{}.x", encode(HEADER, "{}")), InvalidToken::NotThreeParts),
            (encode(HEADER, "{}").replacen('.', "=.", 1), InvalidToken::NotThreeParts),
            ("e".repeat(LARGEST_TOKEN + 1), InvalidToken::TooLong),
            ("..".into(), InvalidToken::Header),
            (encode("[\"RS256\",\"k1\",null,null]", "{}"), InvalidToken::Header),
            (encode(r#"{"kid":"k1"}"#, "{}"), InvalidToken::Header),
            (encode(r#"{"alg":"RS256","alg":"none","kid":"k1"}"#, "{}"), InvalidToken::Header),
            (encode(r#"{"alg":"none","kid":"k1"}"#, "{}"), InvalidToken::Algorithm),
            (encode(r#"{"alg":"HS256","kid":"k1"}"#, "{}"), InvalidToken::Algorithm),
            (encode(r#"{"alg":"rs256","kid":"k1"}"#, "{}"), InvalidToken::Algorithm),
            (encode(r#"{"alg":"RS256","kid":"k1","crit":["b64"],"b64":false}"#, "{}"), InvalidToken::Extensions),
            (encode(r#"{"alg":"RS256"}"#, "{}"), InvalidToken::NoKeyId),
            (encode(HEADER, "[]"), InvalidToken::Claims),
            (encode(HEADER, r#"{"exp":"tomorrow"}"#), InvalidToken::Claims),
            (encode(HEADER, r#"{"iss":7}"#), InvalidToken::Claims),
            (encode(HEADER, r#"{"iss":"a","iss":"b"}"#), InvalidToken::Claims),
            (encode(HEADER, &"[".repeat(9_000)), InvalidToken::Claims),
        ] {
            assert_eq!(Token::read(&text).map(|_| ()), Err(why), "{text}");
        }
    }

    #[test]
    fn times_out_of_range_are_the_last_ones_in_range() {
        for (sent, read) in [("1e300", i64::MAX), ("-1e300", i64::MIN), ("18446744073709551615", i64::MAX)] {
            let text = encode(HEADER, &format!(r#"{{"exp":{sent}}}"#));
            assert_eq!(Token::read(&text).unwrap().claims.exp, Some(read));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,400}") {
            let _ = Token::read(&text);
        }

        #[test]
        fn any_bytes_in_three_parts_are_read_or_refused(
            header in prop::collection::vec(any::<u8>(), 0..200),
            claims in prop::collection::vec(any::<u8>(), 0..200),
            signature in "[A-Za-z0-9_.=-]{0,60}",
        ) {
            let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
            let _ = Token::read(&format!("{header}.{claims}.{signature}"));
        }

        #[test]
        fn a_changed_byte_never_makes_a_token_of_another_algorithm(place in 0_usize..60, byte in any::<u8>()) {
            let mut bytes = encode(HEADER, r#"{"iss":"https://i","exp":1}"#).into_bytes();
            let place = place % bytes.len();
            bytes[place] = byte;
            if let Ok(text) = String::from_utf8(bytes)
                && let Ok(token) = Token::read(&text)
            {
                prop_assert_eq!(token.algorithm, Algorithm::Rs256);
            }
        }
    }
}
