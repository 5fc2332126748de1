//! `switch`: the order of its steps, what is not done when something is lost, and that it never makes things worse.

use aws_sdk_dynamodb::types::AttributeValue;
use sales_testbed::{
    resources::RegionState,
    testing::{Fault, FaultProxy, eventually},
};

use crate::console::{Console, NEVER, owe};

const FIRST: [RegionState; 2] = [RegionState::Active, RegionState::Passive];
const SECOND: [RegionState; 2] = [RegionState::Passive, RegionState::Active];
const BOTH: [RegionState; 2] = [RegionState::Active, RegionState::Active];
const NONE: [RegionState; 2] = [RegionState::Passive, RegionState::Passive];

#[tokio::test]
async fn a_switch_sets_the_states_and_turns_the_dials() {
    let console = Console::open("switch").await;
    for (words, states, dials) in [
        ("--to us-east-1", SECOND, [0.0, 100.0]),
        ("--both", BOTH, [100.0, 100.0]),
        ("--to sa-east-1", FIRST, [100.0, 0.0]),
    ] {
        let ended = console.run(&format!("switch {words} --yes --wait")).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!((console.states().await, console.dials()), (states, dials.to_vec()), "{words}");
        let changes = console.changes();
        let again = console.run(&format!("switch {words}")).await;
        assert_eq!(again.code, Some(0), "there is nothing to ask for: {again:?}");
        assert_eq!(console.changes(), changes, "{words} is repeated");
    }
}

#[tokio::test]
async fn a_dry_run_and_a_switch_without_a_yes_change_nothing() {
    let console = Console::open("dry-run").await;
    let dry = console.run("switch --to us-east-1 --dry-run --output json").await;
    assert_eq!(dry.code, Some(0), "{dry:?}");
    let steps = dry.json()["steps"].as_array().unwrap().clone();
    let told: Vec<_> =
        steps.iter().map(|step| (step["region"].as_str().unwrap(), step["step"].as_str().unwrap())).collect();
    assert_eq!(told, [("us-east-1", "state"), ("us-east-1", "dial"), ("sa-east-1", "dial"), ("sa-east-1", "state")]);
    assert!(steps.iter().all(|step| step["outcome"] == "planned"));

    let unasked = console.run("switch --to us-east-1").await;
    assert_eq!(unasked.code, Some(64), "{unasked:?}");
    assert!(unasked.err.contains("pass --yes"), "{unasked:?}");
    assert_eq!((console.changes(), console.states().await), (0, FIRST));
}

#[tokio::test]
async fn what_is_gone_is_owed_and_the_command_that_is_told_does_it_later() {
    let console = Console::open("owed").await;
    for gone in ["region", "accelerator"] {
        match gone {
            "region" => console.aws[0].fail("*", Fault::Status(503)),
            _ => console.accelerator.fail("*", Fault::Status(503)),
        }
        let ended = console.run("switch --to us-east-1 --yes --wait --output json").await;
        assert_eq!(ended.code, Some(2), "{gone}: {ended:?}");
        let report = ended.json();
        assert_eq!(report["complete"], false, "{report}");
        let owed: Vec<_> =
            report["steps"].as_array().unwrap().iter().filter(|step| step["outcome"] == "owed").collect();
        assert!(owed.iter().all(|step| step["reason"].as_str().unwrap().contains("503")), "{report}");
        match gone {
            "region" => {
                assert_eq!(owed.len(), 1, "{report}");
                assert_eq!((console.states().await, console.dials()), (BOTH, vec![0.0, 100.0]));
            }
            _ => {
                assert_eq!(owed.len(), 2, "{report}");
                assert_eq!((console.states().await, console.dials()), (SECOND, vec![100.0, 0.0]));
            }
        }
        console.heal();
        let repeat = report["repeat"].as_str().unwrap();
        let ended = console.run(repeat.strip_prefix("salesctl ").unwrap()).await;
        assert_eq!(ended.code, Some(0), "{repeat}: {ended:?}");
        assert_eq!((console.states().await, console.dials()), (SECOND, vec![0.0, 100.0]));
        assert_eq!(console.run("switch --to sa-east-1 --yes").await.code, Some(0));
    }
}

#[tokio::test]
async fn a_target_that_cannot_be_made_active_leaves_everything_as_it_is() {
    let console = Console::open("target").await;
    console.aws[1].fail("PutParameter", Fault::Status(503));
    let ended = console.run("switch --to us-east-1 --yes").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("skipped: no region is known to be ACTIVE"), "{ended:?}");
    assert_eq!((console.states().await, console.dials()), (FIRST, vec![100.0, 0.0]));

    let forced = console.run("switch --to us-east-1 --yes --force").await;
    assert_eq!(forced.code, Some(2), "{forced:?}");
    assert_eq!((console.states().await, console.dials()), (NONE, vec![0.0, 100.0]));
}

#[tokio::test]
async fn no_region_active_has_to_be_said_twice() {
    let console = Console::open("none").await;
    let once = console.run("switch --none --yes").await;
    assert_eq!(once.code, Some(64), "{once:?}");
    assert!(once.err.contains("--none --force"), "{once:?}");
    assert_eq!(console.states().await, FIRST);
    let twice = console.run("switch --none --force --yes").await;
    assert_eq!(twice.code, Some(0), "{twice:?}");
    assert_eq!((console.states().await, console.dials()), (NONE, vec![100.0, 0.0]));
}

#[tokio::test]
async fn a_region_is_not_made_passive_once_somebody_else_has_made_the_target_passive() {
    let console = Console::open("race").await;
    console.accelerator.fail("UpdateEndpointGroup", Fault::Delay(NEVER));
    let other = async {
        let turning = async || (console.accelerator.calls("UpdateEndpointGroup") > 0).then_some(());
        eventually("the dials are being turned", turning).await;
        console.stage.deployment.regions[1].set_state(RegionState::Passive).await.unwrap();
        console.accelerator.heal();
    };
    let (ended, ()) = tokio::join!(console.run("switch --to us-east-1 --yes"), other);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.out.contains("us-east-1 is now PASSIVE"), "{ended:?}");
    assert_eq!(console.states().await, FIRST);
}

#[tokio::test]
async fn a_switch_that_is_interrupted_at_any_step_is_safe_and_is_finished_by_repeating_it() {
    let console = Console::open("interrupt").await;
    let [first, second] = &console.aws;
    let calls: [(&FaultProxy, &'static str); 7] = [
        (second, "GetParameter"),
        (&console.accelerator, "ListEndpointGroups"),
        (second, "PutParameter"),
        (&console.accelerator, "UpdateEndpointGroup"),
        (first, "PutParameter"),
        (first, "Query"),
        (second, "Query"),
    ];
    for (proxy, call) in calls {
        for fault in [Fault::Delay(NEVER), Fault::LateAnswer(NEVER)] {
            proxy.fail(call, fault);
            let before = proxy.calls(call);
            let ended = console.interrupt("switch --to us-east-1 --yes --wait", || proxy.calls(call) > before).await;
            assert_eq!(ended.code, Some(130), "{call}: {ended:?}");
            let states = console.states().await;
            assert!(states.contains(&RegionState::Active), "{call}: {states:?}");

            console.heal();
            let repeated = console.run("switch --to us-east-1 --yes --wait").await;
            assert_eq!(repeated.code, Some(0), "{call}: {repeated:?}");
            assert_eq!((console.states().await, console.dials()), (SECOND, vec![0.0, 100.0]), "{call}");
            assert_eq!(console.run("switch --to sa-east-1 --yes").await.code, Some(0), "{call}");
        }
    }
}

#[tokio::test]
async fn a_wrong_name_is_told_and_nothing_is_created_under_it() {
    let console = Console::open("names").await;
    let unknown = console.run("switch --to mars-east-1 --yes").await;
    assert_eq!(unknown.code, Some(64), "{unknown:?}");
    assert!(unknown.err.contains("expected one of sa-east-1, us-east-1"), "{unknown:?}");

    let wrong = console.run("switch --to us-east-1 --yes --set regions.us-east-1.state_parameter=/no/such/state").await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.out.contains("check regions.us-east-1.state_parameter"), "{wrong:?}");
    assert_eq!((console.changes(), console.states().await), (0, FIRST));

    let other = console.run("switch --to us-east-1 --yes --set regions.sa-east-1.state_parameter=/no/such/state").await;
    assert_eq!(other.code, Some(2), "{other:?}");
    assert_eq!(console.states().await, BOTH);
}

#[tokio::test]
async fn without_credentials_or_permission_the_next_step_is_told() {
    let console = Console::open("credentials").await;
    for words in ["status", "switch --to us-east-1 --yes", "dlq list", "pending list"] {
        let mut command = console.command(words);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        let output = command.output().await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}: {error}");
        assert!(error.starts_with("error: no AWS credentials") && error.contains("AWS_PROFILE"), "{words}: {error}");
        assert_eq!(error.lines().count(), 1, "{words}: {error}");
    }

    console.aws[1].fail("PutParameter", Fault::Status(403));
    let denied = console.run("switch --to us-east-1 --yes").await;
    assert_eq!(denied.code, Some(1), "{denied:?}");
    assert!(denied.out.contains("not allowed with these credentials"), "{denied:?}");
    assert_eq!(console.states().await, FIRST);
}

#[tokio::test]
async fn a_region_whose_worker_does_not_answer_gets_the_work_only_by_force() {
    let console = Console::open("no-worker").await;
    let words = "switch --to us-east-1 --yes --set regions.us-east-1.worker_url=http://127.0.0.1:1";
    let refused = console.run(words).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.out.contains("the worker of us-east-1 does not answer"), "{refused:?}");
    assert_eq!((console.changes(), console.states().await), (0, FIRST));
    let forced = console.run(&format!("{words} --force")).await;
    assert_eq!((forced.code, console.states().await), (Some(0), SECOND), "{forced:?}");
}

#[tokio::test]
async fn waiting_ends_with_2_while_something_from_before_the_switch_is_pending() {
    let console = Console::open("undrained").await;
    owe(&console.stage, "0192f5c0-7c1d-7a3e-8f11-0123456789ab", 1_764_547_200).await;
    let ended = console.run("switch --both --yes --wait --timeout 1 -o json").await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let report = ended.json();
    assert_eq!(report["complete"], false, "{report}");
    assert!(
        report["pending"]["regions"].as_array().unwrap().iter().all(|region| region["from_before_the_switch"] == true)
    );
    assert_eq!(console.states().await, BOTH, "what could be done is done");
    // One from long after the switch does not delay it.
    let item = console.stage.active();
    let tables = aws_sdk_dynamodb::Client::new(&console.stage.sdk(item));
    let settle = tables.delete_item().table_name(&item.sales_table);
    settle.key("id", AttributeValue::S("0192f5c0-7c1d-7a3e-8f11-0123456789ab".to_owned())).send().await.unwrap();
    owe(&console.stage, "0192f5c0-7c1d-7a3e-8f11-0123456789ac", 4_102_444_800).await;
    let ended = console.run("switch --both --yes --wait --timeout 1").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
