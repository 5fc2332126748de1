//! SNS's response, in its query protocol: a form in, XML out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::answer::{Answer, NotUnderstood, XML};
use super::queue::{attribute, units};

/// The id of every message.
const MESSAGE_ID: &str = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";

const NAMESPACE: &str = r#"xmlns="http://sns.amazonaws.com/doc/2010-03-31/""#;

const METADATA: &str =
    "<ResponseMetadata><RequestId>0192f5c0-7c1d-7a3e-8f11-0123456789ab</RequestId></ResponseMetadata>";

/// A message that is published.
#[derive(Debug)]
pub(super) struct Published<'a> {
    form: &'a [u8],
    /// The number of its events.
    pub(super) events: u64,
    /// What SNS bills for it.
    pub(super) units: u64,
}

impl<'a> Published<'a> {
    /// Finds what is counted, without decoding the form, in which a quote within a text is `%5C%22`.
    pub(super) fn parse(form: &'a [u8]) -> Result<Self, NotUnderstood> {
        let text = std::str::from_utf8(form).map_err(|error| NotUnderstood(error.to_string()))?;
        let message = text.split('&').find_map(|field| field.strip_prefix("Message="));
        let message = message.ok_or_else(|| NotUnderstood("no message".to_owned()))?;
        // An escaped byte takes three.
        let bytes = message.len() - 2 * message.matches('%').count();
        let events = message.matches("%22specversion%22").count().max(1) as u64;
        Ok(Self { form, events, units: units(bytes) })
    }

    /// Its body and its attributes.
    pub(super) fn content(&self) -> (String, Map<String, Value>) {
        let fields: BTreeMap<_, _> = form_urlencoded::parse(self.form).collect();
        let field = |name: &str| fields.get(name).map(|value| value.as_ref()).unwrap_or_default();
        let mut attributes = Map::new();
        for number in 1.. {
            let prefix = format!("MessageAttributes.entry.{number}");
            let name = field(&format!("{prefix}.Name"));
            if name.is_empty() {
                break;
            }
            let value = |part: &str| field(&format!("{prefix}.Value.{part}"));
            attributes.insert(name.to_owned(), attribute(value("DataType"), value("StringValue")));
        }
        (field("Message").to_owned(), attributes)
    }
}

/// The message was published.
pub(super) fn done() -> Answer {
    let result = format!("<PublishResult><MessageId>{MESSAGE_ID}</MessageId></PublishResult>");
    Answer::ok(XML, format!("<PublishResponse {NAMESPACE}>{result}{METADATA}</PublishResponse>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns\
        &Message=%5B%7B%22specversion%22%3A%221.0%22%2C%22data%22%3A%22%5C%22specversion%5C%22%22%7D%2C\
        %7B%22specversion%22%3A%221.0%22%7D%5D\
        &MessageAttributes.entry.1.Name=content-type\
        &MessageAttributes.entry.1.Value.DataType=String\
        &MessageAttributes.entry.1.Value.StringValue=application%2Fcloudevents-batch%2Bjson";

    #[test]
    fn events_are_counted_without_decoding_them() {
        let published = Published::parse(FORM.as_bytes()).unwrap();
        assert_eq!((published.events, published.units), (2, 1));
        let lone = Published::parse(b"Action=Publish&Message=%7B%7D").unwrap();
        assert_eq!(lone.events, 1);
        assert!(Published::parse(b"Action=Publish").is_err());
    }

    #[test]
    fn a_message_is_billed_by_its_decoded_length() {
        let units = |message: &str| {
            let form = format!("Action=Publish&Message={message}&TopicArn=a");
            Published::parse(form.as_bytes()).unwrap().units
        };
        assert_eq!([units(&"%22".repeat(64 * 1024)), units(&"x".repeat(64 * 1024 + 1))], [1, 2]);
    }

    #[test]
    fn a_message_is_delivered_as_it_was_published() {
        let (body, attributes) = Published::parse(FORM.as_bytes()).unwrap().content();
        assert_eq!(body, r#"[{"specversion":"1.0","data":"\"specversion\""},{"specversion":"1.0"}]"#);
        let value = attribute("String", "application/cloudevents-batch+json");
        assert_eq!(attributes, Map::from_iter([("content-type".to_owned(), value)]));
    }
}
