//! All of infra/ on this machine, applied by the scripts, with the services configured by Terraform's outputs.

mod left;
mod pipeline;
mod services;

use std::{collections::BTreeSet, io::Write, time::Instant};

use futures::future::join_all;
use sales_testbed::{
    resources::{Deployment, Location, RegionState},
    tcp_ports,
    testing::{LocalAws, Terraform, eventually, sdk},
    workspace::Build,
};
use serde_json::{Value, json};

use pipeline::{ENVIRONMENT, Pipeline};
use services::{DeployedService, trusting_client};

const REGIONS: [&str; 3] = ["sa-east-1", "us-east-1", "eu-west-1"];
const PREFIX: &str = "sales-dev";

/// All running parts, and the posted sales.
struct Proof {
    aws: LocalAws,
    pipeline: Pipeline,
    services: Vec<DeployedService>,
    ports: [u16; 6],
    began: Instant,
}

#[tokio::test]
#[ignore = "takes many minutes: cargo test --workspace --test infrastructure -- --ignored --nocapture"]
async fn all_of_it_is_applied_serves_switches_grows_and_goes() {
    let Some(terraform) = Terraform::or_skip("all of infra/") else { return };
    let mut proof = Proof::open(&terraform).await;

    proof.pipeline.apply(&["--parallel"]).await;
    proof.tell("applied");
    proof.pipeline.has_nothing_to_change().await;
    proof.tell("has nothing to change");

    proof.start_services(&[0, 1]).await;
    let first = proof.sell(40).await;
    proof.arrives(&first, &REGIONS[..2]).await;
    proof.tell("sales are in both lakes");

    proof.switch_by_the_map([RegionState::Passive, RegionState::Active]).await;
    proof.is([RegionState::Passive, RegionState::Active]).await;
    let second = proof.sell(40).await;
    proof.arrives(&second, &REGIONS[..2]).await;
    proof.tell("switched by the map of states");

    proof.switch_by_salesctl("sa-east-1").await;
    proof.is([RegionState::Active, RegionState::Passive]).await;
    proof.refuses_to_undo_it().await;
    proof.map([RegionState::Active, RegionState::Passive]);
    proof.pipeline.apply(&["--stage", "post-deployment"]).await;
    proof.pipeline.has_nothing_to_change().await;
    proof.tell("switched by salesctl, which the map has to follow");

    proof.add_the_third_region().await;
    proof.start_services(&[2]).await;
    let third = proof.sell(40).await;
    proof.replicates_everywhere().await;
    // MiniStack applies one replication rule of a lake, where AWS applies all: of two other regions, the first gets a
    // copy.
    proof.arrives(&third, &["sa-east-1", "eu-west-1"]).await;
    proof.tell("a third region is there, with its lake");

    proof.stop_services().await;
    let ended = proof.pipeline.run("pipeline-destroy.sh", &["--force", "--confirm", ENVIRONMENT, "--parallel"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let regions = ["sa-east-1", "us-east-1", "eu-west-1", "us-west-2"];
    let left = left::left(&proof.pipeline, &proof.aws, &regions).await;
    assert!(left.is_empty(), "left: {left:#?}");
    proof.tell("destroyed, and nothing is left");
}

impl Proof {
    async fn open(terraform: &Terraform) -> Self {
        let ports: [u16; 6] = tcp_ports::free().unwrap();
        let apis = [0, 1, 2].map(|region| (REGIONS[region], format!("https://127.0.0.1:{}", ports[region])));
        let aws = LocalAws::start(&apis).await.unwrap();
        let pipeline = Pipeline::copied(terraform, &aws).await;
        Self { aws, pipeline, services: Vec::new(), ports, began: Instant::now() }
    }

    /// Prints progress, bypassing the test harness.
    fn tell(&self, what: &str) {
        drop(writeln!(std::io::stderr(), "{:>5} s  {what}", self.began.elapsed().as_secs()));
    }

    async fn start_services(&mut self, regions: &[usize]) {
        for &region in regions {
            for (kind, port) in [("api", self.ports[region]), ("worker", self.ports[region + 3])] {
                let service = DeployedService::start(&self.pipeline, &self.aws, REGIONS[region], kind, port).await;
                self.services.push(service);
            }
        }
    }

    /// Posts sales through the accelerator, and returns their ids.
    async fn sell(&self, count: u32) -> BTreeSet<String> {
        let client = trusting_client();
        let url = format!("https://127.0.0.1:{}/sales", self.aws.front());
        eventually("the accelerator lets sales through", async || client.get(format!("{url}/x")).send().await.ok())
            .await;
        let sold = (0..count).map(async |number| {
            let sale = json!({ "product": format!("Livro {number}"), "amount": 14.5 });
            let answer = client.post(&url).body(sale.to_string()).send().await.unwrap();
            assert_eq!(answer.status(), 201);
            let sale: Value = answer.json().await.unwrap();
            sale["id"].as_str().unwrap().to_owned()
        });
        join_all(sold).await.into_iter().collect()
    }

    async fn arrives(&self, sold: &BTreeSet<String>, regions: &[&str]) {
        for region in regions {
            let lake = format!("{PREFIX}-lake-111122223333-{region}");
            eventually(&format!("all sales are in the lake of {region}"), async || {
                let journal = self.journal(&lake, region).await;
                sold.iter().all(|id| journal.contains(&format!(r#""id":"{id}""#))).then_some(())
            })
            .await;
        }
    }

    /// Each lake has a rule for each other one.
    async fn replicates_everywhere(&self) {
        let lake = |region: &str| format!("{PREFIX}-lake-111122223333-{region}");
        for region in REGIONS {
            let replication = self.s3(region).get_bucket_replication().bucket(lake(region)).send().await.unwrap();
            let rules = replication.replication_configuration.unwrap().rules;
            let to = rules.iter().map(|rule| rule.destination().unwrap().bucket().to_owned());
            let others = REGIONS.into_iter().filter(|other| *other != region);
            let others = others.map(|other| format!("arn:aws:s3:::{}", lake(other)));
            assert_eq!(to.collect::<BTreeSet<_>>(), others.collect(), "{region}");
        }
    }

    fn s3(&self, region: &str) -> aws_sdk_s3::Client {
        let config = sdk(self.aws.endpoint("S3"), region);
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// All lines of the journal.
    async fn journal(&self, lake: &str, region: &str) -> String {
        let s3 = self.s3(region);
        let mut objects = s3.list_objects_v2().bucket(lake).prefix("journal/").into_paginator().send();
        let mut lines = String::new();
        while let Some(page) = objects.next().await {
            for object in page.unwrap().contents.unwrap_or_default() {
                let object = s3.get_object().bucket(lake).key(object.key.unwrap()).send().await.unwrap();
                lines.push_str(std::str::from_utf8(&object.body.collect().await.unwrap().into_bytes()).unwrap());
            }
        }
        lines
    }

    /// Writes the map of states of two regions.
    fn map(&self, states: [RegionState; 2]) {
        let lines = [0, 1].map(|region| format!("  {} = \"{}\"", REGIONS[region], states[region]));
        self.pipeline.change("states", &lines.each_ref().map(String::as_str));
    }

    async fn switch_by_the_map(&self, states: [RegionState; 2]) {
        self.map(states);
        self.pipeline.apply(&["--stage", "post-deployment"]).await;
    }

    async fn switch_by_salesctl(&self, region: &str) {
        let mut salesctl = self.pipeline.command(Build::current().unwrap().binary("salesctl"));
        salesctl
            .args(["switch", "--to", region, "--yes"])
            .env("SALESCTL_CONFIG", self.pipeline.work().join("salesctl.toml"));
        let output = salesctl.output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    async fn refuses_to_undo_it(&self) {
        let ended = self.pipeline.run("pipeline.sh", &["--stage", "post-deployment"]).await;
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        let said = ended.said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("has been switched since the map of states was last applied"), "{}", ended.said);
    }

    /// Parameters and dials match the states.
    async fn is(&self, states: [RegionState; 2]) {
        let place = Location { endpoint: self.aws.endpoint("SSM").to_owned(), prefix: PREFIX.to_owned() };
        let dials = self.dials().await;
        for (region, state) in Deployment::open(&place).regions.iter().zip(states) {
            assert_eq!(region.state().await.unwrap(), state, "{}", region.name);
            let dial = if state == RegionState::Active { 100.0 } else { 0.0 };
            assert!(dials.contains(&(region.name.clone(), dial)), "{} is not at {dial}: {dials:?}", region.name);
        }
    }

    async fn dials(&self) -> Vec<(String, f32)> {
        let client = aws_sdk_globalaccelerator::Client::new(&sdk(self.aws.endpoint("GLOBAL_ACCELERATOR"), "us-west-2"));
        let accelerators = client.list_accelerators().send().await.unwrap().accelerators.unwrap();
        let [accelerator] = &accelerators[..] else { panic!("not one accelerator: {accelerators:?}") };
        let listeners = client.list_listeners().accelerator_arn(accelerator.accelerator_arn().unwrap());
        let listeners = listeners.send().await.unwrap().listeners.unwrap();
        let [listener] = &listeners[..] else { panic!("not one listener: {listeners:?}") };
        let groups = client.list_endpoint_groups().listener_arn(listener.listener_arn().unwrap());
        let groups = groups.send().await.unwrap().endpoint_groups.unwrap();
        let dial = |group: &aws_sdk_globalaccelerator::types::EndpointGroup| {
            (group.endpoint_group_region().unwrap().to_owned(), group.traffic_dial_percentage().unwrap())
        };
        groups.iter().map(dial).collect()
    }

    async fn add_the_third_region(&self) {
        let cidrs = ["10.10.0.0/16", "10.11.0.0/16", "10.12.0.0/16"];
        let regions = [0, 1, 2].map(|region| format!("  {} = {{ cidr = \"{}\" }}", REGIONS[region], cidrs[region]));
        self.pipeline.change("regions", &regions.each_ref().map(String::as_str));
        let states = [0, 1, 2].map(|region| {
            let state = if region == 0 { RegionState::Active } else { RegionState::Passive };
            format!("  {} = \"{state}\"", REGIONS[region])
        });
        self.pipeline.change("states", &states.each_ref().map(String::as_str));
        self.pipeline.apply(&["--parallel"]).await;
    }

    /// Stops the services, and checks that all their calls were permitted.
    async fn stop_services(&mut self) {
        for service in &mut self.services {
            service.stop().await;
        }
        for service in &self.services {
            let (counted, unused) = (service.counted(), service.unused_permissions());
            self.tell(&format!("{}: {counted:?}; allowed and not called: {unused:?}", service.name()));
        }
    }
}
