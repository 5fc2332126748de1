//! Operations on endpoint groups.

use std::sync::atomic::Ordering;

use aws_sdk_globalaccelerator::{
    Client,
    error::SdkError,
    operation::update_endpoint_group::{UpdateEndpointGroupError, builders::UpdateEndpointGroupFluentBuilder},
    types::{EndpointGroup, HealthCheckProtocol, HealthState, PortOverride},
};
use sales_testbed::accelerator::Dial;

use crate::fake::{
    arn, balancer, client, create_accelerator, create_group, create_listener, endpoint, fault, groups, ports,
    start_empty, start_with_fakes, turn, wait_for,
};

async fn describe(client: &Client, arn: &str) -> EndpointGroup {
    let answer = client.describe_endpoint_group().endpoint_group_arn(arn).send().await.expect("a group");
    answer.endpoint_group.expect("a group")
}

fn weights(group: &EndpointGroup) -> Vec<(&str, i32)> {
    let endpoints = group.endpoint_descriptions().iter();
    endpoints.map(|one| (one.endpoint_id().expect("an id"), one.weight().expect("a weight"))).collect()
}

#[tokio::test]
async fn it_starts_with_a_group_for_each_region_with_dial_and_health() {
    let (stand_in, first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&stand_in);
    let seen = groups(&client).await;
    let seen: Vec<_> =
        seen.iter().map(|group| (group.endpoint_group_region(), group.traffic_dial_percentage())).collect();
    assert_eq!(seen, [(Some("sa-east-1"), Some(100.0)), (Some("us-east-1"), Some(0.0))]);

    first.healthy.store(false, Ordering::SeqCst);
    wait_for(&stand_in, |endpoints| !endpoints[0].is_healthy()).await;
    let group = describe(&client, arn(&groups(&client).await[0])).await;
    assert_eq!(group.endpoint_descriptions()[0].health_state(), Some(&HealthState::Unhealthy));
}

#[tokio::test]
async fn a_dial_that_is_turned_is_shown_turned_and_nothing_else_changes() {
    let (stand_in, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&stand_in);
    let before = groups(&client).await;
    turn(&client, &before[1], 33.3).await;
    let mut expected = before.clone();
    expected[1].traffic_dial_percentage = Some(33.3);
    assert_eq!(groups(&client).await, expected);
    assert_eq!(stand_in.endpoints()[1].dial, Dial::new(33.3).expect("a percentage"));
}

#[tokio::test]
async fn a_group_lives_from_its_creation_to_its_deletion() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let listener = create_listener(&client, &create_accelerator(&client).await, ports(443, 443)).await;
    let create = client.create_endpoint_group().listener_arn(&listener).idempotency_token("once");
    let create = create.endpoint_group_region("us-east-1");
    let created = create.clone().send().await.expect("a group").endpoint_group.expect("a group");
    let id = arn(&created).to_owned();
    let defaults = EndpointGroup::builder()
        .endpoint_group_arn(&id)
        .endpoint_group_region("us-east-1")
        .set_endpoint_descriptions(Some(Vec::new()))
        .traffic_dial_percentage(100.0)
        .health_check_port(443)
        .health_check_protocol(HealthCheckProtocol::Tcp)
        .health_check_interval_seconds(30)
        .threshold_count(3)
        .set_port_overrides(Some(Vec::new()));
    assert_eq!(created, defaults.build());
    assert_eq!(create.clone().send().await.expect("a group").endpoint_group, Some(created), "the same token");
    let again = create.idempotency_token("again").send().await;
    assert_eq!(fault(again), "EndpointGroupAlreadyExistsException");

    let port_override = PortOverride::builder().listener_port(443).endpoint_port(8443).build();
    let update = client.update_endpoint_group().endpoint_group_arn(&id);
    let update = update
        .endpoint_configurations(endpoint(&balancer("us-east-1"), 7))
        .traffic_dial_percentage(12.5)
        .health_check_port(8080)
        .health_check_protocol(HealthCheckProtocol::Http)
        .health_check_interval_seconds(10)
        .threshold_count(2)
        .port_overrides(port_override.clone());
    let updated = update.send().await.expect("an update").endpoint_group.expect("a group");
    assert_eq!(describe(&client, &id).await, updated);
    assert_eq!(weights(&updated), [(balancer("us-east-1").as_str(), 7)]);
    assert_eq!(updated.endpoint_descriptions()[0].health_state(), Some(&HealthState::Healthy));
    assert_eq!(updated.traffic_dial_percentage(), Some(12.5));
    assert_eq!(updated.health_check_port(), Some(8080));
    assert_eq!(updated.health_check_path(), Some("/"), "the default with HTTP");
    assert_eq!((updated.health_check_interval_seconds(), updated.threshold_count()), (Some(10), Some(2)));
    assert_eq!(updated.port_overrides(), [port_override]);

    let empty = client.update_endpoint_group().endpoint_group_arn(&id).set_port_overrides(Some(Vec::new()));
    let emptied = empty.set_endpoint_configurations(Some(Vec::new())).send().await.expect("an update");
    let emptied = emptied.endpoint_group.expect("a group");
    assert!(emptied.port_overrides().is_empty() && emptied.endpoint_descriptions().is_empty());

    let delete = || client.delete_endpoint_group().endpoint_group_arn(&id).send();
    delete().await.expect("it is deleted");
    let faults = [
        fault(delete().await),
        fault(client.describe_endpoint_group().endpoint_group_arn(&id).send().await),
        fault(client.update_endpoint_group().endpoint_group_arn(&id).send().await),
    ];
    assert!(faults.iter().all(|name| name == "EndpointGroupNotFoundException"), "{faults:?}");
    create_group(&client, &listener, "us-east-1", 100.0).await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let (stand_in, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&stand_in);
    let before = groups(&client).await;
    let update = || client.update_endpoint_group().endpoint_group_arn(arn(&before[0])).traffic_dial_percentage(50.0);
    let error = update().traffic_dial_percentage(101.0).send().await.map_err(SdkError::into_service_error);
    let error = error.expect_err("it is too much");
    assert!(matches!(error, UpdateEndpointGroupError::InvalidArgumentException(_)), "{error:?}");

    let over = |listener, endpoint| PortOverride::builder().listener_port(listener).endpoint_port(endpoint).build();
    let port = i32::from(stand_in.address().port());
    let many = (0..11).map(|number| endpoint(&number.to_string(), 1)).collect();
    let wrong: [UpdateEndpointGroupFluentBuilder; 20] = [
        update().traffic_dial_percentage(-1.0),
        update().traffic_dial_percentage(f32::NAN),
        update().endpoint_configurations(endpoint("a", 256)),
        update().endpoint_configurations(endpoint("a", -1)),
        update().endpoint_configurations(endpoint("", 1)),
        update().endpoint_configurations(endpoint("a", 1)).endpoint_configurations(endpoint("a", 2)),
        update().set_endpoint_configurations(Some(many)),
        update().health_check_port(0),
        update().health_check_port(65536),
        update().health_check_protocol("ICMP".into()),
        update().health_check_path("healthcheck"),
        update().health_check_path(format!("/{}", "a".repeat(255))),
        update().health_check_interval_seconds(15),
        update().threshold_count(0),
        update().threshold_count(11),
        update().port_overrides(over(port, 0)),
        update().port_overrides(over(port + 1, 80)),
        update().port_overrides(over(port, 80)).port_overrides(over(port, 81)),
        update().port_overrides(PortOverride::builder().listener_port(port).build()),
        update().set_port_overrides(Some(vec![over(port, 80); 11])),
    ];
    for request in wrong {
        let said = format!("{request:?}");
        assert_eq!(fault(request.send().await), "InvalidArgumentException", "{said}");
    }
    assert_eq!(groups(&client).await, before);
}

#[tokio::test]
async fn a_group_needs_a_region_and_a_listener_that_exist() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let listener = create_listener(&client, &create_accelerator(&client).await, ports(80, 80)).await;
    for wrong in ["", "mars", "mars-1", "eu-west-", "eu--1", "EU-west-1", "eu-west-12"] {
        let request = client.create_endpoint_group().listener_arn(&listener).endpoint_group_region(wrong);
        assert_eq!(fault(request.send().await), "InvalidArgumentException", "{wrong:?}");
    }
    let request = client.create_endpoint_group().listener_arn("arn:of:nothing").endpoint_group_region("us-east-1");
    assert_eq!(fault(request.send().await), "ListenerNotFoundException");
    let request = client.list_endpoint_groups().listener_arn(&listener).next_token("1@elsewhere");
    assert_eq!(fault(request.send().await), "InvalidNextTokenException");
    let request = client.list_cross_account_resources().resource_owner_aws_account_id("111122223333");
    assert!(request.send().await.expect("a list").cross_account_resources().is_empty());
}
