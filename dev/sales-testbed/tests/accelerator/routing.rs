//! Routing.

use std::{net::SocketAddr, sync::atomic::Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fake::{
    arn, ask_anew, balancer, client, connect, create_accelerator, create_group, create_listener, endpoint, groups,
    is_reset, ports, start, start_empty, start_with_fakes, turn, wait_for,
};

#[tokio::test]
async fn connections_are_shared_out_by_the_dials() {
    let (stand_in, _first, _second) = start_with_fakes([100.0, 25.0]).await;
    let mut counts = [0, 0];
    for _ in 0..500 {
        counts[usize::from(ask_anew(&stand_in).await == "us-east-1")] += 1;
    }
    // A fifth is expected; a count outside of these bounds has a probability below 10^-9.
    assert!((45..=160).contains(&counts[1]), "{counts:?}");
}

#[tokio::test]
async fn an_unhealthy_region_is_left_and_a_healthy_one_taken_back() {
    let (stand_in, first, _second) = start_with_fakes([100.0, 0.0]).await;
    assert_eq!(ask_anew(&stand_in).await, "sa-east-1");
    first.healthy.store(false, Ordering::SeqCst);
    wait_for(&stand_in, |endpoints| !endpoints[0].is_healthy()).await;
    assert_eq!(ask_anew(&stand_in).await, "us-east-1", "its dial is off, but it is the only healthy one");
    first.healthy.store(true, Ordering::SeqCst);
    wait_for(&stand_in, |endpoints| endpoints[0].is_healthy()).await;
    assert_eq!(ask_anew(&stand_in).await, "sa-east-1");
}

#[tokio::test]
async fn a_region_that_refuses_a_connection_is_passed_over_at_once() {
    let (stand_in, first, _second) = start_with_fakes([100.0, 0.0]).await;
    drop(first);
    assert_eq!(ask_anew(&stand_in).await, "us-east-1");
}

#[tokio::test]
async fn without_a_healthy_region_any_region_is_tried() {
    let (stand_in, first, second) = start_with_fakes([100.0, 0.0]).await;
    first.healthy.store(false, Ordering::SeqCst);
    second.healthy.store(false, Ordering::SeqCst);
    wait_for(&stand_in, |endpoints| !endpoints.iter().any(|endpoint| endpoint.is_healthy())).await;
    assert!(!ask_anew(&stand_in).await.is_empty());
    drop(first);
    assert_eq!(ask_anew(&stand_in).await, "us-east-1");
}

#[tokio::test]
async fn without_a_region_that_takes_it_a_connection_is_reset() {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let stand_in = start([nowhere; 2], [100.0, 100.0]).await;
    let error = connect(&stand_in).await.read(&mut [0]).await.expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_client_that_has_finished_sending_still_gets_its_answer() {
    let (stand_in, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let mut connection = connect(&stand_in).await;
    connection.write_all(b"who\n").await.expect("it is open");
    connection.shutdown().await.expect("it is open");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer and an end");
    assert_eq!(answer, "sa-east-1 end");
}

#[tokio::test]
async fn a_group_whose_endpoints_all_have_the_weight_zero_gets_nothing_as_long_as_another_is_healthy() {
    let (stand_in, _first, second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&stand_in);
    let group = groups(&client).await.remove(0);
    let weigh = async |first, second| {
        let request = client.update_endpoint_group().endpoint_group_arn(arn(&group));
        let request = request.endpoint_configurations(endpoint("one", first));
        request.endpoint_configurations(endpoint("other", second)).send().await.expect("it is updated");
    };
    weigh(0, 0).await;
    assert_eq!(ask_anew(&stand_in).await, "us-east-1");
    weigh(0, 1).await;
    assert_eq!(ask_anew(&stand_in).await, "sa-east-1");
    weigh(0, 0).await;
    drop(second);
    assert_eq!(ask_anew(&stand_in).await, "sa-east-1", "nothing else is left");
}

#[tokio::test]
async fn nobody_gets_through_without_an_accelerator_that_is_enabled_with_a_listener_and_a_group_with_endpoints() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    assert_eq!(stand_in.accelerator_arn(), None);
    assert!(is_reset(&stand_in).await, "no accelerator");
    let accelerator = create_accelerator(&client).await;
    assert!(is_reset(&stand_in).await, "no listener");
    let listener = create_listener(&client, &accelerator, ports(443, 443)).await;
    assert!(is_reset(&stand_in).await, "no group");
    let group = create_group(&client, &listener, "us-east-1", 0.0).await;
    assert_eq!(ask_anew(&stand_in).await, "us-east-1", "the only one");

    let update = || client.update_endpoint_group().endpoint_group_arn(arn(&group));
    update().set_endpoint_configurations(Some(Vec::new())).send().await.expect("it is updated");
    assert!(is_reset(&stand_in).await, "no endpoint");
    update().endpoint_configurations(endpoint(&balancer("us-east-1"), 1)).send().await.expect("it is updated");
    assert_eq!(ask_anew(&stand_in).await, "us-east-1");

    let enable = |enabled| client.update_accelerator().accelerator_arn(&accelerator).enabled(enabled).send();
    enable(false).await.expect("it is disabled");
    assert!(is_reset(&stand_in).await, "disabled");
    enable(true).await.expect("it is enabled");
    assert_eq!(ask_anew(&stand_in).await, "us-east-1");
}

#[tokio::test]
async fn a_region_without_an_endpoint_group_gets_nothing() {
    let (stand_in, _first, second) = start_empty().await;
    let client = client(&stand_in);
    let listener = create_listener(&client, &create_accelerator(&client).await, ports(80, 80)).await;
    let group = create_group(&client, &listener, "us-east-1", 100.0).await;
    drop(second);
    assert!(is_reset(&stand_in).await, "the other region has no group");
    create_group(&client, &listener, "sa-east-1", 0.0).await;
    assert_eq!(ask_anew(&stand_in).await, "sa-east-1");
    client.delete_endpoint_group().endpoint_group_arn(arn(&group)).send().await.expect("it is deleted");
    turn(&client, &groups(&client).await[0], 100.0).await;
    assert_eq!(ask_anew(&stand_in).await, "sa-east-1");
    let dials: Vec<_> = stand_in.endpoints().iter().map(|endpoint| endpoint.dial.percent()).collect();
    assert_eq!(dials, [100.0, 0.0]);
}
