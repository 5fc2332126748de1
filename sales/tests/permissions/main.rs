//! The permissions of the task roles and of the operator are exactly those that the code needs: each AWS call in the
//! sources has its permission in `modules/task-role/permissions.json`, and each permission there has a call.
//!
//! The services' calls are those of the adapters in `sales/src/aws` whose types they name, and of these only those of
//! methods that a service calls: the API has `DynamoSaleTable`, but not the permissions of `settle`. If names alone
//! cannot decide, a method counts as called, so that a service never lacks a permission that it needs.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

mod sources;

use std::collections::{BTreeMap, BTreeSet};

use sources::{Call, Function, Source, workspace};

const PERMISSIONS: &str = "modules/task-role/permissions.json";

/// The folder of the services' AWS adapters.
const ADAPTERS: &str = "sales/src/aws";

/// Use of the key by AWS on behalf of these calls, which is in no source: reading and writing encrypted data.
const ON_BEHALF: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// Permissions that Application Auto Scaling requires of the caller that changes the minimum of an ECS service.
const LOOKED_FOR: [&str; 2] = ["application-autoscaling:RegisterScalableTarget", "ecs:UpdateService"];

/// AWS calls without an SDK crate, in salesctl.
const OWN_CLIENT: &str = "JsonApi";

/// The groups of `permissions.json` for the resources of an adapter.
fn groups(adapter: &str) -> &'static [&'static str] {
    match adapter {
        "DynamoSaleTable" => &["sales_table", "sales_table_indexes"],
        "DynamoKeyStore" => &["sales_table"],
        "DynamoMarks" | "DynamoLeases" => &["idempotency_table"],
        "S3Journal" => &["lake", "journal"],
        "S3LakeStore" => &["lake", "journal", "table"],
        "SnsSaleTopic" => &["topic"],
        "SqsSaleQueue" => &["queue", "dead_letter_queue"],
        "SsmSiteSwitch" => &["state_parameter"],
        _ => panic!("{adapter} is a new adapter: say here which groups of {PERMISSIONS} are about its resources"),
    }
}

/// The IAM action of an operation of the SDK.
fn action(operation: &str) -> Option<&'static str> {
    Some(match operation {
        // All statements are updates.
        "batch_execute_statement" => "dynamodb:PartiQLUpdate",
        "batch_get_item" => "dynamodb:BatchGetItem",
        "batch_write_item" => "dynamodb:BatchWriteItem",
        "delete_item" => "dynamodb:DeleteItem",
        "delete_objects" => "s3:DeleteObject",
        "get_item" => "dynamodb:GetItem",
        "put_item" => "dynamodb:PutItem",
        "query" => "dynamodb:Query",
        "scan" => "dynamodb:Scan",
        "update_item" => "dynamodb:UpdateItem",
        "get_object" | "head_object" => "s3:GetObject",
        "head_bucket" | "list_objects_v2" => "s3:ListBucket",
        "list_object_versions" => "s3:ListBucketVersions",
        "put_object" => "s3:PutObject",
        "publish" | "publish_batch" => "sns:Publish",
        "change_message_visibility" | "change_message_visibility_batch" => "sqs:ChangeMessageVisibility",
        "delete_message" | "delete_message_batch" => "sqs:DeleteMessage",
        "get_queue_attributes" => "sqs:GetQueueAttributes",
        "get_queue_url" => "sqs:GetQueueUrl",
        "receive_message" => "sqs:ReceiveMessage",
        "send_message" | "send_message_batch" => "sqs:SendMessage",
        "get_parameter" => "ssm:GetParameter",
        "put_parameter" => "ssm:PutParameter",
        "get_metric_data" => "cloudwatch:GetMetricData",
        "get_parameter_history" => "ssm:GetParameterHistory",
        "lookup_events" => "cloudtrail:LookupEvents",
        "describe_services" => "ecs:DescribeServices",
        "describe_scalable_targets" => "application-autoscaling:DescribeScalableTargets",
        "register_scalable_target" => "application-autoscaling:RegisterScalableTarget",
        "list_endpoint_groups" => "globalaccelerator:ListEndpointGroups",
        "list_listeners" => "globalaccelerator:ListListeners",
        "update_endpoint_group" => "globalaccelerator:UpdateEndpointGroup",
        _ => return None,
    })
}

/// An action on a kind of resources, named after the first of their groups. The operator has only one kind.
type Permission = (&'static str, String);

/// The needed actions, and the calls that need them.
type Needs = BTreeMap<Permission, BTreeSet<String>>;

/// The needs of `caller` in the adapters. Its own sources call a method, or those that all share.
fn needs_of_adapters(caller: &[&Source], adapters: &[Source]) -> (Needs, BTreeSet<(String, String)>) {
    let (mut needs, mut reached) = (Needs::new(), BTreeSet::new());
    for owner in adapters.iter().flat_map(|source| &source.functions).filter_map(|function| function.owner.as_ref()) {
        if !caller.iter().any(|source| source.names.contains(owner)) {
            continue;
        }
        for (source, function) in reached_in(owner, caller, adapters) {
            reached.insert((source.path.clone(), function.name.clone()));
            for operation in &function.operations {
                let Some(action) = action(operation) else { continue };
                let place = format!("{}: {} calls {operation}()", source.path, function.name);
                needs.entry((groups(owner)[0], action.to_owned())).or_default().insert(place);
            }
        }
    }
    (needs, reached)
}

/// The methods of `owner` that are called, and all that these call within the adapters.
fn reached_in<'a>(owner: &str, callers: &[&Source], adapters: &'a [Source]) -> Vec<(&'a Source, &'a Function)> {
    let all = || adapters.iter().flat_map(|source| source.functions.iter().map(move |function| (source, function)));
    let is_called = |function: &Function| callers.iter().any(|source| source.calls(function, owner));
    let of_owner = |function: &Function| function.owner.as_deref() == Some(owner);
    let mut reached: Vec<_> = all().filter(|(_, function)| of_owner(function) && is_called(function)).collect();
    let mut next = 0;
    while let Some((source, function)) = reached.get(next).copied() {
        next += 1;
        for (place, candidate) in all() {
            let calls = function.calls.iter().any(|call| match call {
                Call::Method { name, arguments } => {
                    *name == candidate.name && *arguments == candidate.arguments && of_owner(candidate)
                }
                Call::Path { qualifier: None, name } => {
                    let visible = std::ptr::eq(source, place) || source.imported.contains(name);
                    *name == candidate.name && candidate.owner.is_none() && visible
                }
                Call::Path { qualifier: Some(of), name } => {
                    let module = candidate.owner.is_none() && of == place.module();
                    *name == candidate.name && (module || of_owner(candidate) && (of == "Self" || of == owner))
                }
            });
            let known = |(_, other): &(&Source, &Function)| std::ptr::eq(*other, candidate);
            if calls && !reached.iter().any(known) {
                reached.push((place, candidate));
            }
        }
    }
    reached
}

/// The calls of the sources outside the adapters.
fn needs_of_own_calls(sources: &[Source]) -> Needs {
    let mut needs = Needs::new();
    for source in sources {
        for function in &source.functions {
            for operation in &function.operations {
                let Some(action) = action(operation) else { continue };
                let place = format!("{}: {} calls {operation}()", source.path, function.name);
                let [call, looked_for] = LOOKED_FOR;
                if action == call {
                    needs.entry(("", looked_for.to_owned())).or_default().insert(place.clone());
                }
                needs.entry(("", action.to_owned())).or_default().insert(place);
            }
        }
    }
    needs
}

/// Calls whose actions this test cannot determine.
fn riddles(sources: &[Source]) -> Vec<String> {
    let mut riddles = Vec::new();
    let calls_aws = |source: &&Source| {
        source.names.iter().any(|name| name.starts_with("aws_sdk_")) || source.imported.contains(OWN_CLIENT)
    };
    for source in sources.iter().filter(calls_aws) {
        for function in &source.functions {
            let place = format!("{}: {}", source.path, function.name);
            let unknown = function.operations.iter().filter(|operation| action(operation).is_none());
            riddles.extend(unknown.map(|name| format!("{place} calls {name}(), whose action this test does not know")));
            if function.sends && function.operations.is_empty() {
                riddles.push(format!("{place} sends a request that it does not make on something called client"));
            }
        }
    }
    riddles
}

/// The permissions of `role`; by the kinds of `adapters`, or all as one kind.
fn permitted(document: &serde_json::Value, role: &str, by_kind: bool) -> BTreeSet<Permission> {
    const ADAPTERS: [&str; 6] =
        ["DynamoSaleTable", "DynamoMarks", "S3LakeStore", "SnsSaleTopic", "SqsSaleQueue", "SsmSiteSwitch"];
    let mut permitted = BTreeSet::new();
    for (group, actions) in document[role].as_object().unwrap() {
        let actions = actions.as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned());
        if group == "key" {
            assert_eq!(actions.collect::<Vec<_>>(), ON_BEHALF, "{role}: key");
            continue;
        }
        let kind = ADAPTERS.map(groups).into_iter().find(|groups| groups.contains(&group.as_str()));
        let kind = if by_kind { kind.unwrap_or_else(|| panic!("{role}: {group} is unknown"))[0] } else { "" };
        permitted.extend(actions.map(|action| (kind, action)));
    }
    permitted
}

fn differences(role: &str, needs: &Needs, permitted: &BTreeSet<Permission>) -> Vec<String> {
    let on = |kind: &str| if kind.is_empty() { String::new() } else { format!(" on {kind}") };
    let missing = needs.iter().filter(|(permission, _)| !permitted.contains(*permission));
    let missing = missing.flat_map(|((kind, action), places)| {
        places.iter().map(move |place| format!("{role} lacks {action}{}: {place}", on(kind)))
    });
    let idle = permitted.iter().filter(|permission| !needs.contains_key(*permission));
    let idle = idle.map(|(kind, action)| format!("{role} has {action}{}, and calls nothing that needs it", on(kind)));
    missing.chain(idle).collect()
}

#[test]
fn each_call_has_its_permission_and_each_permission_its_call() {
    let text = std::fs::read_to_string(workspace().join(PERMISSIONS)).expect(PERMISSIONS);
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let (adapters, shared): (Vec<Source>, Vec<Source>) =
        Source::below("sales/src").into_iter().partition(|source| source.path.starts_with(ADAPTERS));
    let is_shared = |source: &&Source| !["memory", "conformance"].iter().any(|folder| source.path.contains(folder));

    let mut wrong = riddles(&adapters);
    let mut reached = BTreeSet::new();
    let crates = [("api", "sales-api"), ("worker", "sales-worker"), ("lake", "sales-lake"), ("operator", "salesctl")];
    for (role, crate_name) in crates {
        let mut own = Source::below(&format!("{crate_name}/src"));
        if role != "operator" {
            own.extend(Source::below("sales-service/src"));
        }
        if role == "lake" {
            own.extend(Source::below("sales-table/src"));
        }
        wrong.extend(riddles(&own));
        let callers: Vec<&Source> = own.iter().chain(shared.iter().filter(is_shared)).collect();
        let (mut needs, reached_by_it) = needs_of_adapters(&callers, &adapters);
        reached.extend(reached_by_it);
        let operator = role == "operator";
        if operator {
            let by_adapters =
                std::mem::take(&mut needs).into_iter().map(|((_, action), places)| (("", action), places));
            for (permission, places) in by_adapters.chain(needs_of_own_calls(&own)) {
                needs.entry(permission).or_default().extend(places);
            }
        } else {
            assert!(needs_of_own_calls(&own).is_empty(), "{role} calls AWS past {ADAPTERS}");
        }
        wrong.extend(differences(role, &needs, &permitted(&document, role, !operator)));
    }
    for source in &adapters {
        let idle = source.functions.iter().filter(|function| !function.operations.is_empty());
        let idle = idle.filter(|function| !reached.contains(&(source.path.clone(), function.name.clone())));
        wrong.extend(idle.map(|function| format!("{}: nothing is known to call {}", source.path, function.name)));
    }
    assert!(wrong.is_empty(), "{PERMISSIONS} and the code differ:\n{}", wrong.join("\n"));
}

/// An adapter with a helper, as written in `sales/src/aws`.
const ADAPTER: &str = r#"
    use aws_sdk_dynamodb::Client;
    impl DynamoMarks {
        pub fn new(client: Client) -> Self { Self { client } }
        async fn look(&self) { helper::get(&self.client).await }
    }
    impl Marks for DynamoMarks {
        async fn present(&self, ids: &[Id]) { self.look().await }
        async fn record(&self, ids: &[Id], until: Timestamp) { self.client.put_item().send().await }
    }
    #[cfg(test)]
    mod tests { fn a_test() { client.scan().send() } }
"#;
const HELPER: &str = "pub(super) async fn get(client: &Client) { join!(client.batch_get_item().send()) }";

fn needs_of(caller: &str) -> Vec<String> {
    let adapters = [Source::parse("marks.rs", ADAPTER), Source::parse("helper.rs", HELPER)];
    let caller = Source::parse("caller.rs", caller);
    let (needs, _) = needs_of_adapters(&[&caller], &adapters);
    needs.into_keys().map(|(kind, action)| format!("{kind} {action}")).collect()
}

#[test]
fn a_service_needs_what_the_methods_that_it_calls_do() {
    let (get, put) = ("idempotency_table dynamodb:BatchGetItem", "idempotency_table dynamodb:PutItem");
    let calling = |body: &str| needs_of(&format!("use a::{{DynamoMarks, Marks}}; fn f() {{ {body} }}"));
    assert_eq!(calling("marks.present(&ids)"), [get]);
    assert_eq!(calling("select! { _ = marks.record(&ids, until) => {} }"), [put]);
    assert_eq!(calling("ids.map(Marks::present); DynamoMarks::record(&marks, &ids, until)"), [get, put]);
    assert!(calling("map.present(); map.record(key)").is_empty(), "another number of arguments");
    assert!(needs_of("use a::DynamoMarks; fn f() { other.present(&ids) }").is_empty(), "the trait is not in scope");
    assert!(needs_of("use a::Marks; fn f() { other.present(&ids) }").is_empty(), "it is not this adapter's");
}

#[test]
fn a_new_call_and_an_idle_permission_are_told_by_name() {
    let code = Source::parse("salesctl/src/new.rs", "fn drop_it() { Client::new(&sdk).delete_item().send() }");
    let permitted = BTreeSet::from([("", "dynamodb:Scan".to_owned())]);
    assert_eq!(
        differences("operator", &needs_of_own_calls(&[code]), &permitted),
        [
            "operator lacks dynamodb:DeleteItem: salesctl/src/new.rs: drop_it calls delete_item()",
            "operator has dynamodb:Scan, and calls nothing that needs it",
        ]
    );
}

#[test]
fn a_call_that_cannot_be_told_is_no_call_that_is_permitted() {
    let of =
        |body: &str| riddles(&[Source::parse("x.rs", &format!("use aws_sdk_s3::Client; fn f() {{ {body} }}"))]).len();
    assert_eq!(of("client.put_object().send()"), 0);
    assert_eq!(of("client.delete_bucket().send()"), 1, "an unknown action");
    assert_eq!(of("bucket.put_object().send()"), 1, "on something not known to be a client");
    assert_eq!(of("pages.into_paginator()"), 1, "made elsewhere");
}
