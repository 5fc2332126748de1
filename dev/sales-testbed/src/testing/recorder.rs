//! A proxy between a service and AWS that records the permissions that its calls need.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use http_body_util::BodyExt;
use hyper::{Method, Request, StatusCode, body::Incoming, http::request::Parts};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::http_proxy::{Answer, Upstream, refusal, serve};

/// A permission in IAM: an action, and the name of its resource (a table, `table/index/name`, a queue, a topic, a
/// parameter, a bucket, `bucket/object`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// Such as `dynamodb:PutItem`.
    pub action: String,
    /// Without account and region, which are those of the service.
    pub resource: String,
}

/// A proxy between a service and AWS that counts the calls by permission.
#[derive(Debug)]
pub struct Recorder {
    endpoint: String,
    state: Arc<RecorderState>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct RecorderState {
    upstream: Upstream,
    calls: Mutex<BTreeMap<Permission, usize>>,
}

impl Recorder {
    /// A recorder in front of `upstream`.
    pub async fn start(upstream: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(RecorderState { upstream: Upstream::new(upstream)?, calls: Mutex::default() });
        let asked = Arc::clone(&state);
        let serving = tokio::spawn(serve(listener, move |request| answer(Arc::clone(&asked), request)));
        Ok(Self { endpoint, state, serving })
    }

    /// The address for the service.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The permissions needed so far, with the number of calls.
    pub fn calls(&self) -> BTreeMap<Permission, usize> {
        self.state.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(state: Arc<RecorderState>, request: Request<Incoming>) -> Answer {
    let answer = async {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        for permission in permissions(&head, &body) {
            *state.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(permission).or_default() += 1;
        }
        state.upstream.ask(head, body).await
    };
    let answer: anyhow::Result<Answer> = answer.await;
    answer.unwrap_or_else(|_| refusal(StatusCode::BAD_GATEWAY, "BadGateway", "AWS did not answer"))
}

/// The permissions of a call; one of a batch on several tables needs several.
fn permissions(head: &Parts, body: &[u8]) -> Vec<Permission> {
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    match target.and_then(|target| target.rsplit_once('.')) {
        Some((service, operation)) => of_json(service, operation, body),
        None if body.starts_with(b"Action=") => of_form(body),
        None => vec![of_s3(head)],
    }
}

fn of_json(service: &str, operation: &str, body: &[u8]) -> Vec<Permission> {
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| input[name].as_str().map(str::to_owned);
    let (service, resources) = match service.split('_').next().unwrap_or(service) {
        "DynamoDB" => {
            let table = text("TableName").map(|table| match text("IndexName") {
                Some(index) => format!("{table}/index/{index}"),
                None => table,
            });
            let batch = input["RequestItems"].as_object().into_iter().flatten().map(|(table, _)| table.clone());
            let updates = input["Statements"].as_array().into_iter().flatten();
            let updated: BTreeSet<String> = updates.filter_map(|update| updated_table(&update["Statement"])).collect();
            ("dynamodb", table.into_iter().chain(batch).chain(updated).collect())
        }
        "AmazonSQS" => {
            ("sqs", text("QueueUrl").or_else(|| text("QueueName")).as_deref().map(last_part).into_iter().collect())
        }
        "AmazonSSM" => ("ssm", text("Name").into_iter().collect()),
        other => (other, Vec::new()),
    };
    // IAM has an action for each kind of PartiQL statement, and no batch actions for messages.
    let operation = if operation == "BatchExecuteStatement" { "PartiQLUpdate" } else { operation };
    let operation = if service == "sqs" { operation.strip_suffix("Batch").unwrap_or(operation) } else { operation };
    let resources = if resources.is_empty() { vec!["?".to_owned()] } else { resources };
    let permission = |resource| Permission { action: format!("{service}:{operation}"), resource };
    resources.into_iter().map(permission).collect()
}

/// SNS is the only service here with form requests.
fn of_form(body: &[u8]) -> Vec<Permission> {
    let form = String::from_utf8_lossy(body);
    let field = |name: &str| form.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let operation = field("Action").unwrap_or_default();
    let resource = field("TopicArn").map_or("?", |arn| arn.rsplit("%3A").next().unwrap_or(arn));
    let action = format!("sns:{}", operation.strip_suffix("Batch").unwrap_or(operation));
    vec![Permission { action, resource: resource.to_owned() }]
}

fn of_s3(head: &Parts) -> Permission {
    let path = head.uri.path().trim_matches('/');
    let operation = match (&head.method, path.contains('/')) {
        (&Method::PUT, true) => "PutObject",
        (&Method::GET | &Method::HEAD, true) => "GetObject",
        (&Method::DELETE, true) => "DeleteObject",
        (&Method::GET | &Method::HEAD, false) => "ListBucket",
        _ => "?",
    };
    Permission { action: format!("s3:{operation}"), resource: path.to_owned() }
}

fn last_part(url: &str) -> String {
    url.rsplit('/').next().unwrap_or(url).to_owned()
}

/// The table of a PartiQL update.
fn updated_table(statement: &Value) -> Option<String> {
    let (table, _) = statement.as_str()?.strip_prefix("UPDATE \"")?.split_once('"')?;
    Some(table.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(method: &str, path: &str, target: Option<&str>, body: &str) -> Vec<(String, String)> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        let found = permissions(&head, body.as_bytes()).into_iter();
        found.map(|permission| (permission.action, permission.resource)).collect()
    }

    #[test]
    fn a_call_is_known_by_its_action_and_what_it_is_on() {
        let dynamodb = Some("DynamoDB_20120810.Query");
        for (method, path, target, body, action, resource) in [
            ("POST", "/", dynamodb, r#"{"TableName":"t"}"#, "dynamodb:Query", "t"),
            ("POST", "/", dynamodb, r#"{"TableName":"t","IndexName":"i"}"#, "dynamodb:Query", "t/index/i"),
            (
                "POST",
                "/",
                Some("DynamoDB_20120810.BatchExecuteStatement"),
                r#"{"Statements":[{"Statement":"UPDATE \"t\" SET \"a\" = ?"},{"Statement":"UPDATE \"t\" REMOVE \"a\""}]}"#,
                "dynamodb:PartiQLUpdate",
                "t",
            ),
            (
                "POST",
                "/",
                Some("AmazonSQS.DeleteMessageBatch"),
                r#"{"QueueUrl":"http://x/1/q"}"#,
                "sqs:DeleteMessage",
                "q",
            ),
            ("POST", "/", Some("AmazonSSM.GetParameter"), r#"{"Name":"/a/b"}"#, "ssm:GetParameter", "/a/b"),
            ("POST", "/", None, "Action=PublishBatch&TopicArn=arn%3Aaws%3Asns%3Ar%3A1%3At", "sns:Publish", "t"),
            ("PUT", "/b/sales/1.json?x-id=PutObject", None, "{}", "s3:PutObject", "b/sales/1.json"),
            ("HEAD", "/b", None, "", "s3:ListBucket", "b"),
        ] {
            assert_eq!(needed(method, path, target, body), [(action.to_owned(), resource.to_owned())], "{target:?}");
        }
    }

    #[test]
    fn a_batch_on_two_tables_needs_both() {
        let needed = needed("POST", "/", Some("DynamoDB_20120810.BatchGetItem"), r#"{"RequestItems":{"a":{},"b":{}}}"#);
        let action = "dynamodb:BatchGetItem".to_owned();
        assert_eq!(needed, [(action.clone(), "a".to_owned()), (action, "b".to_owned())]);
    }
}
