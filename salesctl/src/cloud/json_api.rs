//! Calls of services with AWS's JSON protocol (1.1), without an SDK crate for each of them.
//!
//! Four operations of three services would add 400,000 lines of generated code, a third of what the SDK already
//! compiles. Their protocol is a POST with the operation's name in a header; the only complex part, the signature, is
//! made by AWS's own crate. docs/decisions has the reasons.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_types::service_config::ServiceConfigKey;
use reqwest::StatusCode;
use sales::ports::{FailureKind, PortError};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Patience, connections,
    trouble::{Subject, Trouble},
};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Pause before a retry.
const PAUSE: Duration = Duration::from_millis(300);

/// A service with this protocol.
#[derive(Debug)]
pub(super) struct JsonService {
    /// SDK name, for the variables and settings of its endpoint.
    pub(super) id: &'static str,
    /// Prefix of its endpoint, and the name that requests are signed for.
    pub(super) name: &'static str,
    /// Prefix of operation names in the target header.
    pub(super) target: &'static str,
}

/// Client of a service in one region.
#[derive(Debug)]
pub(super) struct JsonApi {
    service: &'static JsonService,
    region: String,
    endpoint: String,
    sdk: SdkConfig,
    /// The endpoint, or why there is none.
    http: Result<reqwest::Client, String>,
    patience: Patience,
}

/// Failure of one attempt.
#[derive(Debug)]
struct Failure {
    kind: FailureKind,
    detail: String,
}

impl JsonApi {
    /// Client of the service in the region of `sdk`; `endpoint` overrides the SDK's settings.
    pub(super) fn new(
        service: &'static JsonService,
        sdk: &SdkConfig,
        endpoint: Option<&str>,
        patience: Patience,
    ) -> Self {
        let region = sdk.region().map(ToString::to_string).unwrap_or_default();
        let endpoint = endpoint.map(str::to_owned).or_else(|| configured(service, sdk));
        let endpoint = endpoint.unwrap_or_else(|| format!("https://{}.{region}.amazonaws.com", service.name));
        let endpoint = format!("{}/", endpoint.trim_end_matches('/'));
        let http = client(&endpoint).map_err(|error| format!("{error:#}"));
        Self { service, region, endpoint, sdk: sdk.clone(), http, patience }
    }

    /// Calls an operation, with retries if these may help; `subject` is the setting of the resource in question.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        subject: &(impl Subject + ?Sized),
        operation: &'static str,
        input: &Value,
    ) -> Result<T, Trouble> {
        let trouble = |Failure { kind, detail }| Trouble::of_call(subject, &PortError { operation, kind, detail });
        let (attempts, attempt, in_all) = self.patience.limits();
        let deadline = Instant::now() + in_all;
        let mut last = Failure::unavailable("no answer in time");
        for number in 0..attempts {
            if number > 0 {
                sleep(PAUSE).await;
            }
            let until = deadline.min(Instant::now() + attempt);
            match timeout_at(until, self.attempt(operation, input)).await {
                Ok(Ok(answer)) => {
                    return serde_json::from_slice(&answer).map_err(|error| {
                        trouble(Failure { kind: FailureKind::Rejected, detail: format!("invalid response: {error}") })
                    });
                }
                Ok(Err(failure)) if failure.kind == FailureKind::Unavailable => last = failure,
                Ok(Err(failure)) => return Err(trouble(failure)),
                Err(_) => last = Failure::unavailable(&format!("no answer within {} s", in_all.as_secs())),
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(trouble(last))
    }

    async fn attempt(&self, operation: &str, input: &Value) -> Result<Vec<u8>, Failure> {
        let body = input.to_string();
        let target = format!("{}.{operation}", self.service.target);
        let credentials = self.credentials().await?;
        let http = self.http.as_ref().map_err(|error| Failure::unavailable(error))?;
        let mut request =
            http.post(&self.endpoint).header("content-type", CONTENT_TYPE).header("x-amz-target", &target);
        let headers = [("content-type", CONTENT_TYPE), ("x-amz-target", target.as_str())];
        for (name, value) in self.signature(&headers, body.as_bytes(), credentials)? {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await.map_err(|error| Failure::unavailable(&root(&error)))?;
        let status = answer.status();
        let answer = answer.bytes().await.map_err(|error| Failure::unavailable(&root(&error)))?;
        if status.is_success() { Ok(answer.to_vec()) } else { Err(Failure::of_answer(status, &answer)) }
    }

    async fn credentials(&self) -> Result<Credentials, Failure> {
        let denied = |detail: String| Failure { kind: FailureKind::Denied, detail };
        let provider = self.sdk.credentials_provider().ok_or_else(|| denied("no credentials".to_owned()))?;
        provider.provide_credentials().await.map_err(|error| denied(error.to_string()))
    }

    /// The headers that authenticate a request.
    fn signature(
        &self,
        headers: &[(&str, &str)],
        body: &[u8],
        credentials: Credentials,
    ) -> Result<Vec<(String, String)>, Failure> {
        let refused =
            |error: &dyn std::fmt::Display| Failure { kind: FailureKind::Rejected, detail: error.to_string() };
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| refused(&error))?
            .into();
        let request = SignableRequest::new("POST", &self.endpoint, headers.iter().copied(), SignableBody::Bytes(body));
        let signed = sign(request.map_err(|error| refused(&error))?, &parameters).map_err(|error| refused(&error))?;
        let (instructions, _) = signed.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Through the same proxy as the SDK's calls.
fn client(endpoint: &str) -> anyhow::Result<reqwest::Client> {
    connections::client(&endpoint.parse()?, reqwest::Client::builder().connect_timeout(Duration::from_secs(1)))
}

/// Endpoint of a service, or of all AWS services, from the environment or the profile.
fn configured(service: &JsonService, sdk: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service.id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let own = sdk.service_config().and_then(|configuration| configuration.load_config(key));
    own.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

/// The end of an error, which has the cause.
fn root(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}

/// An error of the protocol.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fault {
    #[serde(rename = "__type")]
    code: String,
    #[serde(alias = "Message")]
    message: String,
}

impl Failure {
    fn unavailable(detail: &str) -> Self {
        Self { kind: FailureKind::Unavailable, detail: detail.to_owned() }
    }

    fn of_answer(status: StatusCode, body: &[u8]) -> Self {
        let Fault { code, message } = serde_json::from_slice(body).unwrap_or_default();
        // Some services prefix it with a namespace.
        let code = code.rsplit('#').next().unwrap_or_default();
        let detail =
            format!("{} (status {}): {message}", if code.is_empty() { "no code" } else { code }, status.as_u16());
        Self { kind: kind(code, status), detail }
    }
}

fn kind(code: &str, status: StatusCode) -> FailureKind {
    match code {
        "ClusterNotFoundException" | "ServiceNotFoundException" | "ObjectNotFoundException" => FailureKind::Missing,
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "ExpiredTokenException"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "OptInRequired"
        | "NotAuthorized" => FailureKind::Denied,
        "ThrottlingException" | "Throttling" | "ConcurrentUpdateException" => FailureKind::Unavailable,
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => FailureKind::Unavailable,
        _ if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => FailureKind::Denied,
        _ => FailureKind::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;

    static SERVICE: JsonService = JsonService { id: "ECS", name: "ecs", target: "Target" };

    fn api(endpoint: Option<&str>, all_of_aws: Option<&str>) -> JsonApi {
        let mut sdk = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("sa-east-1"));
        sdk.set_endpoint_url(all_of_aws.map(str::to_owned));
        JsonApi::new(&SERVICE, &sdk.build(), endpoint, Patience::Glance)
    }

    #[test]
    fn a_service_is_where_it_is_told_to_be_and_else_at_its_own_name() {
        assert_eq!(api(None, None).endpoint, "https://ecs.sa-east-1.amazonaws.com/");
        assert_eq!(api(None, Some("http://emulator:1")).endpoint, "http://emulator:1/");
        assert_eq!(api(Some("http://here:2/"), Some("http://emulator:1")).endpoint, "http://here:2/");
    }

    #[test]
    fn requests_are_signed_for_the_service_and_the_region() {
        let credentials = Credentials::new("AKID", "secret", Some("token".to_owned()), None, "test");
        let headers = api(None, None).signature(&[("x-amz-target", "Target.Do")], b"{}", credentials).unwrap();
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let authorization = header("authorization").unwrap();
        assert!(authorization.contains("/sa-east-1/ecs/aws4_request"), "{authorization}");
        assert!(
            authorization.contains("SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target"),
            "{authorization}"
        );
        assert_eq!(header("x-amz-security-token"), Some("token"));
    }

    #[test]
    fn an_error_is_told_by_its_code_and_then_by_its_status() {
        let failure =
            |status: u16, body: &str| Failure::of_answer(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        let missing =
            failure(400, r#"{"__type":"com.amazonaws.ecs#ClusterNotFoundException","message":"Cluster not found."}"#);
        assert_eq!(missing.kind, FailureKind::Missing);
        assert_eq!(missing.detail, "ClusterNotFoundException (status 400): Cluster not found.");
        for (status, body, kind) in [
            (400, r#"{"__type":"AccessDeniedException","Message":"no"}"#, FailureKind::Denied),
            (400, r#"{"__type":"ThrottlingException"}"#, FailureKind::Unavailable),
            (400, r#"{"__type":"ValidationException"}"#, FailureKind::Rejected),
            (403, "", FailureKind::Denied),
            (503, "<html>", FailureKind::Unavailable),
        ] {
            assert_eq!(failure(status, body).kind, kind, "{status} {body}");
        }
    }
}
