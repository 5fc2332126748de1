//! Sign-in by the emulator's Cognito: a user pool in each region, with the same clients in both.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use reqwest::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::resources::{ACCOUNT, REGIONS};

/// Two shops, and the operator, who may see every client's sales.
pub const CLIENTS: [&str; 3] = ["shop-1", "shop-2", OPERATOR];

/// The client of smoke tests and drills.
pub const OPERATOR: &str = "operator";

/// The resource server; a slash after it is the API's default prefix of scopes.
const RESOURCE_SERVER: &str = "sales";

/// The scopes that each client has, and the one that only the operator has.
const OWN_SALES: [&str; 3] = ["write", "read", "cancel"];
const EVERY_SALE: &str = "all";

/// A client's credentials in a pool.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Credentials {
    /// The id that Cognito has given it.
    #[serde(rename = "ClientId")]
    pub id: String,
    /// Its secret.
    #[serde(rename = "ClientSecret")]
    pub secret: String,
}

/// A region's user pool.
#[derive(Debug, Clone)]
pub struct UserPool {
    id: String,
    region: String,
    clients: BTreeMap<&'static str, Credentials>,
}

/// The pools of both regions, in the order of [`REGIONS`].
#[derive(Debug, Clone)]
pub struct UserPools([UserPool; 2]);

impl UserPools {
    /// Creates them in the emulator at `endpoint`.
    pub async fn create(client: &Client, endpoint: &str) -> anyhow::Result<Self> {
        let [first, second] = REGIONS.map(|region| UserPool::create(Cognito { client, endpoint, region }));
        Ok(Self([first.await?, second.await?]))
    }

    /// The variables with which an API accepts the tokens of both pools. `endpoints`: AWS in each region.
    pub fn api_environment(&self, endpoints: &[String; 2]) -> Vec<(String, String)> {
        let list = |values: Vec<String>| values.join(",");
        let clients = || self.0.iter().flat_map(|pool| &pool.clients);
        let keys = self.0.iter().zip(endpoints).map(|(pool, endpoint)| pool.keys_url(endpoint));
        [
            ("OIDC_ISSUERS", list(self.0.iter().map(UserPool::issuer).collect())),
            ("OIDC_JWKS_URLS", list(keys.collect())),
            // A Cognito token has no audience: the ids of the clients stand for it.
            ("OIDC_AUDIENCES", list(clients().map(|(_, credentials)| credentials.id.clone()).collect())),
            ("OIDC_CLIENTS", list(clients().map(|(name, credentials)| format!("{}={name}", credentials.id)).collect())),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// A client's credentials in each pool.
    pub fn credentials(&self, client: &str) -> [Option<&Credentials>; 2] {
        [0, 1].map(|position: usize| self.0[position].clients.get(client))
    }
}

impl UserPool {
    async fn create(cognito: Cognito<'_>) -> anyhow::Result<Self> {
        let pool: CreatedPool = cognito.call("CreateUserPool", json!({ "PoolName": "sales" })).await?;
        let id = pool.user_pool.id;
        let scopes = OWN_SALES.into_iter().chain([EVERY_SALE]);
        let scopes: Vec<Value> = scopes.map(|scope| json!({ "ScopeName": scope, "ScopeDescription": scope })).collect();
        let server = json!({ "UserPoolId": id, "Identifier": RESOURCE_SERVER, "Name": "sales", "Scopes": scopes });
        let _: Value = cognito.call("CreateResourceServer", server).await?;
        let mut clients = BTreeMap::new();
        for name in CLIENTS {
            let scopes = OWN_SALES.into_iter().chain((name == OPERATOR).then_some(EVERY_SALE));
            let scopes: Vec<String> = scopes.map(|scope| format!("{RESOURCE_SERVER}/{scope}")).collect();
            let input = json!({
                "UserPoolId": id, "ClientName": name, "GenerateSecret": true, "AllowedOAuthScopes": scopes,
                "AllowedOAuthFlows": ["client_credentials"], "AllowedOAuthFlowsUserPoolClient": true,
            });
            let created: CreatedClient = cognito.call("CreateUserPoolClient", input).await?;
            clients.insert(name, created.user_pool_client);
        }
        Ok(Self { id, region: cognito.region.to_owned(), clients })
    }

    fn issuer(&self) -> String {
        format!("https://cognito-idp.{}.amazonaws.com/{}", self.region, self.id)
    }

    /// The emulator has the keys where it is, and not where the issuer's name says.
    fn keys_url(&self, endpoint: &str) -> String {
        format!("{endpoint}/{}/.well-known/jwks.json", self.id)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreatedPool {
    user_pool: PoolId,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PoolId {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreatedClient {
    user_pool_client: Credentials,
}

/// Cognito in a region, without its SDK, which takes longer to compile than all of this crate.
#[derive(Clone, Copy)]
struct Cognito<'a> {
    client: &'a Client,
    endpoint: &'a str,
    region: &'a str,
}

impl Cognito<'_> {
    /// The emulator takes the region from the signature's scope, and does not verify the signature.
    async fn call<O: DeserializeOwned>(self, operation: &str, input: Value) -> anyhow::Result<O> {
        let Self { client, endpoint, region } = self;
        let scope = format!("Credential={ACCOUNT}/20260101/{region}/cognito-idp/aws4_request");
        let request = client
            .post(endpoint)
            .header("Authorization", format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=none"))
            .header("Content-Type", "application/x-amz-json-1.1")
            .header("X-Amz-Target", format!("AWSCognitoIdentityProviderService.{operation}"))
            .body(input.to_string());
        let response = request.send().await.with_context(|| format!("{operation} in {region}"))?;
        if !response.status().is_success() {
            bail!("{operation} in {region}: {}: {}", response.status(), response.text().await?);
        }
        response.json().await.with_context(|| format!("the answer of {operation} in {region}"))
    }
}
