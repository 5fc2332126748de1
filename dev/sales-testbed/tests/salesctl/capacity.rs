//! Capacity before traffic: a switch starts the tasks that its target lacks, and `capacity release` restores the usual
//! minimum. ECS and Application Auto Scaling are fakes.

use sales_testbed::{
    resources::RegionState,
    testing::{FakeFleet, FakeService},
};
use serde_json::{Value, json};

use crate::console::Console;

const SECOND: [RegionState; 2] = [RegionState::Passive, RegionState::Active];

fn service(running: u32) -> FakeService {
    FakeService { running, minimum: 2, maximum: 20 }
}

/// API tasks of both regions, with two of the worker, and the `salesctl` options for them.
async fn fleets(console: &Console, [first, second]: [u32; 2]) -> ([FakeFleet; 2], String) {
    let start = async |position: usize, running| {
        let services = [("api", service(running)), ("worker", service(2))];
        FakeFleet::start(console.aws[position].endpoint(), "sales", &services).await.unwrap()
    };
    let fleets = [start(0, first).await, start(1, second).await];
    let mut words = String::new();
    for (region, fleet) in console.stage.deployment.regions.iter().zip(&fleets) {
        for (key, value) in [
            ("endpoint_url", fleet.endpoint()),
            ("cluster", "sales"),
            ("api_service", "api"),
            ("worker_service", "worker"),
            ("api_minimum", "2"),
            ("worker_minimum", "2"),
        ] {
            words.push_str(&format!(" --set regions.{}.{key}={value}", region.name));
        }
    }
    (fleets, words)
}

fn steps(document: &Value) -> Vec<(&str, &str, &str)> {
    let steps = document["steps"].as_array().unwrap().iter();
    steps
        .map(|step| {
            (step["region"].as_str().unwrap(), step["step"].as_str().unwrap(), step["outcome"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_target_has_the_tasks_of_the_source_before_it_is_active_and_keeps_them_until_they_are_released() {
    let console = Console::open("capacity").await;
    let ([_source, target], fleet) = fleets(&console, [12, 2]).await;
    let ended = console.run(&format!("switch --to us-east-1 --yes -o json{fleet}")).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = ended.json();
    assert_eq!(steps(&report)[..2], [("us-east-1", "capacity", "done"), ("us-east-1", "state", "done")]);
    assert_eq!(report["steps"][0]["tasks"][0], json!({ "service": "api", "from": 2, "to": 12 }));
    assert_eq!(target.service("api"), Some(FakeService { running: 12, minimum: 12, maximum: 20 }));
    assert_eq!(target.service("worker"), Some(service(2)));
    assert!(target.asked().contains(&"RegisterScalableTarget for us-east-1/application-autoscaling".to_owned()));
    assert!(target.asked().contains(&"DescribeServices for us-east-1/ecs".to_owned()));

    // It has just become ACTIVE: scaling has not measured its traffic yet.
    let kept = console.run(&format!("capacity release{fleet}")).await;
    assert_eq!(kept.code, Some(2), "{kept:?}");
    assert!(
        kept.out.contains("us-east-1: API minimum 12 is kept: it has been ACTIVE for less than 20 minutes"),
        "{kept:?}"
    );
    assert_eq!(target.service("api").unwrap().minimum, 12);
    let released = console.run(&format!("capacity release --force --region us-east-1{fleet}")).await;
    assert_eq!(released.code, Some(0), "{released:?}");
    assert!(released.out.contains("us-east-1: API minimum 12 -> 2: released"), "{released:?}");
    assert_eq!(target.service("api"), Some(FakeService { running: 12, minimum: 2, maximum: 20 }), "scaling takes them");
    assert_eq!(console.run(&format!("capacity release{fleet}")).await.code, Some(0), "nothing is held");
}

#[tokio::test]
async fn the_plan_shows_the_tasks_and_a_target_that_has_enough_is_left_alone() {
    let console = Console::open("capacity-plan").await;
    let ([_source, target], fleet) = fleets(&console, [12, 2]).await;
    let dry = console.run(&format!("switch --to us-east-1 --dry-run{fleet}")).await;
    assert!(dry.out.contains("1. us-east-1: tasks API 2 -> 12, worker 2 -> 2\n"), "{dry:?}");
    assert_eq!(target.service("api"), Some(service(2)), "a dry run");

    let ([_source, target], fleet) = fleets(&console, [12, 12]).await;
    let ended = console.run(&format!("switch --to us-east-1 --yes{fleet}")).await;
    assert!(ended.out.contains("[1/5] us-east-1: tasks API 12 -> 12, worker 2 -> 2: unchanged"), "{ended:?}");
    assert!(!target.asked().iter().any(|call| call.starts_with("Register")), "{:?}", target.asked());
}

#[tokio::test]
async fn tasks_that_cannot_be_asked_about_or_do_not_start_are_owed_and_stop_nothing() {
    let console = Console::open("capacity-owed").await;
    let ([_source, target], fleet) = fleets(&console, [12, 2]).await;
    target.start_no_tasks();
    let words = format!("switch --to us-east-1 --yes --capacity-timeout 1 -o json{fleet}");
    let ended = console.run(&words).await;
    assert_eq!((ended.code, console.states().await), (Some(2), SECOND), "{ended:?}");
    let report = ended.json();
    assert_eq!(steps(&report)[0], ("us-east-1", "capacity", "owed"));
    assert!(report["steps"][0]["reason"].as_str().unwrap().contains("2 of 12 API tasks running after 1 s"), "{report}");
    assert!(steps(&report)[1..].iter().all(|(_, _, outcome)| *outcome == "done"), "{report}");
    assert_eq!(target.service("api").unwrap().minimum, 12, "they start later");

    // The source is lost: its number of tasks is unknown.
    assert_eq!(console.run("switch --to sa-east-1 --yes").await.code, Some(0));
    let gone = console.run(&format!("{words} --set regions.sa-east-1.endpoint_url=http://127.0.0.1:1")).await;
    assert_eq!(gone.code, Some(2), "{gone:?}");
    let report = gone.json();
    assert!(
        report["steps"][0]["reason"].as_str().unwrap().contains("tasks of sa-east-1: DescribeServices"),
        "{report}"
    );
    assert_eq!(console.states().await[1], RegionState::Active);
}

#[tokio::test]
async fn status_shows_the_tasks_and_warns_of_a_region_that_could_not_carry_the_load() {
    let console = Console::open("capacity-status").await;
    let (_fleets, fleet) = fleets(&console, [12, 2]).await;
    let ended = console.run(&format!("status{fleet}")).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("12+2") && ended.out.contains("2+2"), "{ended:?}");
    let warning =
        "us-east-1: it is PASSIVE and runs 2 API tasks, while sa-east-1 needs 12: it could not carry the load at once";
    assert!(ended.out.contains(warning), "{ended:?}");

    let wrong = format!("status{fleet} --set regions.us-east-1.cluster=other");
    let ended = console.run(&wrong).await;
    assert!(ended.out.contains("us-east-1, tasks: DescribeServices: ClusterNotFoundException"), "{ended:?}");
    assert!(ended.out.contains("check regions.us-east-1.cluster"), "{ended:?}");
}

#[tokio::test]
async fn without_a_cluster_there_is_no_such_step_and_nothing_to_release() {
    let console = Console::open("capacity-none").await;
    let dry = console.run("switch --to us-east-1 --dry-run").await;
    assert!(dry.out.contains("1. us-east-1: state PASSIVE -> ACTIVE") && !dry.out.contains("tasks"), "{dry:?}");
    let released = console.run("capacity release").await;
    assert_eq!(released.code, Some(64), "{released:?}");
    assert!(released.err.contains("set regions.REGION.cluster"), "{released:?}");
}
