//! `history` and `switch --reason`: who switched what, when, and why, also with a lost region.

use sales_testbed::{
    resources::RegionState,
    testing::{FakeFleet, Fault},
};
use serde_json::{Value, json};

use crate::console::Console;

fn changes(document: &Value) -> Vec<&Value> {
    document["changes"].as_array().unwrap().iter().collect()
}

/// The changes of a region's state, newest first: the state and the reason.
fn states<'a>(document: &'a Value, region: &str) -> Vec<(&'a str, Option<&'a str>)> {
    let of_region =
        changes(document).into_iter().filter(|change| change["region"] == region && change["change"] == "state");
    of_region.map(|change| (change["to"].as_str().unwrap(), change["reason"].as_str())).collect()
}

#[tokio::test]
async fn each_change_of_a_state_is_told_with_who_and_why_the_newest_first() {
    let console = Console::open("history").await;
    let mut switch = console.command("switch --to us-east-1 --yes --reason");
    assert!(switch.arg("sa-east-1 is slow").output().await.unwrap().status.success());
    // A writer without a description: SSM keeps the previous one.
    console.stage.deployment.regions[1].set_state(RegionState::Passive).await.unwrap();
    assert_eq!(console.run("switch --to us-east-1 --yes").await.code, Some(0));

    let ended = console.run("history --limit 0 -o json").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let document = ended.json();
    let reason = Some("sa-east-1 is slow");
    assert_eq!(
        states(&document, "us-east-1"),
        [("ACTIVE", None), ("PASSIVE", None), ("ACTIVE", reason), ("PASSIVE", None)]
    );
    assert_eq!(states(&document, "sa-east-1"), [("PASSIVE", reason), ("ACTIVE", None)]);
    let times: Vec<_> = changes(&document).iter().map(|change| change["at"].as_i64().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    assert!(changes(&document).iter().all(|change| change["by"].as_str().unwrap().starts_with("arn:aws:iam::")));
    // CloudTrail does not record the accelerator's stand-in, which is reported, but not a failure.
    assert!(ended.out.contains("cloudtrail_endpoint_url is not set"), "{ended:?}");

    let table = console.run("history --limit 2").await;
    let lines: Vec<_> = table.out.lines().collect();
    assert!(lines[0].starts_with("TIME (UTC)") && lines[0].ends_with("REASON"), "{table:?}");
    assert!(lines[1].contains("us-east-1  state PASSIVE -> ACTIVE  root"), "{table:?}");
    assert_eq!(lines[3], "... and 4 older changes; --limit 0 lists all");
}

#[tokio::test]
async fn with_a_region_gone_the_history_of_the_other_is_told_and_the_command_ends_with_2() {
    let console = Console::open("history-gone").await;
    assert_eq!(console.run("switch --both --yes").await.code, Some(0));
    console.aws[0].fail("*", Fault::Status(503));
    let ended = console.run("history -o json").await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let document = ended.json();
    assert_eq!(states(&document, "us-east-1"), [("ACTIVE", None), ("PASSIVE", None)]);
    assert_eq!(document["unknown"][0]["what"], "state of sa-east-1");
    assert!(document["unknown"][0]["error"].as_str().unwrap().contains("503"), "{document}");

    console.aws[1].fail("*", Fault::Status(503));
    assert_eq!(console.run("history").await.code, Some(1), "nothing could be read");
}

#[tokio::test]
async fn the_dials_come_from_all_pages_of_cloudtrail_and_are_this_accelerator_s() {
    let console = Console::open("history-dials").await;
    let trail = FakeFleet::start(console.accelerator.endpoint(), "none", &[]).await.unwrap();
    let (ours, other) = (console.accelerator_arn(), "arn:aws:globalaccelerator::111122223333:accelerator/other");
    let now = time::OffsetDateTime::now_utc();
    for (minutes, accelerator, region, percent) in
        [(50, ours, "us-east-1", 0.0), (40, other, "us-east-1", 50.0), (30, ours, "us-east-1", 100.0)]
    {
        let at = now - time::Duration::minutes(minutes);
        let at = format!("{}T{:02}:{:02}:{:02}Z", at.date(), at.hour(), at.minute(), at.second());
        trail.record(json!({
            "eventTime": at,
            "userIdentity": { "arn": "arn:aws:sts::111122223333:assumed-role/Operator/jane" },
            "requestParameters": {
                "endpointGroupArn": format!("{accelerator}/listener/1/endpoint-group/2"), "trafficDialPercentage": percent,
            },
            "responseElements": { "endpointGroup": { "endpointGroupRegion": region } },
        }));
    }
    let words = format!("history --region us-east-1 --set cloudtrail_endpoint_url={}", trail.endpoint());
    let ended = console.run(&format!("{words} -o json")).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let document = ended.json();
    let dials: Vec<_> = changes(&document).into_iter().filter(|change| change["change"] == "dial").collect();
    let told: Vec<_> = dials.iter().map(|dial| (&dial["from"], &dial["to"])).collect();
    assert_eq!(told, [(&json!(0.0), &json!(100.0)), (&Value::Null, &json!(0.0))], "{document}");
    assert!(dials.iter().all(|dial| dial["by"].as_str().unwrap().ends_with("Operator/jane")));
    assert_eq!(trail.asked(), vec!["LookupEvents for us-west-2/cloudtrail"; 3]);
    let table = console.run(&words).await.out;
    let lines: Vec<_> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(lines.iter().any(|line| line.ends_with("us-east-1 dial 0 % -> 100 % Operator/jane -")), "{table}");
}

#[tokio::test]
async fn a_reason_that_cannot_be_kept_is_refused_before_anything_is_changed() {
    let console = Console::open("refused-reason").await;
    for reason in ["", "two\nlines", &"x".repeat(257)] {
        let mut switch = console.command("switch --to us-east-1 --yes --reason");
        let output = switch.arg(reason).output().await.unwrap();
        assert_eq!(output.status.code(), Some(64), "{reason:?}: {output:?}");
    }
    assert_eq!(console.changes(), 0);
}
