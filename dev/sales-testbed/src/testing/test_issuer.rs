//! An issuer of tokens for tests: a discovery document, keys, and tokens of any content signed with them.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hyper::{StatusCode, body::Bytes, header::HeaderValue, header::LOCATION};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

use crate::http_proxy::{Answer, cut_off, serve};

/// How an issuer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerBehaviour {
    /// At once.
    Working,
    /// Connections end without an answer.
    Down,
    /// After this long.
    After(Duration),
    /// The discovery document is elsewhere.
    DiscoveryAt(String),
    /// The keys are elsewhere.
    KeysAt(String),
    /// The discovery document is that of another issuer.
    Another,
    /// The keys never end.
    Endless,
}

/// An issuer on this machine.
#[derive(Debug)]
pub struct TestIssuer {
    name: String,
    state: Arc<IssuerState>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct IssuerState {
    name: String,
    behaviour: Mutex<IssuerBehaviour>,
    keys: Mutex<Vec<Value>>,
    fetches: AtomicUsize,
}

impl TestIssuer {
    /// An issuer with these public keys.
    pub async fn start(keys: impl IntoIterator<Item = Value>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let name = format!("http://{}/pool", listener.local_addr()?);
        let state = Arc::new(IssuerState {
            name: name.clone(),
            behaviour: Mutex::new(IssuerBehaviour::Working),
            keys: Mutex::new(keys.into_iter().collect()),
            fetches: AtomicUsize::new(0),
        });
        let asked = Arc::clone(&state);
        let serving =
            tokio::spawn(serve(listener, move |request| answer(Arc::clone(&asked), request.uri().path().to_owned())));
        Ok(Self { name, state, serving })
    }

    /// Its name: the `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of its keys.
    pub fn keys_url(&self) -> String {
        format!("{}/keys", self.name)
    }

    /// Changes how it answers.
    pub fn behave(&self, behaviour: IssuerBehaviour) {
        *self.state.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// Changes its public keys.
    pub fn publish(&self, keys: impl IntoIterator<Item = Value>) {
        *self.state.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys.into_iter().collect();
    }

    /// Number of requests for its keys.
    pub fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::Relaxed)
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(state: Arc<IssuerState>, path: String) -> Answer {
    let is_keys = path.ends_with("/keys");
    if is_keys {
        state.fetches.fetch_add(1, Ordering::Relaxed);
    }
    let behaviour = state.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match behaviour {
        IssuerBehaviour::Down => return cut_off(),
        IssuerBehaviour::After(time) => sleep(time).await,
        IssuerBehaviour::DiscoveryAt(place) if !is_keys => return redirect(&place),
        IssuerBehaviour::KeysAt(place) if is_keys => return redirect(&place),
        IssuerBehaviour::Endless if is_keys => return Answer::new(Bytes::from(vec![b' '; 1024 * 1024]).into()),
        _ => {}
    }
    let document = if is_keys {
        json!({ "keys": *state.keys.lock().unwrap_or_else(PoisonError::into_inner) })
    } else {
        let issuer = if behaviour == IssuerBehaviour::Another { "https://issuer.example" } else { &state.name };
        json!({ "issuer": issuer, "jwks_uri": format!("{}/keys", state.name), "token_endpoint": "unused" })
    };
    Answer::new(document.to_string().into())
}

fn redirect(place: &str) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::FOUND;
    answer.headers_mut().extend(HeaderValue::from_str(place).ok().map(|place| (LOCATION, place)));
    answer
}

/// A key that signs tokens.
#[derive(Debug)]
pub struct TestKey {
    id: String,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
}

impl TestKey {
    /// An RSA key of 2048 bits.
    pub fn rsa(id: &str) -> anyhow::Result<Self> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
        Ok(Self { id: id.to_owned(), pair: Pair::Rsa(Box::new(pair)) })
    }

    /// A key on P-256.
    pub fn p256(id: &str) -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        Ok(Self { id: id.to_owned(), pair: Pair::P256(pair) })
    }

    /// The public key as a JSON Web Key.
    pub fn public(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let [n, e] = [key.modulus(), key.exponent()].map(|part| encode(part.big_endian_without_leading_zero()));
                json!({ "kid": self.id, "kty": "RSA", "use": "sig", "alg": "RS256", "n": n, "e": e })
            }
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                let [x, y] = [&point[1..33], &point[33..]].map(encode);
                json!({ "kid": self.id, "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "x": x, "y": y })
            }
        }
    }

    /// The modulus of the public key, or its point: what an attacker knows.
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::P256(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// A token with these claims.
    pub fn token(&self, claims: &Value) -> String {
        let algorithm = match &self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
        };
        self.sign(&json!({ "alg": algorithm, "kid": self.id, "typ": "JWT" }), claims)
    }

    /// The same with any header.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signing = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
                signing.map(|()| signature).unwrap_or_default()
            }
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), signed.as_bytes());
                signature.map(|signature| signature.as_ref().to_vec()).unwrap_or_default()
            }
        };
        format!("{signed}.{}", encode(&signature))
    }
}

/// The part of a token that is signed.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()))
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
