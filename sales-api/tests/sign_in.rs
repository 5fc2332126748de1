//! Sign-in over HTTP, with an issuer of the tests' own: the production binary on the emulator.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]
#![expect(clippy::disallowed_types, reason = "a test looks into the table and the queue itself")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::future::join_all;
use reqwest::{Response, StatusCode};
use sales::clock::Clock;
use sales_testbed::resources::RegionResources;
use sales_testbed::testing::{
    IssuerBehaviour, Launch, Running, Stage, TestIssuer, TestKey, client, eventually, unsigned,
};
use serde_json::{Value, json};

const ORDER: &str = r#"{"product":"Livro","amount":14.5}"#;
const UNKNOWN: &str = "/sales/0192f5c0-7c1d-7a3e-8f11-0123456789ab";
const EVERYTHING: &str = "sales/write sales/read sales/cancel";

/// An issuer with an RSA key, and a stage.
struct Scene {
    stage: Stage,
    issuer: TestIssuer,
    key: TestKey,
}

impl Scene {
    async fn set(prefix: &str) -> Self {
        let key = TestKey::rsa("key-1").unwrap();
        let issuer = TestIssuer::start([key.public()]).await.unwrap();
        Self { stage: Stage::set(prefix).await.unwrap(), issuer, key }
    }

    async fn api_in(&self, region: &RegionResources, extra: &[(&str, &str)]) -> Running {
        let mut variables = vec![("OIDC_ISSUERS", self.issuer.name()), ("OIDC_AUDIENCES", "sales-api")];
        variables.extend(extra);
        let program = env!("CARGO_BIN_EXE_sales-api");
        self.stage.start(program, region.api_environment(), &variables).await.expect("the API serves")
    }

    async fn api(&self) -> Running {
        self.api_in(self.stage.active(), &[]).await
    }

    /// The claims of a client that may do this.
    fn claims(&self, client: &str, scope: &str) -> Value {
        json!({"iss": self.issuer.name(), "aud": "sales-api", "client_id": client, "scope": scope, "exp": now() + 600})
    }

    fn token(&self, client: &str, scope: &str) -> String {
        self.key.token(&self.claims(client, scope))
    }
}

fn now() -> i64 {
    Clock::system().now().unix_seconds()
}

async fn send(api: &Running, method: &str, path: &str, token: Option<&str>) -> Response {
    let request = client().request(method.parse().unwrap(), format!("{}{path}", api.url));
    let request = if method == "POST" { request.body(ORDER) } else { request };
    let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
    request.send().await.unwrap()
}

async fn post(api: &Running, token: &str, key: &str) -> Response {
    let request = client().post(format!("{}/sales", api.url)).bearer_auth(token).header("Idempotency-Key", key);
    request.body(ORDER).send().await.unwrap()
}

async fn id_of(answer: Response) -> String {
    answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
}

async fn readiness(api: &Running) -> Value {
    send(api, "GET", "/readiness", None).await.json().await.unwrap()
}

/// The challenge and the detail of a refusal.
async fn refusal(answer: Response) -> (u16, String, String) {
    let status = answer.status().as_u16();
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((&problem["status"], &problem["error"]), (&json!(status), &problem["detail"]));
    (status, challenge.unwrap_or_default(), problem["detail"].as_str().unwrap().to_owned())
}

/// Waits until the API has accepted a sale with this token, and returns how long that took.
async fn accepts(api: &Running, token: &str) -> Duration {
    let asked = Instant::now();
    let accepted =
        async || (send(api, "POST", "/sales", Some(token)).await.status() == StatusCode::CREATED).then_some(());
    eventually("a sale is accepted", accepted).await;
    asked.elapsed()
}

#[tokio::test]
async fn without_an_issuer_everyone_is_let_in_and_that_is_said() {
    let stage = Stage::set("sign-in-off").await.unwrap();
    let variables = stage.active().api_environment();
    let mut api = stage.start(env!("CARGO_BIN_EXE_sales-api"), variables, &[]).await.unwrap();
    let sale = format!("/sales/{}", id_of(send(&api, "POST", "/sales", None).await).await);
    assert_eq!(send(&api, "GET", &sale, Some("no token at all")).await.status(), StatusCode::OK);
    assert_eq!(readiness(&api).await["sign_in"], "off");
    let signs = eventually("vital signs in the log", async || api.vital_signs()).await;
    assert_eq!(signs["sign_in"], "off");
    let log = api.log();
    assert_eq!(log.lines().filter(|line| line.contains("WARN") && line.contains("sign-in is off")).count(), 1, "{log}");
}

#[tokio::test]
async fn a_wrong_variable_ends_the_process_at_once_with_its_name() {
    let stage = Stage::set("sign-in-variables").await.unwrap();
    for (extra, named) in [
        ([("OIDC_ISSUERS", "http://issuer.example"), ("OIDC_AUDIENCES", "a")], "OIDC_ISSUERS"),
        ([("OIDC_ISSUERS", "https://issuer.example"), ("OIDC_AUDIENCES", "")], "OIDC_AUDIENCES"),
        ([("OIDC_ISSUERS", ""), ("OIDC_AUDIENCES", "a")], "OIDC_AUDIENCES"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sales-api"));
        let output = command.envs(stage.active().api_environment()).envs(extra).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.trim().lines().count()), (Some(64), 1), "{said}");
        assert!(said.contains(named), "{said}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_with_a_reason_that_does_not_repeat_it() {
    let scene = Scene::set("wrong-tokens").await;
    let p256 = TestKey::p256("key-2").unwrap();
    scene.issuer.publish([scene.key.public(), p256.public()]);
    let mut api = scene.api().await;
    let good = scene.claims("shop-a", EVERYTHING);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        scene.key.token(&claims)
    };
    let header = |algorithm: &str| json!({"alg": algorithm, "kid": "key-1"});
    let signed_with_public_key = {
        let signed = unsigned(&header("HS256"), &good);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &scene.key.public_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
    };
    let token = scene.token("shop-a", EVERYTHING);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let tampered = format!("{}.{signature}", unsigned(&header("RS256"), &scene.claims("shop-b", EVERYTHING)));
    for (token, reason) in [
        (format!("{}.", unsigned(&header("none"), &good)), "RS256 or ES256"),
        (format!("{signed}."), "signature"),
        (signed_with_public_key, "RS256 or ES256"),
        (scene.key.sign(&header("RS512"), &good), "RS256 or ES256"),
        (TestKey::rsa("key-1").unwrap().token(&good), "signature"),
        (tampered, "signature"),
        (TestKey::rsa("key-9").unwrap().token(&good), "kid"),
        (p256.sign(&json!({"alg": "RS256", "kid": "key-2"}), &good), "another algorithm"),
        (scene.key.sign(&json!({"alg": "ES256", "kid": "key-1"}), &good), "another algorithm"),
        (scene.key.sign(&json!({"alg": "RS256"}), &good), "kid"),
        (scene.key.sign(&json!({"alg": "RS256", "kid": "key-1", "crit": ["exp"]}), &good), "crit"),
        (with("exp", json!(now() - 61)), "expired"),
        (with("exp", Value::Null), "exp"),
        (with("nbf", json!(now() + 120)), "not valid yet"),
        (with("iss", json!("https://issuer.example")), "iss"),
        (with("iss", json!(format!("{}/", scene.issuer.name()))), "iss"),
        (with("aud", json!("another-api")), "aud"),
        (with("token_use", json!("id")), "ID token"),
        (with("at_hash", json!("x")), "ID token"),
        (scene.key.sign(&json!({"alg": "RS256", "kid": "key-1", "typ": "logout+jwt"}), &good), "typ"),
        (with("client_id", json!("")), "client"),
        (format!("{token}."), "three parts"),
        ("a.b.c.d".to_owned(), "three parts"),
        ("x".to_owned(), "three parts"),
        ("A".repeat(100_000), "longer"),
    ] {
        for (method, path) in [("POST", "/sales"), ("GET", UNKNOWN), ("DELETE", UNKNOWN)] {
            let (status, challenge, detail) = refusal(send(&api, method, path, Some(&token)).await).await;
            assert_eq!(status, 401, "{method} {reason}: {detail}");
            assert!(challenge.starts_with(r#"Bearer error="invalid_token""#), "{challenge}");
            assert!(detail.contains(reason), "{reason}: {detail}");
            let told = format!("{challenge}{detail}");
            assert!(token.split('.').all(|part| part.len() < 2 || !told.contains(part)), "{told}");
        }
    }
    for key in [&scene.key, &p256] {
        let token = key.token(&good);
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let request =
                client().post(format!("{}/sales", api.url)).header("authorization", format!("{scheme} {token}"));
            assert_eq!(request.body(ORDER).send().await.unwrap().status(), StatusCode::CREATED);
        }
    }
    let twice = client().post(format!("{}/sales", api.url)).bearer_auth(&token).header("authorization", "Bearer x");
    let (status, challenge, _) = refusal(twice.body(ORDER).send().await.unwrap()).await;
    assert!(status == 401 && challenge.starts_with(r#"Bearer error="invalid_request""#), "{challenge}");
    let basic = client().post(format!("{}/sales", api.url)).basic_auth("shop-a", Some("secret"));
    let (status, challenge, _) = refusal(basic.body(ORDER).send().await.unwrap()).await;
    assert!(status == 401 && challenge.starts_with(r#"Bearer error="invalid_request""#), "{challenge}");
    let (status, challenge, detail) = refusal(send(&api, "POST", "/sales", None).await).await;
    assert_eq!((status, challenge.as_str()), (401, "Bearer"), "{detail}");

    let metrics = send(&api, "GET", "/metrics", None).await.text().await.unwrap();
    let once_a_sale = |log: &String| log.lines().filter(|line| line.contains(r#""sale.client":"shop-a""#)).count() == 6;
    let log = eventually("the client is in the log, once a sale", async || Some(api.log()).filter(once_a_sale)).await;
    for secret in token.split('.').chain(["shop-b", "secret"]) {
        assert!(!metrics.contains(secret) && !log.contains(secret), "{secret} is told");
    }
    assert!(!log.contains("sign-in is off"));
    assert_eq!(readiness(&api).await["sign_in"], "on");
}

#[tokio::test]
async fn each_route_needs_its_scope_and_the_open_ones_need_none() {
    let scene = Scene::set("scopes").await;
    let api = scene.api().await;
    let description: Value = send(&api, "GET", "/openapi.json", None).await.json().await.unwrap();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let answer = send(&api, &method.to_uppercase(), &path.replace("{id}", "x"), None).await;
            let is_open = sales_api::routes::OPEN.contains(&path.as_str());
            assert_eq!(answer.status() == StatusCode::UNAUTHORIZED, !is_open, "{method} {path}");
            assert_eq!(operation["security"].is_null(), is_open, "{method} {path} is described as it is");
        }
    }
    assert_eq!(send(&api, "GET", "/docs", None).await.status(), StatusCode::OK);

    let sale =
        format!("/sales/{}", id_of(send(&api, "POST", "/sales", Some(&scene.token("a", EVERYTHING))).await).await);
    for (method, path, needed) in [
        ("POST", "/sales", "sales/write"),
        ("GET", sale.as_str(), "sales/read"),
        ("HEAD", sale.as_str(), "sales/read"),
        ("DELETE", sale.as_str(), "sales/cancel"),
    ] {
        let others = ["sales/write", "sales/read", "sales/cancel", "sales/all"].into_iter().filter(|it| *it != needed);
        let others: Vec<&str> = others.collect();
        let answer = send(&api, method, path, Some(&scene.token("a", &others.join(" ")))).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method}");
        let expected = format!(r#"Bearer error="insufficient_scope", scope="{needed}""#);
        assert_eq!(answer.headers()["www-authenticate"], expected.as_str());
        if method != "HEAD" {
            assert!(refusal(answer).await.2.contains(needed));
        }
    }
    for (method, path, scope) in [
        ("GET", sale.as_str(), "sales/read"),
        ("POST", "/sales", "sales/write"),
        ("DELETE", sale.as_str(), "sales/cancel"),
    ] {
        assert!(send(&api, method, path, Some(&scene.token("a", scope))).await.status().is_success(), "{method}");
    }
    let mut claims = scene.claims("a", EVERYTHING);
    claims.as_object_mut().unwrap().remove("scope");
    assert_eq!(send(&api, "POST", "/sales", Some(&scene.key.token(&claims))).await.status(), StatusCode::FORBIDDEN);

    let shop = scene.api_in(scene.stage.active(), &[("OIDC_SCOPE_PREFIX", "shop:")]).await;
    assert_eq!(
        send(&shop, "POST", "/sales", Some(&scene.token("a", "shop:write"))).await.status(),
        StatusCode::CREATED
    );
    assert_eq!(
        send(&shop, "POST", "/sales", Some(&scene.token("a", EVERYTHING))).await.status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn two_shops_with_the_same_keys_know_nothing_of_each_other() {
    let scene = Scene::set("two-shops").await;
    let here = scene.api().await;
    let there = scene.api_in(scene.stage.passive(), &[]).await;
    let [a, b] = ["shop-a", "shop-b"].map(|shop| scene.token(shop, EVERYTHING));
    let operator = scene.token("operator", "sales/read sales/cancel sales/all");

    let [of_a, of_b] = [post(&here, &a, "order-1").await, post(&here, &b, "order-1").await];
    assert_eq!([of_a.status(), of_b.status()], [StatusCode::CREATED; 2], "the same key is two sales");
    let [of_a, of_b] = [id_of(of_a).await, id_of(of_b).await].map(|id| format!("/sales/{id}"));
    assert_ne!(of_a, of_b);
    for (token, sale) in [(&a, &of_a), (&b, &of_b)] {
        for api in [&here, &there] {
            let again = post(api, token, "order-1").await;
            assert_eq!(again.status(), StatusCode::OK);
            assert_eq!(format!("/sales/{}", id_of(again).await), *sale);
        }
        assert_eq!(send(&here, "GET", sale, Some(token)).await.status(), StatusCode::OK);
    }

    // Answers, headers and calls are the same for another client's sale as for one that never existed.
    for (method, path) in [("GET", &of_b), ("DELETE", &of_b), ("HEAD", &of_b)] {
        let mut told = Vec::new();
        for path in [path.as_str(), UNKNOWN] {
            let calls = || ["BatchGetItem", "PutItem"].map(|operation| scene.stage.proxy.calls(operation));
            let before = calls();
            let answer = send(&here, method, path, Some(&a)).await;
            let made: Vec<usize> = calls().into_iter().zip(before).map(|(now, before)| now - before).collect();
            let names: BTreeSet<String> = answer.headers().keys().map(ToString::to_string).collect();
            told.push((answer.status(), names, made, answer.text().await.unwrap()));
        }
        assert_eq!(told[0].0, StatusCode::NOT_FOUND, "{method}");
        assert_eq!(told[0], told[1], "{method}");
    }
    assert_eq!(send(&here, "GET", &of_b, Some(&b)).await.status(), StatusCode::OK, "no one else has cancelled it");

    assert_eq!(send(&here, "GET", &of_b, Some(&operator)).await.status(), StatusCode::OK);
    assert_eq!(send(&here, "DELETE", &of_b, Some(&operator)).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(send(&here, "DELETE", &of_b, Some(&b)).await.status(), StatusCode::NO_CONTENT, "it is its own");
    assert_eq!(send(&here, "DELETE", &of_b, Some(&a)).await.status(), StatusCode::NOT_FOUND, "still unknown");

    // Who posted and who cancelled is in the table, and in the events.
    let tables = aws_sdk_dynamodb::Client::new(&scene.stage.sdk(scene.stage.active()));
    let id = of_b.trim_start_matches("/sales/");
    for (key, client) in [(id.to_owned(), "shop-b"), (format!("{id}#cancelled"), "operator")] {
        let item = tables.get_item().table_name(&scene.stage.active().sales_table).key("id", AttributeValue::S(key));
        let item = item.send().await.unwrap().item.unwrap();
        assert_eq!(item["client"], AttributeValue::S(client.into()));
    }
    let queues = aws_sdk_sqs::Client::new(&scene.stage.sdk(scene.stage.active()));
    let mut told = BTreeSet::new();
    eventually("every event names its client", async || {
        let request = queues.receive_message().queue_url(&scene.stage.active().queue_url).max_number_of_messages(10);
        for message in request.send().await.unwrap().messages.unwrap_or_default() {
            let body = message.body.unwrap();
            told.extend(
                ["shop-a", "shop-b", "operator"]
                    .into_iter()
                    .filter(|name| body.contains(&format!(r#""client":"{name}""#))),
            );
        }
        (told.len() == 3).then_some(())
    })
    .await;

    // A sale accepted without a client is shown to `sales/all` only.
    let open = scene.stage.start(env!("CARGO_BIN_EXE_sales-api"), scene.stage.active().api_environment(), &[]);
    let open = open.await.unwrap();
    let of_nobody = format!("/sales/{}", id_of(send(&open, "POST", "/sales", None).await).await);
    assert_eq!(send(&here, "GET", &of_nobody, Some(&a)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(send(&here, "GET", &of_nobody, Some(&operator)).await.status(), StatusCode::OK);
    assert_eq!(send(&open, "GET", &of_a, None).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn two_issuers_name_the_same_clients_unless_they_are_separate() {
    let scene = Scene::set("two-issuers").await;
    let key = TestKey::p256("key-1").unwrap();
    let other = TestIssuer::start([key.public()]).await.unwrap();
    let mut claims = scene.claims("shop", EVERYTHING);
    claims["iss"] = json!(other.name());
    // As Cognito's: without an audience.
    claims.as_object_mut().unwrap().remove("aud");
    let [one, two] = [scene.token("shop", EVERYTHING), key.token(&claims)];
    let issuers = format!("{},{}", scene.issuer.name(), other.name());
    let keys = format!("{},{}", scene.issuer.keys_url(), other.keys_url());
    let known = [("OIDC_ISSUERS", issuers.as_str()), ("OIDC_AUDIENCES", "sales-api,shop")];
    let together = scene.api_in(scene.stage.active(), &known).await;
    let separate = [known[0], known[1], ("OIDC_SEPARATE_ISSUERS", "true"), ("OIDC_JWKS_URLS", keys.as_str())];
    let apart = scene.api_in(scene.stage.active(), &separate).await;
    let sale = format!("/sales/{}", id_of(post(&together, &one, "order-1").await).await);
    assert_eq!(send(&together, "GET", &sale, Some(&two)).await.status(), StatusCode::OK);
    assert_eq!(post(&together, &two, "order-1").await.status(), StatusCode::OK);

    let sale = format!("/sales/{}", id_of(post(&apart, &one, "order-1").await).await);
    assert_eq!(send(&apart, "GET", &sale, Some(&one)).await.status(), StatusCode::OK);
    assert_eq!(send(&apart, "GET", &sale, Some(&two)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(post(&apart, &two, "order-1").await.status(), StatusCode::CREATED);
    // A key of one issuer signs nothing for the other.
    let forged = key.token(&scene.claims("shop", EVERYTHING));
    assert_eq!(send(&apart, "GET", &sale, Some(&forged)).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_new_key_is_known_within_a_minute_and_an_old_one_no_longer() {
    let scene = Scene::set("rotation").await;
    let api = scene.api().await;
    let old = scene.token("shop", EVERYTHING);
    accepts(&api, &old).await;
    let new = TestKey::p256("key-2").unwrap();
    let unknown = json!({"kid": "key-3", "kty": "AKP", "alg": "ML-DSA-44", "pub": "x"});
    scene.issuer.publish([unknown, new.public()]);
    let took = accepts(&api, &new.token(&scene.claims("shop", EVERYTHING))).await;
    assert!(took < Duration::from_secs(60), "{took:?}");
    let (status, _, detail) = refusal(send(&api, "POST", "/sales", Some(&old)).await).await;
    assert_eq!(status, 401, "although it was remembered: {detail}");
}

#[tokio::test]
async fn a_thousand_unknown_keys_are_one_fetch() {
    let scene = Scene::set("unknown-keys").await;
    let api = scene.api().await;
    let good = scene.token("shop", EVERYTHING);
    accepts(&api, &good).await;
    let (before, claims, client) = (scene.issuer.fetches(), scene.claims("shop", EVERYTHING), client());
    let began = Instant::now();
    for batch in 0..20 {
        let asked = (0..50).map(|number| {
            let header = json!({"alg": "RS256", "kid": format!("{batch}-{number}")});
            let token = format!("{}.c2ln", unsigned(&header, &claims));
            client.get(format!("{}{UNKNOWN}", api.url)).bearer_auth(token).send()
        });
        for answer in join_all(asked).await {
            assert_eq!(answer.unwrap().status(), StatusCode::UNAUTHORIZED);
        }
    }
    // The regular fetch is at least 33 seconds after the one before it.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(scene.issuer.fetches(), before + 1);
    assert_eq!(send(&api, "POST", "/sales", Some(&good)).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn an_issuer_that_is_down_refuses_nobody_not_even_where_a_task_starts_meanwhile() {
    let scene = Scene::set("outage").await;
    let token = scene.token("shop", EVERYTHING);
    accepts(&scene.api().await, &token).await;
    scene.issuer.behave(IssuerBehaviour::Down);
    for behaviour in [IssuerBehaviour::Down, IssuerBehaviour::After(Duration::from_secs(1_000))] {
        scene.issuer.behave(behaviour);
        let meanwhile = scene.api().await;
        for _ in 0..20 {
            assert_eq!(send(&meanwhile, "POST", "/sales", Some(&token)).await.status(), StatusCode::CREATED);
        }
        let name = format!("issuer {}", scene.issuer.name());
        let named = async || Some(readiness(&meanwhile).await).filter(|it| it["dependencies"][&name] == "unavailable");
        assert_eq!(eventually("readiness names the issuer", named).await["status"], 200);
        assert_eq!(send(&meanwhile, "POST", "/sales", Some(&token)).await.status(), StatusCode::CREATED);
    }

    // The other region has never had any keys.
    scene.issuer.behave(IssuerBehaviour::Down);
    let there = scene.api_in(scene.stage.passive(), &[]).await;
    let answer = send(&there, "POST", "/sales", Some(&token)).await;
    assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().is_ok_and(|seconds| seconds > 0));
    assert_eq!(refusal(answer).await.0, 503);
    assert_eq!(send(&there, "POST", "/sales", None).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(readiness(&there).await["status"], 200);
    scene.issuer.behave(IssuerBehaviour::Working);
    accepts(&there, &token).await;
}

#[tokio::test]
async fn a_slow_issuer_stops_nothing_and_a_hanging_one_is_given_up() {
    let scene = Scene::set("slow").await;
    let token = scene.token("shop", EVERYTHING);
    scene.issuer.behave(IssuerBehaviour::After(Duration::from_secs(1_000)));
    let api = scene.api().await;
    let asked = Instant::now();
    assert_eq!(send(&api, "POST", "/sales", Some(&token)).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(asked.elapsed() < Duration::from_secs(2), "no request waits for an issuer");
    // Without a deadline, the first request for the keys would never end.
    scene.issuer.behave(IssuerBehaviour::After(Duration::from_secs(1)));
    accepts(&api, &token).await;
    scene.issuer.behave(IssuerBehaviour::Endless);
    assert_eq!(send(&api, "POST", "/sales", Some(&token)).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn keys_are_taken_from_nowhere_but_the_issuer() {
    let scene = Scene::set("elsewhere").await;
    let key = TestKey::rsa("key-1").unwrap();
    let elsewhere = TestIssuer::start([key.public()]).await.unwrap();
    let discovery = format!("{}/.well-known/openid-configuration", elsewhere.name());
    let environment = scene.stage.active().api_environment();
    let variables = [("OIDC_ISSUERS", scene.issuer.name()), ("OIDC_AUDIENCES", "sales-api")];
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_sales-api"));
    let launch = Launch::new(program, &scene.stage.proxy, environment, &variables).unwrap();
    let name = format!("issuer {}", scene.issuer.name());
    let tokens = [scene.token("shop", EVERYTHING), key.token(&scene.claims("shop", EVERYTHING))];
    for (behaviour, condition) in [
        (IssuerBehaviour::DiscoveryAt(discovery), "invalid"),
        (IssuerBehaviour::KeysAt(elsewhere.keys_url()), "invalid"),
        (IssuerBehaviour::Another, "invalid"),
        (IssuerBehaviour::Endless, "unavailable"),
    ] {
        scene.issuer.behave(behaviour.clone());
        let api = launch.start().await.unwrap();
        let named = async || Some(readiness(&api).await).filter(|it| it["dependencies"][&name] == condition);
        assert_eq!(eventually("readiness names the issuer", named).await["status"], 200, "{behaviour:?}");
        for token in &tokens {
            let status = send(&api, "POST", "/sales", Some(token)).await.status();
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{behaviour:?}");
        }
    }
    assert_eq!(elsewhere.fetches(), 0, "no redirect is followed");
}
