//! Reads a service's variables: each is validated where it is read, and its error is one line that names it.

use std::env::VarError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;
use url::Url;

pub use sales::aws::S3Addressing;
use sales::aws::invalid_certificates;
use sales::region::Region;
use sales::shard::Shards;

use crate::http::Transport;

/// Default log filter. Messages about the server's threads are for debugging, what aws_config says at each load of
/// credentials that fails is reported once by their dependency, and what the table's library does is the builder's to tell.
const DEFAULT_FILTER: &str = "info,actix_server=warn,aws_config=error,delta_kernel=warn";

/// A missing or invalid variable.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{variable} {problem}")]
pub struct InvalidVariable {
    variable: &'static str,
    problem: String,
}

impl InvalidVariable {
    /// What is wrong with `variable`, after its name.
    pub fn new(variable: &'static str, problem: impl fmt::Display) -> Self {
        Self { variable, problem: problem.to_string() }
    }
}

/// The result of reading a variable.
pub type Read<T> = Result<T, InvalidVariable>;

/// The variables of a service.
pub struct Environment(Box<dyn Fn(&'static str) -> Result<String, VarError>>);

impl Environment {
    /// The variables of the process.
    #[must_use]
    pub fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
        Self(Box::new(std::env::var))
    }

    /// The variables that `lookup` returns.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self(Box::new(move |name| lookup(name).ok_or(VarError::NotPresent)))
    }

    /// A variable's text; `None` if it is not set, or empty.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn optional(&self, variable: &'static str) -> Read<Option<String>> {
        match (self.0)(variable) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(text)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(InvalidVariable::new(variable, "is not UTF-8")),
        }
    }

    /// A variable's text.
    ///
    /// # Errors
    /// If it is not set, or empty.
    pub fn required(&self, variable: &'static str) -> Read<String> {
        self.optional(variable)?.ok_or_else(|| InvalidVariable::new(variable, "is not set"))
    }

    /// A number from `least` to `most`, or `default`.
    ///
    /// # Errors
    /// If it is not such a number.
    pub fn number<N>(&self, variable: &'static str, least: N, default: N, most: N) -> Read<N>
    where
        N: FromStr + PartialOrd + fmt::Display,
    {
        let Some(text) = self.optional(variable)? else { return Ok(default) };
        match text.parse() {
            Ok(number) if least <= number && number <= most => Ok(number),
            _ => Err(InvalidVariable::new(
                variable,
                format_args!("must be a number from {least} to {most}, not {text:?}"),
            )),
        }
    }

    /// `AWS_REGION`: such as `sa-east-1`.
    ///
    /// # Errors
    /// If it is missing or not a region's name.
    pub fn region(&self) -> Read<Region> {
        let variable = "AWS_REGION";
        let name = self.required(variable)?;
        name.parse().map_err(|_| {
            InvalidVariable::new(variable, format_args!("must be a region such as sa-east-1, not {name:?}"))
        })
    }

    /// The ARN of an SNS topic in `region`.
    ///
    /// # Errors
    /// If it is missing, not such an ARN, or of another region.
    pub fn topic_arn(&self, variable: &'static str, region: &Region) -> Read<String> {
        let arn = self.required(variable)?;
        let wrong = |problem: &str| Err(InvalidVariable::new(variable, format_args!("{problem}, not {arn:?}")));
        match arn.split(':').collect::<Vec<_>>()[..] {
            ["arn", partition, "sns", of, account, name]
                if partition.starts_with("aws") && is_account(account) && is_name(name, 256, "-_.") =>
            {
                if of == region.as_str() {
                    Ok(arn)
                } else {
                    wrong(&format!("must be a topic of {region} (AWS_REGION)"))
                }
            }
            _ => wrong("must be the ARN of an SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME)"),
        }
    }

    /// The URL of an SQS queue.
    ///
    /// # Errors
    /// If it is missing or not such a URL.
    pub fn queue_url(&self, variable: &'static str) -> Read<String> {
        let text = self.required(variable)?;
        let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let segments = url.as_ref().and_then(|url| Some(url.path_segments()?.collect::<Vec<_>>()));
        match segments.as_deref() {
            Some([.., account, name]) if is_account(account) && is_name(name, 80, "-_.") => Ok(text),
            _ => Err(InvalidVariable::new(
                variable,
                format_args!("must be the URL of an SQS queue (https://HOST/ACCOUNT/NAME), not {text:?}"),
            )),
        }
    }

    /// The name of a DynamoDB table.
    ///
    /// # Errors
    /// If it is missing or not such a name.
    pub fn table(&self, variable: &'static str) -> Read<String> {
        let name = self.required(variable)?;
        if name.len() >= 3 && is_name(&name, 255, "-_.") {
            return Ok(name);
        }
        let expected = "must be the name of a DynamoDB table (3 to 255 of a-z, A-Z, 0-9, -, _ and .)";
        Err(InvalidVariable::new(variable, format_args!("{expected}, not {name:?}")))
    }

    /// The name of a DynamoDB table other than `table`, which the variable `of` names.
    ///
    /// # Errors
    /// If it is missing, not such a name, or the same.
    pub fn table_other_than(&self, variable: &'static str, of: &'static str, table: &str) -> Read<String> {
        let name = self.table(variable)?;
        if name == table {
            return Err(InvalidVariable::new(
                variable,
                format_args!("must name another table than {of}, not {name:?} too"),
            ));
        }
        Ok(name)
    }

    /// The name of an S3 bucket.
    ///
    /// # Errors
    /// If it is missing or not such a name.
    pub fn bucket(&self, variable: &'static str) -> Read<String> {
        let name = self.required(variable)?;
        let lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
        let bounded = name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name.ends_with(|last: char| last.is_ascii_alphanumeric());
        if name.len() >= 3 && lower && bounded && is_name(&name, 63, "-.") {
            return Ok(name);
        }
        let expected = "must be the name of an S3 bucket (3 to 63 of a-z, 0-9, - and .)";
        Err(InvalidVariable::new(variable, format_args!("{expected}, not {name:?}")))
    }

    /// The name or ARN of an SSM parameter.
    ///
    /// # Errors
    /// If it is missing or not such a name.
    pub fn parameter(&self, variable: &'static str) -> Read<String> {
        let name = self.required(variable)?;
        if is_name(&name, 1011, "-_./:") {
            return Ok(name);
        }
        let expected = "must be the name of an SSM parameter (a-z, A-Z, 0-9, -, _, . and /)";
        Err(InvalidVariable::new(variable, format_args!("{expected}, not {name:?}")))
    }

    /// Where to listen: `PORT` (8080) on every interface, or on `BIND_HOST`.
    ///
    /// # Errors
    /// If one of them is invalid.
    pub fn listen_address(&self) -> Read<SocketAddr> {
        let host = match self.optional("BIND_HOST")? {
            None => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            Some(text) => text
                .parse()
                .map_err(|_| InvalidVariable::new("BIND_HOST", format_args!("must be an IP address, not {text:?}")))?,
        };
        Ok(SocketAddr::new(host, self.number("PORT", 1, 8080, u16::MAX)?))
    }

    /// `TLS`: `self-signed` for HTTPS with a generated certificate, otherwise HTTP.
    ///
    /// # Errors
    /// If it has another value.
    pub fn transport(&self) -> Read<Transport> {
        let variable = "TLS";
        match self.optional(variable)?.as_deref() {
            None => Ok(Transport::Plain),
            Some("self-signed") => Ok(Transport::SelfSigned),
            Some(other) => {
                Err(InvalidVariable::new(variable, format_args!("must be self-signed or not set, not {other:?}")))
            }
        }
    }

    /// `IMAGE`: the digest or tag of the running image, without its registry, whose name would reveal the account to
    /// clients.
    ///
    /// # Errors
    /// If it is neither.
    pub fn image(&self) -> Read<Option<String>> {
        let Some(image) = self.optional("IMAGE")? else { return Ok(None) };
        let is_digest = image.strip_prefix("sha256:").is_some_and(|digest| {
            digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
        });
        if is_digest || (is_name(&image, 128, "-_.") && !image.starts_with(['-', '.'])) {
            return Ok(Some(image));
        }
        let expected = "must be an image's digest (sha256: and 64 hexadecimal digits) or its tag";
        Err(InvalidVariable::new("IMAGE", format_args!("{expected}, not {image:?}")))
    }

    /// `PENDING_SHARDS`: number of shards of the pending index (16), equal in all services and regions.
    ///
    /// # Errors
    /// If it is not a number from 1 to 256.
    pub fn shards(&self) -> Read<Shards> {
        let variable = "PENDING_SHARDS";
        if self.optional(variable)?.is_none() {
            return Ok(Shards::DEFAULT);
        }
        Ok(Shards::new(self.number(variable, 1, 1, 256)?).unwrap_or(Shards::DEFAULT))
    }

    /// Whether S3 is addressed by path: with a custom endpoint, `BUCKET.HOST` seldom resolves. The SDK itself reads the
    /// variables; here they are only validated.
    ///
    /// # Errors
    /// If an endpoint variable is not an http or https URL.
    pub fn aws_endpoints(&self) -> Read<S3Addressing> {
        let mut addressing = S3Addressing::VirtualHost;
        for variable in [
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_DYNAMODB",
            "AWS_ENDPOINT_URL_SNS",
            "AWS_ENDPOINT_URL_SQS",
            "AWS_ENDPOINT_URL_S3",
            "AWS_ENDPOINT_URL_SSM",
        ] {
            let Some(text) = self.optional(variable)? else { continue };
            let url = Url::parse(&text).ok();
            if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
                return Err(InvalidVariable::new(variable, format_args!("must be an http or https URL, not {text:?}")));
            }
            if matches!(variable, "AWS_ENDPOINT_URL" | "AWS_ENDPOINT_URL_S3") {
                addressing = S3Addressing::Path;
            }
        }
        Ok(addressing)
    }

    /// The certificates that calls of AWS trust, if `SSL_CERT_FILE` or `SSL_CERT_DIR` names others than the system's.
    ///
    /// # Errors
    /// If there are none: the TLS library would end the process at the first call.
    pub fn certificates(&self) -> Read<()> {
        let (file, directory) = (self.optional("SSL_CERT_FILE")?, self.optional("SSL_CERT_DIR")?);
        match invalid_certificates(file.as_deref(), directory.as_deref()) {
            Some((variable, problem)) => Err(InvalidVariable { variable, problem }),
            None => Ok(()),
        }
    }

    /// Format and filter of the log: `LOG_FORMAT` (`json`, or `text`, the default on a terminal) and `RUST_LOG`
    /// (`info`).
    ///
    /// # Errors
    /// If one of them is invalid.
    pub fn logging(&self) -> Read<crate::telemetry::Logging> {
        let format = match self.optional("LOG_FORMAT")?.as_deref() {
            None => None,
            Some("json") => Some(crate::telemetry::LogFormat::Json),
            Some("text") => Some(crate::telemetry::LogFormat::Text),
            Some(other) => {
                return Err(InvalidVariable::new("LOG_FORMAT", format_args!("must be json or text, not {other:?}")));
            }
        };
        let filter = self.optional("RUST_LOG")?.unwrap_or_else(|| DEFAULT_FILTER.into());
        let filter = tracing_subscriber::EnvFilter::try_new(&filter).map_err(|error| {
            InvalidVariable::new(
                "RUST_LOG",
                format_args!("must be a filter such as info or sales=debug, not {filter:?}: {error}"),
            )
        })?;
        Ok(crate::telemetry::Logging { format, filter })
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name(text: &str, longest: usize, also: &str) -> bool {
    (1..=longest).contains(&text.len())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || also.contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&'static str, &'static str)]) -> Environment {
        let variables = variables.to_vec();
        Environment::new(move |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn problem<T: fmt::Debug>(read: Read<T>) -> String {
        read.unwrap_err().to_string()
    }

    #[test]
    fn a_missing_and_an_empty_variable_are_named() {
        assert_eq!(problem(environment(&[]).region()), "AWS_REGION is not set");
        assert_eq!(problem(environment(&[("AWS_REGION", " ")]).region()), "AWS_REGION is not set");
    }

    #[test]
    fn regions_look_like_regions() {
        for name in ["sa-east-1", "us-gov-west-1", "ap-southeast-2"] {
            assert_eq!(environment(&[("AWS_REGION", name)]).region(), Ok(name.parse().unwrap()));
        }
        for name in ["moon", "sa-east", "sa--1", "SA-EAST-1", "sa-east-1a"] {
            assert!(problem(environment(&[("AWS_REGION", name)]).region()).starts_with("AWS_REGION must be"), "{name}");
        }
    }

    #[test]
    fn a_topic_is_an_arn_of_the_own_region() {
        let read = |arn| environment(&[("TOPIC", arn)]).topic_arn("TOPIC", &"sa-east-1".parse().unwrap());
        assert!(read("arn:aws:sns:sa-east-1:000000000000:sales").is_ok());
        assert!(problem(read("arn:aws:sns:us-east-1:000000000000:sales")).contains("of sa-east-1"));
        for arn in [
            "sales",
            "arn:aws:sqs:sa-east-1:000000000000:sales",
            "arn:aws:sns:sa-east-1:0:sales",
            "arn:aws:sns:sa-east-1:000000000000:",
        ] {
            assert!(problem(read(arn)).starts_with("TOPIC must be the ARN"), "{arn}");
        }
    }

    #[test]
    fn a_queue_is_a_url_with_account_and_name() {
        let read = |url| environment(&[("QUEUE", url)]).queue_url("QUEUE");
        assert!(read("https://sqs.sa-east-1.amazonaws.com/000000000000/sales").is_ok());
        assert!(read("http://127.0.0.1:4566/000000000000/sales.fifo").is_ok());
        for url in [
            "sales",
            "arn:aws:sqs:sa-east-1:000000000000:sales",
            "http://host",
            "ftp://host/000000000000/sales",
            "http://host/x/sales",
        ] {
            assert!(problem(read(url)).starts_with("QUEUE must be the URL"), "{url}");
        }
    }

    #[test]
    fn names_are_checked() {
        assert!(environment(&[("T", "sales-table_1.x")]).table("T").is_ok());
        assert!(problem(environment(&[("T", "sales table")]).table("T")).starts_with("T must be"));
        assert!(problem(environment(&[("T", "ab")]).table("T")).starts_with("T must be"));
        assert!(
            problem(environment(&[("T", "sales")]).table_other_than("T", "S", "sales"))
                .contains("another table than S")
        );
        assert!(environment(&[("B", "my-lake.1")]).bucket("B").is_ok());
        for name in ["My-Lake", "-lake", "la", "s3://lake", "lake/x"] {
            let variable: &'static str = name;
            assert!(problem(environment(&[("B", variable)]).bucket("B")).starts_with("B must be"), "{name}");
        }
        assert!(environment(&[("P", "/sales/site/state")]).parameter("P").is_ok());
        assert!(problem(environment(&[("P", "a b")]).parameter("P")).starts_with("P must be"));
    }

    #[test]
    fn an_image_is_a_digest_or_a_tag() {
        const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let read = |image| environment(&[("IMAGE", image)]).image();
        assert_eq!(environment(&[]).image(), Ok(None));
        for image in [DIGEST, "4f2a1c9b03de", "v1.2_rc-3"] {
            assert_eq!(read(image), Ok(Some(image.to_owned())));
        }
        for image in ["sha256:12", &DIGEST[..70], "111122223333.dkr.ecr/sales-api:v1", "-v1", ".v1", "v 1"] {
            assert!(problem(read(image)).starts_with("IMAGE must be an image's digest"), "{image}");
        }
        assert!(read(concat!("sha256:", "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF")).is_err());
    }

    #[test]
    fn numbers_have_bounds_and_defaults() {
        assert_eq!(environment(&[]).listen_address().unwrap().to_string(), "0.0.0.0:8080");
        assert_eq!(
            environment(&[("BIND_HOST", "::1"), ("PORT", "81")]).listen_address().unwrap().to_string(),
            "[::1]:81"
        );
        for port in ["0", "65536", "-1", "http", "80.5"] {
            let variable: &'static str = port;
            assert!(
                problem(environment(&[("PORT", variable)]).listen_address())
                    .starts_with("PORT must be a number from 1")
            );
        }
        assert!(problem(environment(&[("BIND_HOST", "localhost")]).listen_address()).starts_with("BIND_HOST must be"));
        assert_eq!(environment(&[]).shards(), Ok(Shards::DEFAULT));
        assert!(problem(environment(&[("PENDING_SHARDS", "0")]).shards()).starts_with("PENDING_SHARDS must be"));
    }

    #[test]
    fn tls_is_asked_for_by_its_one_name() {
        assert_eq!(environment(&[]).transport(), Ok(Transport::Plain));
        assert_eq!(environment(&[("TLS", "self-signed")]).transport(), Ok(Transport::SelfSigned));
        for text in ["true", "off", "Self-Signed", "/etc/key.pem"] {
            let variable: &'static str = text;
            assert!(problem(environment(&[("TLS", variable)]).transport()).starts_with("TLS must be"), "{text}");
        }
    }

    #[test]
    fn an_endpoint_of_ones_own_is_a_url_and_addresses_s3_by_path() {
        assert_eq!(environment(&[]).aws_endpoints(), Ok(S3Addressing::VirtualHost));
        let local = "http://127.0.0.1:4566";
        assert_eq!(environment(&[("AWS_ENDPOINT_URL", local)]).aws_endpoints(), Ok(S3Addressing::Path));
        assert_eq!(environment(&[("AWS_ENDPOINT_URL_SNS", local)]).aws_endpoints(), Ok(S3Addressing::VirtualHost));
        for text in ["localhost:4566", "nowhere", "file:///tmp"] {
            let variable: &'static str = text;
            let wrong = environment(&[("AWS_ENDPOINT_URL", variable)]).aws_endpoints();
            assert!(problem(wrong).starts_with("AWS_ENDPOINT_URL must be"), "{text}");
        }
    }

    #[test]
    fn certificates_are_where_their_variables_say_or_the_variable_is_named() {
        assert_eq!(environment(&[]).certificates(), Ok(()));
        for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            let error = environment(&[(variable, "/nonexistent")]).certificates().unwrap_err().to_string();
            assert!(error.starts_with(variable) && error.contains("/nonexistent"), "{error}");
        }
    }

    #[test]
    fn logging_is_checked() {
        assert!(environment(&[]).logging().is_ok());
        assert!(problem(environment(&[("LOG_FORMAT", "xml")]).logging().map(|_| ())).starts_with("LOG_FORMAT must be"));
        assert!(
            problem(environment(&[("RUST_LOG", "sales=loud")]).logging().map(|_| ())).starts_with("RUST_LOG must be")
        );
    }
}
