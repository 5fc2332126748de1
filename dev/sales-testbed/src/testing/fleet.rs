//! Fakes of what no emulator here has, in front of one that has the rest: the tasks of ECS, the targets of Application
//! Auto Scaling, and the records of CloudTrail.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http_proxy::{Answer, Upstream, refusal, serve};

/// A service in ECS and in scaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FakeService {
    /// Running tasks.
    pub running: u32,
    /// Scaling minimum.
    pub minimum: u32,
    /// Scaling maximum.
    pub maximum: u32,
}

/// A fake of ECS, Application Auto Scaling and CloudTrail in one region; it forwards all other calls.
#[derive(Debug)]
pub struct FakeFleet {
    endpoint: String,
    state: Arc<FleetState>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct FleetState {
    upstream: Upstream,
    cluster: String,
    services: Mutex<BTreeMap<String, FakeService>>,
    /// Whether requested tasks start at once, or never.
    starts: Mutex<bool>,
    /// CloudTrail's records, newest first.
    records: Mutex<Vec<Value>>,
    /// The calls: the signature's scope and the operation.
    asked: Mutex<Vec<String>>,
}

impl FakeFleet {
    /// In front of `upstream`, with these services in a cluster.
    pub async fn start(upstream: &str, cluster: &str, services: &[(&str, FakeService)]) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let services = services.iter().map(|&(name, service)| (name.to_owned(), service)).collect();
        let state = Arc::new(FleetState {
            upstream: Upstream::new(upstream)?,
            cluster: cluster.to_owned(),
            services: Mutex::new(services),
            starts: Mutex::new(true),
            records: Mutex::default(),
            asked: Mutex::default(),
        });
        let answering = Arc::clone(&state);
        let serving = tokio::spawn(serve(listener, move |request| answer(Arc::clone(&answering), request)));
        Ok(Self { endpoint, state, serving })
    }

    /// The address for callers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Current state of a service.
    pub fn service(&self, name: &str) -> Option<FakeService> {
        lock(&self.state.services).get(name).copied()
    }

    /// From now on, requested tasks never start.
    pub fn start_no_tasks(&self) {
        *lock(&self.state.starts) = false;
    }

    /// Adds CloudTrail's newest record.
    pub fn record(&self, event: Value) {
        lock(&self.state.records).insert(0, event);
    }

    /// The calls so far, with the service and region of their signatures.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.state.asked).clone()
    }
}

impl Drop for FakeFleet {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(state: Arc<FleetState>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return refusal(StatusCode::BAD_REQUEST, "Broken", "no body") };
    let body = body.to_bytes();
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (target, authorization) = (header("x-amz-target"), header("authorization"));
    let input = || serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let known = match target.as_str() {
        "AmazonEC2ContainerServiceV20141113.DescribeServices" => describe_services(&state, &input()),
        "AnyScaleFrontendService.DescribeScalableTargets" => Ok(describe_targets(&state, &input())),
        "AnyScaleFrontendService.RegisterScalableTarget" => register_target(&state, &input()),
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents" => Ok(lookup_events(&state, &input())),
        _ => {
            let passed_on = state.upstream.ask(head, body).await;
            return passed_on
                .unwrap_or_else(|_| refusal(StatusCode::BAD_GATEWAY, "BadGateway", "the emulator did not respond"));
        }
    };
    // Credential=KEY/DATE/REGION/SERVICE/aws4_request
    let scope: Vec<_> = authorization.split('/').skip(2).take(2).collect();
    let operation = target.rsplit('.').next().unwrap_or_default();
    lock(&state.asked).push(format!("{operation} for {}", scope.join("/")));
    match known {
        Ok(document) => {
            let mut response = Response::new(Full::from(document.to_string()));
            let json = hyper::header::HeaderValue::from_static("application/x-amz-json-1.1");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err((code, message)) => refusal(StatusCode::BAD_REQUEST, code, &message),
    }
}

type Answered = Result<Value, (&'static str, String)>;

fn describe_services(state: &FleetState, input: &Value) -> Answered {
    if input["cluster"] != state.cluster.as_str() {
        return Err(("ClusterNotFoundException", "Cluster not found.".to_owned()));
    }
    let services = lock(&state.services);
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in input["services"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        match services.get(name) {
            Some(service) => found.push(json!({
                "serviceName": name, "status": "ACTIVE", "runningCount": service.running,
                "desiredCount": service.running.max(service.minimum),
            })),
            None => failures.push(json!({ "arn": name, "reason": "MISSING" })),
        }
    }
    Ok(json!({ "services": found, "failures": failures }))
}

/// The service of a scaling resource.
fn service_of<'a>(state: &FleetState, resource: &'a str) -> Option<&'a str> {
    resource.strip_prefix("service/")?.strip_prefix(state.cluster.as_str())?.strip_prefix('/')
}

fn describe_targets(state: &FleetState, input: &Value) -> Value {
    let services = lock(&state.services);
    let resources = input["ResourceIds"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let targets = resources.filter_map(|resource| {
        let service = services.get(service_of(state, resource)?)?;
        Some(json!({ "ResourceId": resource, "MinCapacity": service.minimum, "MaxCapacity": service.maximum }))
    });
    json!({ "ScalableTargets": targets.collect::<Vec<_>>() })
}

/// A minimum above the running tasks starts the missing ones; a lower one stops none at once.
fn register_target(state: &FleetState, input: &Value) -> Answered {
    let invalid = |what: &str| ("ValidationException", what.to_owned());
    let minimum = input["MinCapacity"].as_u64().and_then(|minimum| u32::try_from(minimum).ok());
    let minimum = minimum.ok_or_else(|| invalid("no MinCapacity"))?;
    let name = service_of(state, input["ResourceId"].as_str().unwrap_or_default()).unwrap_or_default();
    let mut services = lock(&state.services);
    let service = services.get_mut(name).ok_or_else(|| invalid("ECS service doesn't exist"))?;
    if minimum > service.maximum {
        return Err(invalid("Maximum capacity cannot be less than minimum capacity"));
    }
    service.minimum = minimum;
    if *lock(&state.starts) {
        service.running = service.running.max(minimum);
    }
    Ok(json!({ "ScalableTargetARN": "arn:aws:application-autoscaling:x" }))
}

/// One event per page, to detect callers that read only one page.
fn lookup_events(state: &FleetState, input: &Value) -> Value {
    let records = lock(&state.records);
    let page = input["NextToken"].as_str().and_then(|token| token.parse::<usize>().ok()).unwrap_or_default();
    let event = |record: &Value| json!({ "EventName": "UpdateEndpointGroup", "CloudTrailEvent": record.to_string() });
    let mut answer = json!({ "Events": records.get(page).map(event).into_iter().collect::<Vec<_>>() });
    if page + 1 < records.len() {
        answer["NextToken"] = (page + 1).to_string().into();
    }
    answer
}
