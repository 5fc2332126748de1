//! `aws`: the command that starts AWS only.

use sales_testbed::testing::{LocalAws, client};

#[tokio::test]
async fn a_shell_finds_every_service_for_as_long_as_it_runs() {
    let mut aws = LocalAws::start(&[]).await.unwrap();
    let account = aws.variables()["AWS_ACCESS_KEY_ID"].clone();
    assert_eq!(account, "111122223333");
    assert!(aws.variables().contains_key("AWS_SECRET_ACCESS_KEY"));

    let services = aws.variables().iter().filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL"));
    for (name, endpoint) in services {
        client().get(endpoint).send().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let [ministack, moto, accelerator] =
        ["DYNAMODB", "EC2", "GLOBAL_ACCELERATOR"].map(|service| aws.endpoint(service).to_owned());
    assert!(ministack != moto && moto != accelerator && accelerator != ministack);
    assert!(aws.said().contains(&format!(". {}", aws.file().display())), "{}", aws.said());

    assert_eq!(aws.stop().await, 0, "to be stopped is how it ends well");
    assert!(!aws.file().exists());
    assert!(client().get(&ministack).send().await.is_err());
    assert!(client().get(&moto).send().await.is_err());
}

#[tokio::test]
async fn the_accelerator_is_in_front_of_the_apis_that_are_named() {
    let aws = LocalAws::start(&[("eu-west-1", "https://127.0.0.1:9".to_owned())]).await.unwrap();
    assert!(aws.said().contains("eu-west-1   https://127.0.0.1:9"), "{}", aws.said());
    // Without an accelerator, connections fail.
    assert!(client().get(format!("http://127.0.0.1:{}", aws.front())).send().await.is_err());
}
