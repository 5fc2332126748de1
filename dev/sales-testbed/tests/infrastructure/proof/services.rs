//! The services as configured by Terraform's outputs, each behind its own recorder.

use std::{collections::BTreeMap, time::Duration};

use sales_testbed::{
    process::{Process, Program},
    testing::{LocalAws, Permission, Recorder, eventually},
    workspace::{self, Build},
};
use serde_json::Value;

use super::pipeline::Pipeline;

/// Longer than a service may take to finish work in flight.
const GRACE: Duration = Duration::from_secs(25);

pub(crate) struct DeployedService {
    kind: &'static str,
    region: String,
    environment: BTreeMap<String, String>,
    recorder: Recorder,
    process: Process,
}

impl DeployedService {
    /// Starts a region's API or worker on `port` and waits until it is healthy.
    pub(crate) async fn start(
        pipeline: &Pipeline,
        aws: &LocalAws,
        region: &str,
        kind: &'static str,
        port: u16,
    ) -> Self {
        let environment = pipeline.environment_of(region, kind).await;
        let recorder = Recorder::start(aws.endpoint("DYNAMODB")).await.unwrap();
        let binary = Build::current().unwrap().binary(&format!("sales-{kind}"));
        let port = port.to_string();
        let process = Program::new(binary)
            .environment(&environment)
            .environment([("AWS_ENDPOINT_URL", recorder.endpoint()), ("PORT", &port), ("BIND_HOST", "127.0.0.1")])
            .environment([("AWS_ACCESS_KEY_ID", "111122223333"), ("AWS_SECRET_ACCESS_KEY", "local")])
            .environment([("AWS_EC2_METADATA_DISABLED", "true")])
            .grace(GRACE)
            .log(tempfile::tempfile().unwrap())
            .start()
            .unwrap();
        let scheme = if environment.contains_key("TLS") { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{port}/healthcheck");
        let client = trusting_client();
        eventually(&format!("{kind} of {region} is well"), async || {
            assert!(!process.has_ended(), "{kind} of {region} has ended");
            client.get(&url).send().await.ok().filter(|answer| answer.status().is_success())
        })
        .await;
        Self { kind, region: region.to_owned(), environment, recorder, process }
    }

    pub(crate) fn name(&self) -> String {
        format!("{} of {}", self.kind, self.region)
    }

    pub(crate) async fn stop(&mut self) {
        self.process.stop().await;
    }

    /// Permissions that it never used, after checking that it used no others.
    pub(crate) fn unused_permissions(&self) -> Vec<String> {
        let allowed = self.allowed();
        let calls = self.recorder.calls();
        assert!(!calls.is_empty());
        for (call, times) in &calls {
            let is_allowed =
                allowed.iter().any(|(_, own)| own.action == call.action && matches(&own.resource, &call.resource));
            assert!(is_allowed, "{} called {call:?} {times} times, and may not", self.kind);
        }
        let is_used = |own: &Permission| {
            calls.keys().any(|call| own.action == call.action && matches(&own.resource, &call.resource))
        };
        allowed.iter().filter(|(_, own)| !is_used(own)).map(|(kind, own)| format!("{} on {kind}", own.action)).collect()
    }

    /// Number of calls by permission.
    pub(crate) fn counted(&self) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for (call, times) in self.recorder.calls() {
            *counted.entry(call.action).or_default() += times;
        }
        counted
    }

    /// Permissions of permissions.json, with the names from Terraform's outputs. A service never calls KMS itself.
    fn allowed(&self) -> Vec<(String, Permission)> {
        let text = std::fs::read_to_string(workspace::root().join("modules/task-role/permissions.json")).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let mut allowed = Vec::new();
        for (kind, actions) in document[self.kind].as_object().unwrap().iter().filter(|(kind, _)| *kind != "key") {
            for action in actions.as_array().unwrap() {
                let permission =
                    Permission { action: action.as_str().unwrap().to_owned(), resource: self.resource(kind) };
                allowed.push((kind.clone(), permission));
            }
        }
        allowed
    }

    fn resource(&self, kind: &str) -> String {
        let variable = |name: &str| self.environment.get(name).cloned().unwrap_or_default();
        let last = |name: &str, separator| variable(name).rsplit(separator).next().unwrap_or_default().to_owned();
        match kind {
            "sales_table" => variable("DYNAMO_SALES_TABLE"),
            "sales_table_indexes" => format!("{}/index/*", variable("DYNAMO_SALES_TABLE")),
            "idempotency_table" => variable("DYNAMO_SALES_IDEMPOTENCY_TABLE"),
            "topic" => last("SNS_SALES_PROCESSING_TOPIC", ':'),
            "queue" => last("SQS_SALES_QUEUE", '/'),
            "dead_letter_queue" => format!("{}-dead-letters", last("SQS_SALES_QUEUE", '/')),
            "lake" => variable("S3_SALES_BUCKET"),
            "journal" => format!("{}/journal/*", variable("S3_SALES_BUCKET")),
            "table" => format!("{}/table/sales/*", variable("S3_SALES_BUCKET")),
            "state_parameter" => variable("SSM_PARAMETER_STORE_STATE"),
            other => panic!("{other} is a new kind of resource"),
        }
    }
}

fn matches(pattern: &str, resource: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == resource, |prefix| resource.starts_with(prefix))
}

/// A client that does not verify certificates, like load balancers.
pub(crate) fn trusting_client() -> reqwest::Client {
    let client = sales_testbed::http_client::builder().danger_accept_invalid_certs(true);
    // A new connection for each request, so that the accelerator chooses a region anew.
    client.pool_max_idle_per_host(0).timeout(Duration::from_secs(30)).build().unwrap()
}
