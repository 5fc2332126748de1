//! Open connections, and new ones, during changes.

use std::cell::Cell;

use sales_testbed::accelerator::AcceleratorStandIn;

use crate::fake::{arn, ask, ask_anew, client, connect, endpoint, groups, start_with_fakes, turn};

async fn get(http: &reqwest::Client, stand_in: &AcceleratorStandIn, path: &str) -> String {
    let answer = http.get(format!("http://{}{path}", stand_in.address())).send().await.expect("an answer");
    answer.text().await.expect("the region's name")
}

fn http() -> reqwest::Client {
    sales_testbed::http_client::builder().build().expect("a client")
}

#[tokio::test]
async fn a_connection_stays_where_it_is_when_the_dials_are_turned() {
    let (stand_in, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&stand_in);
    let mut open = connect(&stand_in).await;
    assert_eq!(ask(&mut open).await, "sa-east-1");
    let groups = groups(&client).await;
    turn(&client, &groups[1], 100.0).await;
    turn(&client, &groups[0], 0.0).await;
    assert_eq!(ask(&mut open).await, "sa-east-1");
    for _ in 0..20 {
        assert_eq!(ask_anew(&stand_in).await, "us-east-1");
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_although_its_region_is_dialled_off_weighed_zero_and_removed() {
    let (stand_in, first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&stand_in);
    let groups = groups(&client).await;
    let slow = async { get(&http(), &stand_in, "/slow").await };
    let changes = async {
        first.slow_request().await;
        turn(&client, &groups[1], 100.0).await;
        turn(&client, &groups[0], 0.0).await;
        let request = client.update_endpoint_group().endpoint_group_arn(arn(&groups[0]));
        request.endpoint_configurations(endpoint("any", 0)).send().await.expect("it is updated");
        client.delete_endpoint_group().endpoint_group_arn(arn(&groups[0])).send().await.expect("it is deleted");
        assert_eq!(ask_anew(&stand_in).await, "us-east-1");
        first.released.add_permits(1);
    };
    let (answer, ()) = tokio::join!(slow, changes);
    assert_eq!(answer, "sa-east-1");
}

#[tokio::test]
async fn a_connection_that_is_kept_alive_stays_usable_when_the_dials_are_turned() {
    let (stand_in, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&stand_in);
    let kept = http();
    assert_eq!(get(&kept, &stand_in, "/region").await, "sa-east-1");
    let groups = groups(&client).await;
    turn(&client, &groups[1], 100.0).await;
    turn(&client, &groups[0], 0.0).await;
    assert_eq!(get(&http(), &stand_in, "/region").await, "us-east-1", "a new connection");
    assert_eq!(get(&kept, &stand_in, "/region").await, "sa-east-1", "the old connection");
}

#[tokio::test]
async fn no_connection_is_refused_or_reset_while_the_dials_are_turned_not_even_with_both_off() {
    let (stand_in, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&stand_in);
    let groups = groups(&client).await;
    let (rounds, answers) = (Cell::new(0), Cell::new(0));
    let is_enough = || rounds.get() >= 50 && answers.get() >= 200;
    let turning = async {
        while !is_enough() {
            for (group, dial) in [(0, 0.0), (1, 100.0), (1, 0.0), (0, 100.0)] {
                turn(&client, &groups[group], dial).await;
            }
            rounds.update(|rounds| rounds + 1);
        }
    };
    let connecting = async {
        while !is_enough() {
            // It panics unless it gets a response.
            ask_anew(&stand_in).await;
            answers.update(|answers| answers + 1);
        }
    };
    tokio::join!(turning, connecting);
}
