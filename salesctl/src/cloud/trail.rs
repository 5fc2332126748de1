//! CloudTrail: who turned the accelerator's traffic dials, and when. It keeps ninety days.

use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Date, OffsetDateTime, Time};
use tokio::time::{Duration, sleep};

use super::{
    Patience,
    json_api::{JsonApi, JsonService},
    trouble::Trouble,
};

static CLOUDTRAIL: JsonService = JsonService {
    id: "CloudTrail",
    name: "cloudtrail",
    target: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
};

const ACCELERATOR_KEY: &str = "accelerator_arn";
const ENDPOINT_KEY: &str = "cloudtrail_endpoint_url";

/// CloudTrail lets an account ask twice a second.
const PAUSE: Duration = Duration::from_millis(600);

/// Of fifty events each, which is far more than dials are turned in ninety days.
const MOST_PAGES: usize = 10;

/// What CloudTrail has recorded of Global Accelerator, which it does in one region alone.
#[derive(Debug)]
pub(crate) struct Trail {
    sdk: SdkConfig,
    endpoint: Option<String>,
    /// Whether there is no CloudTrail beside the accelerator, which is not AWS's own.
    is_missing: bool,
    accelerator_arn: Option<String>,
}

/// A traffic dial that was turned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Turn {
    /// The region of the endpoint group; its ARN where nothing says the region.
    pub(crate) region: String,
    /// What it was turned to, in percent.
    pub(crate) percent: f64,
    /// When, in seconds since 1970.
    pub(crate) at: i64,
    /// The ARN of who turned it.
    pub(crate) by: Option<String>,
}

/// The turns that were found, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Turns {
    pub(crate) turns: Vec<Turn>,
    /// Whether there were more events than are looked at.
    pub(crate) is_cut: bool,
}

/// A page of the answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    events: Vec<Event>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    /// The event itself: JSON in a string.
    cloud_trail_event: Option<String>,
}

/// What is needed of an event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_time: String,
    user_identity: Option<UserIdentity>,
    error_code: Option<String>,
    request_parameters: Option<RequestParameters>,
    response_elements: Option<ResponseElements>,
}

#[derive(Debug, Deserialize)]
struct UserIdentity {
    arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestParameters {
    endpoint_group_arn: Option<String>,
    traffic_dial_percentage: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResponseElements {
    endpoint_group: Option<EndpointGroup>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointGroup {
    endpoint_group_region: Option<String>,
}

/// An operation, to be asked for.
struct Lookup<'a>(&'a JsonApi);

/// The operations that are called.
struct Client(JsonApi);

impl Client {
    fn lookup_events(&self) -> Lookup<'_> {
        Lookup(&self.0)
    }
}

impl Lookup<'_> {
    async fn send(&self, input: &Value) -> Result<Page, Trouble> {
        self.0.call("the permission cloudtrail:LookupEvents", "LookupEvents", input).await
    }
}

impl Trail {
    /// CloudTrail in the region of `sdk`, for the accelerator with this ARN. One that is not AWS's own is recorded nowhere,
    /// unless `endpoint` says where.
    pub(crate) fn new(
        sdk: &SdkConfig,
        accelerator_arn: Option<String>,
        accelerator_is_elsewhere: bool,
        endpoint: Option<String>,
    ) -> Self {
        let is_missing = accelerator_is_elsewhere && endpoint.is_none();
        Self { sdk: sdk.clone(), endpoint, is_missing, accelerator_arn }
    }

    /// The dials that were turned since `since`.
    pub(crate) async fn turns(&self, since: i64) -> Result<Turns, Trouble> {
        let accelerator = self.accelerator_arn.as_ref().ok_or_else(|| Trouble::not_set(ACCELERATOR_KEY))?;
        if self.is_missing {
            return Err(Trouble::not_set(ENDPOINT_KEY));
        }
        let client = Client(JsonApi::new(&CLOUDTRAIL, &self.sdk, self.endpoint.as_deref(), Patience::Change));
        let (mut turns, mut next) = (Vec::new(), None);
        for page in 0..MOST_PAGES {
            if page > 0 {
                sleep(PAUSE).await;
            }
            let input = json!({
                "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": "UpdateEndpointGroup" }],
                "StartTime": since,
                "NextToken": next,
            });
            let Page { events, next_token } = client.lookup_events().send(&without_null(input)).await?;
            turns.extend(events.iter().filter_map(|event| Turn::of(event.cloud_trail_event.as_deref()?, accelerator)));
            next = next_token;
            if next.is_none() {
                break;
            }
        }
        Ok(Turns { turns, is_cut: next.is_some() })
    }
}

/// The protocol knows fields that are not there, and none that are nothing.
fn without_null(mut input: Value) -> Value {
    if let Some(fields) = input.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    input
}

impl Turn {
    /// What an event tells, if it is about a dial of this accelerator and nothing kept it from being turned.
    fn of(event: &str, accelerator: &str) -> Option<Self> {
        let record: Record = serde_json::from_str(event).ok()?;
        if record.error_code.is_some() {
            return None;
        }
        let parameters = record.request_parameters?;
        let group = parameters.endpoint_group_arn?;
        // What follows the accelerator's ARN is its listener.
        group.strip_prefix(accelerator)?.strip_prefix('/')?;
        let region = record.response_elements.and_then(|elements| elements.endpoint_group?.endpoint_group_region);
        Some(Self {
            percent: parameters.traffic_dial_percentage?,
            at: seconds(&record.event_time)?,
            by: record.user_identity.and_then(|identity| identity.arn),
            region: region.unwrap_or(group),
        })
    }
}

/// The moment of a record, `2026-11-29T00:40:12Z`, in seconds since 1970.
fn seconds(text: &str) -> Option<i64> {
    let date = time::macros::format_description!("[year]-[month]-[day]");
    let clock = time::macros::format_description!("[hour]:[minute]:[second]");
    let (day, rest) = text.split_once('T')?;
    let time = Time::parse(rest.get(..8)?, clock).ok()?;
    Some(OffsetDateTime::new_utc(Date::parse(day, date).ok()?, time).unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCELERATOR: &str = "arn:aws:globalaccelerator::111122223333:accelerator/1234";

    fn event(change: impl FnOnce(&mut Value)) -> String {
        let group = format!("{ACCELERATOR}/listener/0123/endpoint-group/0123456789ab");
        let mut event = json!({
            "eventTime": "2026-11-29T00:40:12Z",
            "userIdentity": { "arn": "arn:aws:sts::111122223333:assumed-role/Operator/jane" },
            "requestParameters": { "endpointGroupArn": group, "trafficDialPercentage": 100.0 },
            "responseElements": { "endpointGroup": { "endpointGroupRegion": "us-east-1" } },
        });
        change(&mut event);
        event.to_string()
    }

    #[test]
    fn an_event_tells_who_turned_which_dial_and_when() {
        let turn = Turn::of(&event(|_| {}), ACCELERATOR).unwrap();
        assert_eq!((turn.region.as_str(), turn.percent, turn.at), ("us-east-1", 100.0, 1_795_912_812));
        assert_eq!(turn.by.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/Operator/jane"));
    }

    #[test]
    fn what_turned_no_dial_of_this_accelerator_is_left_out() {
        assert_eq!(Turn::of(&event(|event| event["errorCode"] = "AccessDenied".into()), ACCELERATOR), None);
        let weights = |event: &mut Value| event["requestParameters"]["trafficDialPercentage"] = Value::Null;
        assert_eq!(Turn::of(&event(weights), ACCELERATOR), None);
        assert_eq!(
            Turn::of(&event(|_| {}), &ACCELERATOR[..ACCELERATOR.len() - 1]),
            None,
            "another one's name begins so"
        );
        assert_eq!(Turn::of("no JSON", ACCELERATOR), None);
    }
}
