//! The AWS managed keys of DynamoDB, one in each region.
//!
//! AWS creates them automatically, MiniStack does not. Terraform reads a region's key whenever it reads a replica of a
//! table, even if the replica has another key, and fails without it.

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use sales_testbed::resources::ACCOUNT;
use serde_json::{Value, json};

const ALIAS: &str = "alias/aws/dynamodb";

/// Regions with DynamoDB that are available to every account.
const REGIONS: [&str; 34] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

const AT_A_TIME: usize = 8;

/// Creates them in the emulator at `endpoint`.
pub(super) async fn create(endpoint: &str) -> anyhow::Result<()> {
    let client = sales_testbed::http_client::builder().build()?;
    let creating = REGIONS.map(|region| create_in(&client, endpoint, region));
    stream::iter(creating).buffer_unordered(AT_A_TIME).try_collect().await
}

async fn create_in(client: &reqwest::Client, endpoint: &str, region: &str) -> anyhow::Result<()> {
    let context = || format!("the key of DynamoDB in {region}");
    let description =
        json!({ "Description": "Default key that protects my DynamoDB data when no other key is defined" });
    let created = call(client, endpoint, region, "CreateKey", &description).await.with_context(context)?;
    let alias = json!({ "AliasName": ALIAS, "TargetKeyId": created["KeyMetadata"]["KeyId"] });
    call(client, endpoint, region, "CreateAlias", &alias).await.with_context(context)?;
    Ok(())
}

/// Calls KMS. The emulator takes account and region from the signature's scope, and does not verify the rest.
async fn call(
    client: &reqwest::Client,
    endpoint: &str,
    region: &str,
    operation: &str,
    input: &Value,
) -> anyhow::Result<Value> {
    let scope = format!("{ACCOUNT}/20260101/{region}/kms/aws4_request");
    let request = client
        .post(endpoint)
        .header("Authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"))
        .header("Content-Type", "application/x-amz-json-1.1")
        .header("X-Amz-Target", format!("TrentService.{operation}"))
        .body(input.to_string());
    let answer = request.send().await?.error_for_status()?.bytes().await?;
    // CreateAlias has an empty response.
    Ok(serde_json::from_slice(&answer).unwrap_or_default())
}
