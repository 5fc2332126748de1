//! The complete instance as its user starts it, with drills: regions, SSM and Global Accelerator's API are lost and
//! restored.

use std::{collections::BTreeSet, net::Ipv4Addr, path::Path, process::Output};

use futures::future::join_all;
use reqwest::StatusCode;
use sales_testbed::{
    local_ports::LocalPorts,
    resources::{Deployment, Location, REGIONS, RegionResources, RegionState},
    testing::{LocalInstance, client, eventually, sdk},
};
use serde_json::{Value, json};
use tokio::net::TcpStream;

async fn start() -> LocalInstance {
    LocalInstance::start().await.expect("both regions")
}

/// Runs `cargo local` with these arguments, and returns its output.
async fn local(instance: &LocalInstance, arguments: &str) -> String {
    let output = instance.shell(&format!("cargo local {arguments}")).await.expect("it runs");
    assert!(output.status.success(), "cargo local {arguments}: {output:?}");
    said(&output)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The address of the stand-in for the DNS name.
fn dns(instance: &LocalInstance) -> String {
    format!("http://localhost:{}", instance.ports().dns)
}

fn aws(instance: &LocalInstance, position: usize) -> String {
    format!("http://127.0.0.1:{}", instance.ports().aws[position])
}

/// The region at this position, through its own endpoint.
fn region(instance: &LocalInstance, position: usize) -> RegionResources {
    Deployment::open(&Location { endpoint: aws(instance, position), prefix: "local".to_owned() }).regions[position]
        .clone()
}

async fn status(url: &str) -> Option<StatusCode> {
    client().get(url).send().await.ok().map(|answer| answer.status())
}

async fn accelerators(instance: &LocalInstance) -> reqwest::Result<Value> {
    let request = client().post(format!("http://127.0.0.1:{}", instance.ports().accelerator));
    let request = request.header("X-Amz-Target", "GlobalAccelerator_V20180706.ListAccelerators");
    request.json(&json!({})).send().await?.json().await
}

/// Posts sales to the common address of both regions, all of which must be answered with 201.
async fn post(instance: &LocalInstance, count: usize) {
    let url = format!("{}/sales", instance.url());
    let answers = (0..count).map(async |_| {
        let answer = client().post(&url).json(&json!({ "product": "Dom Casmurro", "amount": 29.9 })).send().await;
        answer.expect("an answer").status()
    });
    assert_eq!(join_all(answers).await, vec![StatusCode::CREATED; count]);
}

async fn is_in_both_lakes(instance: &LocalInstance, count: usize) {
    let regions = [region(instance, 0), region(instance, 1)];
    for region in &regions {
        let arrived = async || (region.facts_in_lake().await.ok()?.len() == count).then_some(());
        eventually(&format!("{count} sales are in the lake of {}", region.name), arrived).await;
    }
}

#[tokio::test]
async fn a_lost_region_refuses_all_while_the_other_goes_on_until_it_is_restored() {
    let instance = start().await;
    let ports = instance.ports();
    post(&instance, 10).await;

    let endpoint = aws(&instance, 0);
    assert_eq!(
        local(&instance, "lose sa-east-1").await,
        format!("sa-east-1 is lost: its services are killed, its AWS endpoint {endpoint} refuses")
    );
    let parts = [ports.apis[0], ports.workers[0], ports.lakes[0], ports.aws[0]];
    for port in parts {
        let error = client().get(format!("http://127.0.0.1:{port}/healthcheck")).send().await;
        assert!(error.expect_err("it is lost").is_connect(), "{port}");
    }
    assert!(region(&instance, 0).state().await.is_err());
    assert_eq!(region(&instance, 1).state().await.expect("a state"), RegionState::Passive);
    assert_eq!(local(&instance, "lose sa-east-1").await, "sa-east-1 was lost before");

    region(&instance, 1).set_state(RegionState::Active).await.expect("the other region is there");
    post(&instance, 10).await;

    assert_eq!(
        local(&instance, "restore sa-east-1").await,
        "sa-east-1 is restored: its AWS endpoint is open, its services serve"
    );
    for port in [ports.apis[0], ports.workers[0], ports.lakes[0]] {
        assert_eq!(status(&format!("http://127.0.0.1:{port}/healthcheck")).await, Some(StatusCode::OK), "{port}");
    }
    assert_eq!(region(&instance, 0).state().await.expect("a state"), RegionState::Active);
    assert_eq!(local(&instance, "restore sa-east-1").await, "nothing of sa-east-1 was lost");
    is_in_both_lakes(&instance, 20).await;
}

/// The lines among the first ones that get a token, as they are printed, by client.
fn token_lines(instance: &LocalInstance) -> Vec<(String, String)> {
    let said = instance.said();
    let lines = said.lines().filter_map(|line| line.trim().strip_prefix("token=")?.split_once("   # "));
    lines.map(|(command, client)| (client.to_owned(), format!("token={command}"))).collect()
}

#[tokio::test]
async fn shops_sign_in_and_keep_their_sales_when_a_region_is_lost_with_its_issuer() {
    let instance = LocalInstance::start_signed_in().await.expect("both regions");
    let lines = token_lines(&instance);
    let clients: Vec<&str> = lines.iter().map(|(client, _)| client.as_str()).collect();
    assert_eq!(clients, ["shop-1", "shop-2", "operator"]);
    let [shop_1, shop_2, operator] = [0, 1, 2].map(|position: usize| lines[position].1.clone());
    let url = instance.url();
    let run = async |script: String| {
        let output = instance.shell(&script).await.expect("it runs");
        assert!(output.status.success(), "{script}: {output:?}");
        said(&output)
    };
    let curl = r#"curl -s -o /dev/null -w "%{http_code}" -H "Authorization: Bearer $token""#;
    let order = r#"-d '{"product":"O Pequeno Principe", "amount": 14.00}'"#;

    let posted =
        format!(r#"curl -s {url}/sales -H "Authorization: Bearer $token" {order} | grep -o '[0-9a-f-]\{{36\}}'"#);
    let id = run(format!("{shop_1}\n{posted}")).await;
    assert_eq!(run(format!(r#"curl -s -o /dev/null -w "%{{http_code}}" {url}/sales {order}"#)).await, "401");
    assert_eq!(run(format!("{shop_1}\n{curl} {url}/sales/{id}")).await, "200");
    assert_eq!(run(format!("{shop_2}\n{curl} {url}/sales/{id}")).await, "404");
    assert_eq!(run(format!("{shop_2}\n{curl} -X DELETE {url}/sales/{id}")).await, "404");
    assert_eq!(run(format!("{operator}\n{curl} {url}/sales/{id}")).await, "200");
    run("cargo salesctl load --count 20 --rate 50 --no-lake".to_owned()).await;

    // The sale is in the other region before this one is lost.
    let there = format!("http://127.0.0.1:{}/sales/{id}", instance.ports().apis[1]);
    let token = run(format!("{shop_1}\necho $token")).await;
    let replicated = async || {
        let answer = client().get(&there).bearer_auth(&token).send().await.ok()?;
        (answer.status() == StatusCode::OK).then_some(())
    };
    eventually("the sale is in the other region", replicated).await;
    local(&instance, "lose sa-east-1").await;
    // Not every step can be done: SSM of the lost region is gone, too.
    run("cargo salesctl switch --to us-east-1 --yes || [ $? = 2 ]".to_owned()).await;
    assert_eq!(run(format!("token={token}\n{curl} {there}")).await, "200", "the lost issuer's keys stay known");
    // The first region's pool is lost, and the operator's command asks the other one.
    run("cargo salesctl load --count 20 --rate 50 --no-lake".to_owned()).await;
}

#[tokio::test]
async fn ssm_and_the_accelerator_s_api_are_lost_alone_and_restored() {
    let instance = start().await;
    let lost = "SSM is lost in every region: its calls are answered with 503";
    assert_eq!(local(&instance, "lose ssm").await, lost);
    assert_eq!(local(&instance, "lose ssm").await, "SSM was lost before");
    for position in [0, 1] {
        let region = region(&instance, position);
        assert!(region.state().await.is_err());
        assert_eq!(region.dead_letter_count().await.expect("SQS is there"), 0);
    }
    post(&instance, 5).await;
    assert_eq!(local(&instance, "restore ssm").await, "SSM is restored in every region");
    assert_eq!(local(&instance, "restore ssm").await, "SSM was not lost");
    assert_eq!(region(&instance, 0).state().await.expect("a state"), RegionState::Active);

    let api = format!("http://127.0.0.1:{}", instance.ports().accelerator);
    assert!(accelerators(&instance).await.is_ok());
    let lost = format!("Global Accelerator's API is lost: {api} refuses; the traffic goes on");
    assert_eq!(local(&instance, "lose accelerator").await, lost);
    assert_eq!(local(&instance, "lose accelerator").await, "Global Accelerator's API was lost before");
    assert!(accelerators(&instance).await.expect_err("it is lost").is_connect());
    post(&instance, 5).await;
    let restored = format!("Global Accelerator's API is restored: {api} answers");
    assert_eq!(local(&instance, "restore accelerator").await, restored);
    assert_eq!(local(&instance, "restore accelerator").await, "Global Accelerator's API was not lost");
    assert!(accelerators(&instance).await.is_ok());
    is_in_both_lakes(&instance, 10).await;
}

#[tokio::test]
async fn what_the_operator_s_command_line_needs_is_there_for_as_long_as_it_runs() {
    let mut instance = start().await;
    let (ports, path) = (instance.ports(), instance.salesctl_config());
    assert!(instance.said().contains(&format!("export SALESCTL_CONFIG={}", path.display())), "{}", instance.said());

    let text = std::fs::read_to_string(&path).expect("a file");
    let found: toml::Table = text.parse().expect("TOML");
    let own = |region: &str, position: usize| {
        format!(
            r#"
            endpoint_url = "http://127.0.0.1:{}"
            api_url = "http://localhost:{}"
            worker_url = "http://localhost:{}"
            state_parameter = "/local/site/state"
            sales_table = "local-sales"
            idempotency_table = "local-sales-idempotency"
            queue_url = "http://127.0.0.1:{emulator}/111122223333/local-sales"
            dead_letter_queue_url = "http://127.0.0.1:{emulator}/111122223333/local-sales-dead-letters"
            lake_bucket = "local-lake-111122223333-{region}"
            "#,
            ports.aws[position],
            ports.apis[position],
            ports.workers[position],
            emulator = ports.emulator,
        )
    };
    let accelerators = accelerators(&instance).await.expect("an answer");
    let arn = accelerators["Accelerators"][0]["AcceleratorArn"].as_str().expect("there is one");
    let expected: toml::Table = format!(
        "url = 'http://localhost:{}'\ndns_url = 'http://localhost:{}'\naccelerator_arn = '{arn}'\n\
         accelerator_endpoint_url = 'http://127.0.0.1:{}'\npending_shards = 16\npending_grace_seconds = 30\n\
         [regions.sa-east-1]\n{}\n[regions.us-east-1]\n{}",
        ports.front,
        ports.dns,
        ports.accelerator,
        own(REGIONS[0], 0),
        own(REGIONS[1], 1),
    )
    .parse()
    .expect("TOML");
    assert_eq!(found, expected);

    let status = instance.shell("cargo salesctl status").await.expect("it runs");
    assert!(status.status.success(), "{status:?}");
    for region in REGIONS {
        assert!(said(&status).lines().any(|line| line.starts_with(region)), "{status:?}");
    }

    assert_eq!(instance.stop().await, 0);
    assert!(!path.exists());
    assert!(!Path::with_file_name(&path, "instance.json").exists());
}

#[tokio::test]
async fn cloudwatch_of_each_region_knows_its_queues() {
    let instance = start().await;
    for (position, region) in REGIONS.iter().enumerate() {
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&sdk(&aws(&instance, position), region));
        let queues = eventually("the queues are measured", async || {
            let request = cloudwatch.list_metrics().namespace("AWS/SQS").metric_name("ApproximateAgeOfOldestMessage");
            let metrics = request.send().await.expect("an answer").metrics.unwrap_or_default();
            let dimensions = metrics.into_iter().flat_map(|metric| metric.dimensions.unwrap_or_default());
            let queues: BTreeSet<_> = dimensions.filter_map(|dimension| dimension.value).collect();
            (!queues.is_empty()).then_some(queues)
        });
        assert_eq!(queues.await, ["local-sales", "local-sales-dead-letters"].map(str::to_owned).into());
    }
}

#[tokio::test]
async fn nothing_is_left_of_an_instance_that_is_stopped_with_a_region_lost() {
    let mut instance = start().await;
    local(&instance, "lose us-east-1").await;
    assert_eq!(instance.stop().await, 0);
    let LocalPorts { front, dns, apis, workers, lakes, aws, accelerator, emulator } = instance.ports();
    for port in [apis, workers, lakes, aws].concat().into_iter().chain([front, dns, accelerator, emulator]) {
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err(), "{port} is still open");
    }
    let ended = instance.local(&["restore", "us-east-1"]).await.expect("it runs");
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "sales-local: not running: start it with `cargo local`\n");
}

/// Evacuation must not need the control plane of DNS, nor the bucket of Terraform's state. Neither exists here, and
/// calls to them would fail.
const WITHOUT_CONTROL_PLANES: &str =
    "export AWS_ENDPOINT_URL_ROUTE_53=http://127.0.0.1:1 AWS_ENDPOINT_URL_S3=http://127.0.0.1:1";

#[tokio::test]
async fn clients_of_dns_get_to_the_region_that_is_left_although_every_control_plane_and_the_lost_region_refuse() {
    let instance = start().await;
    let (dns, [lost, left]) = (dns(&instance), REGIONS);
    let load = format!("salesctl load --url {dns} --rate 10 --seconds 12 --no-lake --ids ids.txt -o json");
    let losing = async {
        let both = region(&instance, 1);
        let accepted = async || (*both.accepted_by_region().await.ok()?.get(lost)? >= 10).then_some(());
        eventually(&format!("clients of DNS reach {lost}"), accepted).await;
        local(&instance, "lose accelerator").await;
        local(&instance, &format!("lose {lost}")).await;
        let switch = format!("{WITHOUT_CONTROL_PLANES}; salesctl switch --to {left} --yes --wait -o json");
        instance.shell(&switch).await.expect("it runs")
    };
    let load = instance.shell(&load);
    let (load, switched) = tokio::join!(load, losing);

    assert_eq!(switched.status.code(), Some(2), "the dials and the lost region's state are not done: {switched:?}");
    let report = json(&switched);
    let outcomes: Vec<_> = report["steps"].as_array().expect("steps").iter().map(|step| &step["outcome"]).collect();
    assert_eq!(outcomes, ["done", "owed", "owed", "owed"], "{report}");
    assert_eq!((&report["dns"]["follows"], &report["dns"]["answered_by"]), (&json!(true), &json!([left])), "{report}");

    // Until the health checks noticed, requests failed without a response.
    let load = json(&load.expect("it runs"));
    assert_eq!(load["accepted"].as_u64().expect("a number") + load["failed"].as_u64().expect("a number"), 120);
    let after = instance.shell(&format!("salesctl load --url {dns} --rate 10 --seconds 2 --no-lake -o json")).await;
    let after = json(&after.expect("it runs"));
    assert_eq!((&after["failed"], &after["by_region"]), (&json!(0), &json!({ left: 20 })), "{after}");

    let ids = said(&instance.shell("cat ids.txt").await.expect("it runs"));
    assert_eq!(Some(ids.lines().count() as u64), load["accepted"].as_u64());
    let arrived = async || {
        let facts = region(&instance, 1).facts_in_lake().await.ok()?;
        ids.lines().all(|id| facts.contains(id)).then_some(())
    };
    eventually("each sale that was accepted is in the lake that is left", arrived).await;
}

#[tokio::test]
async fn ten_switches_under_traffic_fail_no_request_at_either_entrance_and_lose_no_sale() {
    let instance = start().await;
    let loads = [(instance.url(), 8), (dns(&instance), 4)].map(|(url, rate)| {
        let (instance, count) = (&instance, rate * 25);
        let load = async move {
            let load = format!("salesctl load --url {url} --rate {rate} --count {count} -o json");
            instance.shell(&load).await.expect("it runs")
        };
        async move { (count, load.await) }
    });
    let switching = async {
        for region in REGIONS.iter().rev().cycle().take(10) {
            let switched = instance.shell(&format!("salesctl switch --to {region} --yes")).await.expect("it runs");
            assert!(switched.status.success(), "{switched:?}");
        }
        // The remaining traffic arrives after the last switch.
        instance.shell("salesctl switch --both --yes").await.expect("it runs")
    };
    let (loads, switched) = tokio::join!(join_all(loads), switching);
    assert!(switched.status.success(), "{switched:?}");
    for (count, load) in loads {
        assert!(load.status.success(), "{load:?}");
        let summary = json(&load);
        let counts = ["sent", "accepted", "failed"].map(|what| summary[what].as_u64().expect("a number"));
        assert_eq!(counts, [count, count, 0]);
        assert_eq!(summary["by_region"].as_object().expect("regions").len(), 2, "each got some: {summary}");
    }

    let verified = instance.shell("salesctl lake verify --from yesterday --to today -o json").await.expect("it runs");
    assert!(verified.status.success(), "{verified:?}");
}
