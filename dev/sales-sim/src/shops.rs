//! The clients that sign in: two shops, and the operator, with tokens of one issuer that never end.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sales::clock::Clock;
use sales::sale::ClientId;
use sales_api::sign_in::issuer::Issuer;
use sales_api::sign_in::keys::KeySet;
use sales_api::sign_in::rules::Rules;
use sales_api::sign_in::{Gate, SignIn};
use serde_json::{Value, json};

/// Number of shops.
pub const SHOPS: usize = 2;

/// The shops' ids.
pub const NAMES: [&str; SHOPS] = ["shop-1", "shop-2"];

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "sales-api";

/// The end of the century, in seconds since 1970.
const NEVER: i64 = 4_102_444_800;

static TOKENS: LazyLock<Tokens> = LazyLock::new(Tokens::sign);

struct Tokens {
    keys: String,
    shops: [String; SHOPS],
    operator: String,
}

impl Tokens {
    fn sign() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("the system's randomness");
        let point = pair.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(encode);
        let key = json!({ "kid": "1", "kty": "EC", "crv": "P-256", "x": x, "y": y });
        let token = |client: &str, scope: &str| {
            let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "client_id": client, "scope": scope, "exp": NEVER });
            sign(&pair, &json!({ "alg": "ES256", "kid": "1", "typ": "at+jwt" }), &claims)
        };
        let own = "sales/write sales/read sales/cancel";
        Self {
            keys: json!({ "keys": [key] }).to_string(),
            shops: NAMES.map(|name| token(name, own)),
            operator: token("operator", &format!("{own} sales/all")),
        }
    }
}

fn sign(pair: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("the system's randomness");
    format!("{signed}.{}", encode(signature.as_ref()))
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The `Authorization` header of a shop.
#[must_use]
pub fn authorization(shop: usize) -> String {
    format!("Bearer {}", TOKENS.shops[shop])
}

/// The `Authorization` header of the operator, who may see every sale.
#[must_use]
pub fn authorization_of_the_operator() -> String {
    format!("Bearer {}", TOKENS.operator)
}

/// A shop's id as the services know it.
#[must_use]
pub fn client(shop: usize) -> Option<ClientId> {
    ClientId::new(NAMES[shop])
}

/// What admits the shops to an API whose clock is `clock`.
#[must_use]
pub fn sign_in(clock: &Clock) -> SignIn {
    let keys = KeySet::parse(TOKENS.keys.as_bytes()).expect("a key for ES256");
    let (audiences, scope_prefix) = (vec![AUDIENCE.to_owned()], "sales/".to_owned());
    let rules = Rules { audiences, scope_prefix, separate_issuers: false, clients: BTreeMap::new() };
    SignIn::On(Arc::new(Gate::new(vec![Issuer::with_keys(ISSUER, keys)], rules, clock.clone())))
}
