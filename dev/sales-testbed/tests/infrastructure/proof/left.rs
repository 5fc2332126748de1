//! Leftovers in the account: whatever an API still lists.

use sales_testbed::testing::LocalAws;
use serde_json::Value;

use super::pipeline::Pipeline;

/// Queries for each region.
const LISTS: [(&str, &str); 19] = [
    ("dynamodb list-tables", "TableNames[]"),
    ("sqs list-queues", "QueueUrls[]"),
    ("sns list-topics", "Topics[].TopicArn"),
    ("ssm describe-parameters", "Parameters[].Name"),
    ("ec2 describe-vpcs", "Vpcs[?!IsDefault].VpcId"),
    ("ec2 describe-vpc-peering-connections", "VpcPeeringConnections[?Status.Code!='deleted'].VpcPeeringConnectionId"),
    ("ec2 describe-nat-gateways", "NatGateways[?State!='deleted'].NatGatewayId"),
    ("ec2 describe-addresses", "Addresses[].AllocationId"),
    ("ec2 describe-vpc-endpoints", "VpcEndpoints[?State!='deleted'].VpcEndpointId"),
    ("elbv2 describe-load-balancers", "LoadBalancers[].LoadBalancerArn"),
    ("elbv2 describe-target-groups", "TargetGroups[].TargetGroupArn"),
    // Deleted ones stay listed for a while.
    ("ecs describe-clusters --clusters sales-dev", "clusters[?status!='INACTIVE'].clusterArn"),
    ("apigateway get-rest-apis", "items[].id"),
    ("logs describe-log-groups", "logGroups[].logGroupName"),
    ("acm list-certificates", "CertificateSummaryList[].CertificateArn"),
    ("backup list-backup-vaults", "BackupVaultList[].BackupVaultName"),
    ("cloudwatch describe-alarms", "MetricAlarms[].AlarmName"),
    ("ecr describe-repositories", "repositories[].repositoryName"),
    ("ecr describe-repository-creation-templates", "repositoryCreationTemplates[].prefix"),
];

/// Queries for the account.
const LISTS_OF_ALL: [(&str, &str); 5] = [
    ("s3api list-buckets", "Buckets[].Name"),
    ("iam list-roles", "Roles[?starts_with(RoleName, 'sales-dev')].RoleName"),
    ("route53 list-hosted-zones", "HostedZones[].Name"),
    ("globalaccelerator list-accelerators --region us-west-2", "Accelerators[].AcceleratorArn"),
    ("budgets describe-budgets --account-id 111122223333", "Budgets[].BudgetName"),
];

/// All leftovers, as lines.
pub(crate) async fn left(pipeline: &Pipeline, aws: &LocalAws, regions: &[&str]) -> Vec<String> {
    let ask = async |what: &str, query: &str| ask(pipeline, aws, what, query).await;
    let mut left = Vec::new();
    for region in regions {
        for (what, query) in LISTS {
            left.extend(ask(&format!("{what} --region {region}"), query).await);
        }
        // A key cannot be deleted at once: it must be pending deletion. AWS managed keys stay.
        let keys = ask(&format!("kms list-keys --region {region}"), "Keys[].KeyId").await;
        for key in keys {
            let key = key.rsplit(' ').next().unwrap();
            let about = format!("kms describe-key --region {region} --key-id {key}");
            let query = "[KeyMetadata][?KeyState!='PendingDeletion' && KeyState!='PendingReplicaDeletion' && !starts_with(Description || '', 'Default key')].KeyId";
            left.extend(ask(&about, query).await);
        }
    }
    for (what, query) in LISTS_OF_ALL {
        left.extend(ask(what, query).await);
    }
    left
}

async fn ask(pipeline: &Pipeline, aws: &LocalAws, what: &str, query: &str) -> Vec<String> {
    let mut command = pipeline.command("aws");
    command.args(what.split(' ')).args(["--output", "json", "--query", query]);
    if what.starts_with("sqs ") {
        // The first version of the AWS CLI ignores the variable for this one service.
        command.args(["--endpoint-url", aws.endpoint("SQS")]);
    }
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let found = found.as_array().into_iter().flatten().filter_map(Value::as_str);
    found.map(|name| format!("{what}: {name}")).collect()
}
