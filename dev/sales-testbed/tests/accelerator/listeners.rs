//! Operations on listeners.

use aws_sdk_globalaccelerator::types::{ClientAffinity, Listener, Protocol};

use crate::fake::{arn, client, create_accelerator, create_group, create_listener, fault, ports, start_empty};

#[tokio::test]
async fn a_listener_lives_from_its_creation_to_its_deletion() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let accelerator = create_accelerator(&client).await;
    let request = client.create_listener().accelerator_arn(&accelerator).protocol(Protocol::Tcp);
    let request = request.port_ranges(ports(80, 81)).port_ranges(ports(443, 443)).idempotency_token("once");
    let created = request.clone().send().await.expect("a listener").listener.expect("a listener");
    let listener = created.listener_arn().expect("an ARN").to_owned();
    assert_eq!(created.client_affinity(), Some(&ClientAffinity::None));
    assert_eq!(created.port_ranges(), [ports(80, 81), ports(443, 443)]);
    assert_eq!(request.send().await.expect("a listener").listener, Some(created.clone()), "the same token");
    let describe = async || {
        let answer = client.describe_listener().listener_arn(&listener).send().await.expect("a listener");
        answer.listener.expect("a listener")
    };
    assert_eq!(describe().await, created);

    let request = client.update_listener().listener_arn(&listener).client_affinity(ClientAffinity::SourceIp);
    request.send().await.expect("an update");
    let request = client.update_listener().listener_arn(&listener).port_ranges(ports(81, 82));
    request.send().await.expect("an update");
    let expected = Listener::builder()
        .listener_arn(&listener)
        .port_ranges(ports(81, 82))
        .protocol(Protocol::Tcp)
        .client_affinity(ClientAffinity::SourceIp);
    assert_eq!(describe().await, expected.build(), "what is not said stays");

    let group = create_group(&client, &listener, "us-east-1", 100.0).await;
    let delete = || client.delete_listener().listener_arn(&listener).send();
    assert_eq!(fault(delete().await), "AssociatedEndpointGroupFoundException");
    client.delete_endpoint_group().endpoint_group_arn(arn(&group)).send().await.expect("it is deleted");
    delete().await.expect("it is deleted");
    let faults = [
        fault(delete().await),
        fault(client.describe_listener().listener_arn(&listener).send().await),
        fault(client.update_listener().listener_arn(&listener).send().await),
        fault(client.list_endpoint_groups().listener_arn(&listener).send().await),
    ];
    assert!(faults.iter().all(|name| name == "ListenerNotFoundException"), "{faults:?}");
}

#[tokio::test]
async fn ports_are_valid_and_differ_on_an_accelerator() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let accelerator = create_accelerator(&client).await;
    let create = |protocol: Protocol| client.create_listener().accelerator_arn(&accelerator).protocol(protocol);
    create_listener(&client, &accelerator, ports(80, 90)).await;
    let other = create_listener(&client, &accelerator, ports(100, 100)).await;
    for wrong in [ports(0, 1), ports(2, 1), ports(1, 65536), ports(-1, 1), ports(90, 95), ports(1, 65535)] {
        let request = create(Protocol::Tcp).port_ranges(wrong.clone());
        assert_eq!(fault(request.send().await), "InvalidPortRangeException", "{wrong:?}");
        let request = client.update_listener().listener_arn(&other).port_ranges(wrong.clone());
        assert_eq!(fault(request.send().await), "InvalidPortRangeException", "{wrong:?}");
    }
    let request = create(Protocol::Tcp).port_ranges(ports(1, 5)).port_ranges(ports(5, 6));
    assert_eq!(fault(request.send().await), "InvalidPortRangeException", "with itself");
    create(Protocol::Udp).port_ranges(ports(80, 80)).send().await.expect("another protocol");
    create_listener(&client, &create_accelerator(&client).await, ports(80, 80)).await;
}

#[tokio::test]
async fn what_cannot_be_a_listener_is_refused() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let accelerator = create_accelerator(&client).await;
    let create = |protocol: Protocol| client.create_listener().accelerator_arn(&accelerator).protocol(protocol);
    let request = create(Protocol::from("SCTP")).port_ranges(ports(80, 80));
    assert_eq!(fault(request.send().await), "InvalidArgumentException");
    let request = create(Protocol::Tcp).set_port_ranges(Some(Vec::new()));
    assert_eq!(fault(request.send().await), "InvalidArgumentException");
    let request = create(Protocol::Tcp).set_port_ranges(Some((1..=11).map(|port| ports(port, port)).collect()));
    assert_eq!(fault(request.send().await), "InvalidArgumentException");
    let request = client.create_listener().accelerator_arn("arn:of:nothing").protocol(Protocol::Tcp);
    assert_eq!(fault(request.port_ranges(ports(80, 80)).send().await), "AcceleratorNotFoundException");

    for port in 1..=10 {
        create_listener(&client, &accelerator, ports(port, port)).await;
    }
    assert_eq!(fault(create(Protocol::Tcp).port_ranges(ports(11, 11)).send().await), "LimitExceededException");
    let pages = client.list_listeners().accelerator_arn(&accelerator).max_results(3).into_paginator().items().send();
    let listed = pages.collect::<Result<Vec<_>, _>>().await.expect("all pages");
    let listed: Vec<_> = listed.iter().map(|listener| listener.port_ranges()[0].from_port()).collect();
    assert_eq!(listed, (1..=10).map(Some).collect::<Vec<_>>());
}
