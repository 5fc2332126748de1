//! The operator's own settings that determine where a call goes: one of them may be the cause of its failure.

use aws_config::{
    SdkConfig, default_provider::ignore_configured_endpoint_urls::ignore_configured_endpoint_urls_provider,
    provider_config::ProviderConfig,
};
use url::Url;

use super::connections::{is_near, proxy};

/// Endpoint variables of the single services that salesctl calls.
const OF_SERVICES: [&str; 6] = [
    "AWS_ENDPOINT_URL_CLOUDWATCH",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_GLOBAL_ACCELERATOR",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_SSM",
];

const ENDPOINT_URL: &str = "endpoint_url";

/// The effective settings, each with its name and value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Custom endpoints.
    endpoints: Vec<String>,
    /// Settings that select one of AWS's own endpoints.
    variants: Vec<String>,
    /// Settings that would change the endpoint, but are ignored.
    ignored: Option<String>,
    proxy: Option<String>,
}

impl Settings {
    /// From the environment and the AWS configuration file.
    pub(super) async fn of(sdk: &SdkConfig) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let of_services = OF_SERVICES.into_iter().filter_map(|name| Some(format!("{name} is {}", variable(name)?)));
        let ignores =
            ignore_configured_endpoint_urls_provider(&ProviderConfig::without_region()).await.unwrap_or_default();
        let mut settings = Self { proxy: proxy(), ..Self::default() };
        if ignores {
            let set = variable("AWS_ENDPOINT_URL").map(|_| "AWS_ENDPOINT_URL");
            let by = named("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
            settings.ignored = Some(format!(
                "{by} is true, so AWS itself is called and {} has no effect",
                set.unwrap_or("an endpoint_url of the AWS configuration file"),
            ));
        } else if let Some(url) = variable("AWS_ENDPOINT_URL").or_else(|| sdk.endpoint_url().map(str::to_owned)) {
            settings.endpoints.push(format!("{} is {url}", named("AWS_ENDPOINT_URL", ENDPOINT_URL)));
        }
        settings.endpoints.extend(of_services);
        for (is_on, by) in [
            (sdk.use_fips(), named("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")),
            (sdk.use_dual_stack(), named("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")),
        ] {
            if is_on == Some(true) {
                settings.variants.push(format!("{by} is true"));
            }
        }
        settings
    }

    /// With an endpoint that salesctl's own configuration sets under `key`: it overrides all others.
    pub(super) fn with_endpoint(self, key: &str, url: &Url) -> Self {
        let proxy = self.proxy.filter(|_| !is_near(url));
        Self { endpoints: vec![format!("{key} is {url}")], proxy, ..Self::default() }
    }

    /// What to check when the SDK rejects the settings.
    pub(super) fn all(&self) -> String {
        let known = listed(self.variants.iter().chain(&self.endpoints));
        known.unwrap_or_else(|| named("AWS_ENDPOINT_URL", ENDPOINT_URL))
    }

    /// What to check when the endpoint does not respond.
    pub(super) fn of_the_way(&self) -> Option<String> {
        listed(self.ignored.iter().chain(&self.variants).chain(&self.endpoints).chain(&self.proxy))
    }

    /// What to check, before the credentials, when a call was denied.
    pub(super) fn of_the_other_side(&self) -> Option<String> {
        listed(self.ignored.iter())
    }
}

fn listed<'a>(settings: impl Iterator<Item = &'a String>) -> Option<String> {
    let settings: Vec<&str> = settings.map(String::as_str).collect();
    (!settings.is_empty()).then(|| settings.join(", "))
}

/// Name of a setting where it is set.
fn named(variable: &str, profile: &str) -> String {
    match std::env::var_os(variable) {
        Some(_) => variable.to_owned(),
        None => format!("{profile} in the AWS configuration file"),
    }
}
