//! The operator's own settings: proxies, and SDK settings that determine where a call goes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::console::Console;

/// An address without a listener.
const NOBODY: &str = "http://127.0.0.1:1";

/// Without endpoints, so that AWS itself is called.
const OF_AWS: &str = "status --config /dev/null --set regions.sa-east-1.state_parameter=/sales/state";

/// A proxy that refuses all connections, and counts their destinations.
struct Proxy {
    url: String,
    ssm: Arc<AtomicUsize>,
    others: Arc<AtomicUsize>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let [ssm, others] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let proxy = Self { url, ssm: Arc::clone(&ssm), others: Arc::clone(&others) };
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut head = [0; 1_024];
                let count = connection.read(&mut head).await.unwrap_or_default();
                let is_for_ssm = head[..count].starts_with(b"CONNECT ssm.sa-east-1.amazonaws.com:443 ");
                if is_for_ssm { &ssm } else { &others }.fetch_add(1, Ordering::Relaxed);
                drop(connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await);
            }
        });
        proxy
    }

    fn asked(&self) -> [usize; 2] {
        [&self.ssm, &self.others].map(|count| count.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn aws_is_asked_through_the_proxy_and_what_is_on_this_machine_is_not() {
    let console = Console::open("proxy").await;
    let proxy = Proxy::start().await;
    let with = async |words: &str, variables: &[(&str, &str)]| {
        let mut command = console.command(words);
        command.envs(variables.iter().copied()).output().await.unwrap()
    };
    with(OF_AWS, &[("HTTPS_PROXY", &proxy.url)]).await;
    assert!(proxy.asked()[0] > 0, "{:?}", proxy.asked());
    let before = proxy.asked();
    with(OF_AWS, &[("HTTPS_PROXY", &proxy.url), ("NO_PROXY", "example.com,.amazonaws.com")]).await;
    assert_eq!(proxy.asked(), before, "NO_PROXY names AWS");

    let here = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"].map(|name| (name, &*proxy.url));
    let ended = with("status -o json", &here).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(proxy.asked(), before, "regions on this machine are asked directly");
    let by_variable = [&here[..], &[("AWS_ENDPOINT_URL", NOBODY)]].concat();
    with(OF_AWS, &by_variable).await;
    assert_eq!(proxy.asked(), before, "so is an AWS_ENDPOINT_URL on this machine");
}

#[tokio::test]
async fn an_address_in_the_configuration_is_asked_whatever_other_settings_say() {
    let console = Console::open("addresses").await;
    let mut command = console.command("status -o json");
    command.env("AWS_USE_FIPS_ENDPOINT", "true").env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    command.env("AWS_USE_DUALSTACK_ENDPOINT", "true");
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS"] {
        command.env(name, NOBODY);
    }
    let ended = command.output().await.unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let status: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    for region in status["regions"].as_array().unwrap() {
        for figure in ["state", "queue", "dead_letters", "pending", "traffic"] {
            assert!(region[figure]["error"].is_null(), "{figure}: {region}");
        }
    }
}

#[tokio::test]
async fn an_error_that_comes_from_a_setting_names_the_setting_and_not_the_credentials() {
    let console = Console::open("named").await;
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[default]\nuse_fips_endpoint = true\nignore_configured_endpoint_urls = true\n")
        .unwrap();
    let config = config.path().to_str().unwrap();
    for (variables, named) in [
        (&[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_ENDPOINT_URL", NOBODY)][..], "AWS_USE_FIPS_ENDPOINT is true"),
        (&[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_ENDPOINT_URL_SSM", NOBODY)], "AWS_USE_FIPS_ENDPOINT is true"),
        (&[("AWS_ENDPOINT_URL", NOBODY)], "AWS_ENDPOINT_URL is http://127.0.0.1:1"),
        (&[("AWS_ENDPOINT_URL", "nowhere at all")], "AWS_ENDPOINT_URL is nowhere at all"),
        (&[("AWS_ENDPOINT_URL_SSM", NOBODY)], "AWS_ENDPOINT_URL_SSM is http://127.0.0.1:1"),
        (&[("HTTPS_PROXY", NOBODY)], "HTTPS_PROXY is 127.0.0.1:1"),
        (
            &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), ("AWS_ENDPOINT_URL", NOBODY)],
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true, so AWS itself is called and AWS_ENDPOINT_URL has no effect",
        ),
        (
            &[("AWS_CONFIG_FILE", config), ("AWS_ENDPOINT_URL", NOBODY)],
            "ignore_configured_endpoint_urls in the AWS configuration file is true",
        ),
        (&[("AWS_CONFIG_FILE", config)], "use_fips_endpoint in the AWS configuration file is true"),
    ] {
        let mut command = console.command(&format!("{OF_AWS} -o json"));
        let ended = command.envs(variables.iter().copied()).output().await.unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        assert!(said.contains(named), "{variables:?}: {said}");
        assert!(!said.contains("credentials"), "{variables:?}: {said}");
    }
}
