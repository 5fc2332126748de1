//! Operations on accelerators and their tags, and what all operations have in common.

use aws_sdk_globalaccelerator::{
    Client,
    types::{Accelerator, AcceleratorStatus, Tag},
};

use crate::fake::{
    arn, client, create_accelerator, create_group, create_listener, fault, groups, ports, start_empty, start_with_fakes,
};

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a tag")
}

async fn tags(client: &Client, arn: &str) -> Vec<(String, String)> {
    let answer = client.list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
    answer.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

async fn describe(client: &Client, arn: &str) -> Accelerator {
    let answer = client.describe_accelerator().accelerator_arn(arn).send().await.expect("an accelerator");
    answer.accelerator.expect("an accelerator")
}

/// Whether `text` matches the pattern, where `x` is any hexadecimal digit.
fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(is, shall): (char, char)| is == shall || (shall == 'x' && is.is_ascii_hexdigit());
    text.len() == shape.len() && text.chars().zip(shape.chars()).all(fits)
}

#[tokio::test]
async fn it_starts_with_one_accelerator_and_the_arns_have_the_real_shapes() {
    let (stand_in, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&stand_in);
    let accelerator = stand_in.accelerator_arn().expect("an ARN");
    assert_eq!(describe(&client, accelerator).await.name(), Some("sales"));
    let group = groups(&client).await.remove(0);
    let listener =
        "arn:aws:globalaccelerator::111122223333:accelerator/xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx/listener/xxxxxxxx";
    let shape = format!("{listener}/endpoint-group/xxxxxxxxxxxx");
    assert!(has_shape(arn(&group), &shape), "{group:?}");
    assert!(arn(&group).starts_with(accelerator));
}

#[tokio::test]
async fn an_accelerator_lives_from_its_creation_to_its_deletion() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let request = client.create_accelerator().name("sales.test-1").tags(tag("owner", "us"));
    let created = request.send().await.expect("an accelerator").accelerator.expect("an accelerator");
    let arn = created.accelerator_arn().expect("an ARN").to_owned();
    assert_eq!(created.enabled(), Some(true));
    assert_eq!(created.status(), Some(&AcceleratorStatus::Deployed));
    assert_eq!(created.ip_sets()[0].ip_addresses(), ["127.0.0.1"]);
    assert_eq!(describe(&client, &arn).await, created);
    assert_eq!(client.list_accelerators().send().await.expect("a list").accelerators(), [created]);

    let update = client.update_accelerator().accelerator_arn(&arn).name("renamed").send().await.expect("an update");
    assert_eq!(update.accelerator.expect("an accelerator").enabled(), Some(true), "it stays enabled");
    assert_eq!(describe(&client, &arn).await.name(), Some("renamed"));

    let listener = create_listener(&client, &arn, ports(80, 80)).await;
    let delete = || client.delete_accelerator().accelerator_arn(&arn).send();
    assert_eq!(fault(delete().await), "AcceleratorNotDisabledException");
    client.update_accelerator().accelerator_arn(&arn).enabled(false).send().await.expect("an update");
    assert_eq!(fault(delete().await), "AssociatedListenerFoundException");
    client.delete_listener().listener_arn(listener).send().await.expect("it is deleted");
    delete().await.expect("it is deleted");
    assert_eq!(fault(delete().await), "AcceleratorNotFoundException");
    assert!(client.list_accelerators().send().await.expect("a list").accelerators().is_empty());
}

#[tokio::test]
async fn flow_logs_are_kept_if_they_say_where_to() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let arn = create_accelerator(&client).await;
    let update = || client.update_accelerator_attributes().accelerator_arn(&arn);
    assert_eq!(fault(update().flow_logs_enabled(true).send().await), "InvalidArgumentException");
    let request = update().flow_logs_enabled(true).flow_logs_s3_bucket("logs").flow_logs_s3_prefix("/");
    request.send().await.expect("an update");
    let answer = client.describe_accelerator_attributes().accelerator_arn(&arn).send().await.expect("attributes");
    let attributes = answer.accelerator_attributes.expect("attributes");
    assert_eq!(attributes.flow_logs_enabled(), Some(true));
    assert_eq!(attributes.flow_logs_s3_bucket(), Some("logs"));
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let request = client.create_accelerator().name("tagged").tags(tag("owner", "us"));
    let arn = request.send().await.expect("an accelerator").accelerator.expect("one").accelerator_arn.expect("an ARN");
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let request = client.tag_resource().resource_arn(&arn).tags(tag("owner", "them")).tags(tag("cost", ""));
    request.send().await.expect("it is tagged");
    assert_eq!(tags(&client, &arn).await, owned(&[("cost", ""), ("owner", "them")]));
    client.untag_resource().resource_arn(&arn).tag_keys("cost").tag_keys("none").send().await.expect("untagged");
    assert_eq!(tags(&client, &arn).await, owned(&[("owner", "them")]));

    let listener = create_listener(&client, &arn, ports(80, 80)).await;
    let group = create_group(&client, &listener, "us-east-1", 100.0).await;
    assert_eq!(tags(&client, &listener).await, []);
    assert_eq!(tags(&client, group.endpoint_group_arn().expect("an ARN")).await, []);
}

#[tokio::test]
async fn tags_that_are_none_and_resources_that_do_not_exist_are_refused() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let arn = create_accelerator(&client).await;
    for wrong in [tag("aws:reserved", "value"), tag(&"k".repeat(129), "value"), tag("key", &"v".repeat(257))] {
        let request = client.tag_resource().resource_arn(&arn).tags(wrong);
        assert_eq!(fault(request.send().await), "InvalidArgumentException");
    }
    let many = (0..51).map(|number| tag(&number.to_string(), "value")).collect();
    let request = client.tag_resource().resource_arn(&arn).set_tags(Some(many));
    assert_eq!(fault(request.send().await), "InvalidArgumentException");
    assert_eq!(tags(&client, &arn).await, []);

    let request = client.tag_resource().resource_arn("arn:of:nothing").tags(tag("key", "value"));
    assert_eq!(fault(request.send().await), "AcceleratorNotFoundException");
    for (unknown, name) in [
        ("", "AcceleratorNotFoundException"),
        ("/listener/0", "ListenerNotFoundException"),
        ("/listener/0/endpoint-group/0", "EndpointGroupNotFoundException"),
    ] {
        let request = client.list_tags_for_resource().resource_arn(format!("{arn}-{unknown}"));
        assert_eq!(fault(request.send().await), name);
    }
    client.untag_resource().resource_arn("arn:of:nothing").tag_keys("key").send().await.expect("as documented");
}

#[tokio::test]
async fn the_same_idempotency_token_gives_the_same_resource() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let create = async |token: &str| {
        let request = client.create_accelerator().name("test").idempotency_token(token);
        request.send().await.expect("an accelerator").accelerator.expect("one").accelerator_arn.expect("an ARN")
    };
    let first = create("first").await;
    assert_eq!(create("first").await, first);
    assert_ne!(create("second").await, first);
    assert_eq!(client.list_accelerators().send().await.expect("a list").accelerators().len(), 2);
}

#[tokio::test]
async fn names_and_numbers_that_cannot_be_are_refused() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    for wrong in ["", "-a", "a-", ".a", "a_b", "ã", &"a".repeat(65)] {
        assert_eq!(
            fault(client.create_accelerator().name(wrong).send().await),
            "InvalidArgumentException",
            "{wrong:?}"
        );
    }
    let request = client.create_accelerator().name("test").ip_address_type("IPV5".into());
    assert_eq!(fault(request.send().await), "InvalidArgumentException");
    let request = client.create_accelerator().name("test").set_ip_addresses(Some(vec!["1.2.3.4".to_owned(); 3]));
    assert_eq!(fault(request.send().await), "InvalidArgumentException");

    let arn = create_accelerator(&client).await;
    let request = client.update_accelerator().accelerator_arn(&arn).name("a_b").enabled(false);
    assert_eq!(fault(request.send().await), "InvalidArgumentException");
    assert_eq!(describe(&client, &arn).await.enabled(), Some(true), "nothing of it is done");

    for _ in 1..20 {
        create_accelerator(&client).await;
    }
    assert_eq!(fault(client.create_accelerator().name("test").send().await), "LimitExceededException");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let arn = "arn:of:nothing";
    let faults = [
        fault(client.describe_accelerator().accelerator_arn(arn).send().await),
        fault(client.update_accelerator().accelerator_arn(arn).send().await),
        fault(client.delete_accelerator().accelerator_arn(arn).send().await),
        fault(client.describe_accelerator_attributes().accelerator_arn(arn).send().await),
        fault(client.update_accelerator_attributes().accelerator_arn(arn).send().await),
        fault(client.list_listeners().accelerator_arn(arn).send().await),
    ];
    assert!(faults.iter().all(|name| name == "AcceleratorNotFoundException"), "{faults:?}");
    assert_eq!(fault(client.list_byoip_cidrs().send().await), "UnknownOperationException");
}

#[tokio::test]
async fn lists_come_in_pages_in_the_order_of_creation() {
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let mut created = Vec::new();
    for _ in 0..12 {
        created.push(create_accelerator(&client).await);
    }
    let arns = |accelerators: &[Accelerator]| {
        accelerators.iter().map(|one| one.accelerator_arn().expect("an ARN").to_owned()).collect::<Vec<_>>()
    };
    let first = client.list_accelerators().send().await.expect("a page");
    assert_eq!(arns(first.accelerators()), created[..10], "ten by default");

    // A deletion in between neither repeats nor skips anything.
    client.update_accelerator().accelerator_arn(&created[9]).enabled(false).send().await.expect("it is disabled");
    client.delete_accelerator().accelerator_arn(&created[9]).send().await.expect("it is deleted");
    let token = first.next_token().expect("more pages");
    let second = client.list_accelerators().next_token(token).send().await.expect("a page");
    assert_eq!(arns(second.accelerators()), created[10..]);
    assert_eq!(second.next_token(), None);
    let pages = client.list_accelerators().max_results(4).into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await.expect("all pages");
    assert_eq!(arns(&all), [&created[..9], &created[10..]].concat());

    let request = client.list_listeners().accelerator_arn(&created[0]).next_token(token);
    assert_eq!(fault(request.send().await), "InvalidNextTokenException", "a token of another list");
    assert_eq!(fault(client.list_accelerators().next_token("x").send().await), "InvalidNextTokenException");
    for size in [0, 101, -1] {
        let request = client.list_accelerators().max_results(size);
        assert_eq!(fault(request.send().await), "InvalidArgumentException", "{size}");
    }
}
