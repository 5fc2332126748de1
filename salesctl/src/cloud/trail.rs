//! CloudTrail: who changed the accelerator's traffic dials, and when. It keeps ninety days.

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

/// CloudTrail allows two requests per second and account.
const PAUSE: Duration = Duration::from_millis(600);

/// Of fifty events each, far more than dial changes in ninety days.
const MOST_PAGES: usize = 10;

/// CloudTrail's records of Global Accelerator, which exist in one region only.
#[derive(Debug)]
pub(crate) struct Trail {
    sdk: SdkConfig,
    endpoint: Option<String>,
    /// Whether CloudTrail does not record the accelerator, because its endpoint is a custom one.
    is_missing: bool,
    accelerator_arn: Option<String>,
}

/// A change of a traffic dial.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Turn {
    /// Region of the endpoint group; its ARN if the event does not name the region.
    pub(crate) region: String,
    /// New value in percent.
    pub(crate) percent: f64,
    /// Time of the change, in seconds since 1970.
    pub(crate) at: i64,
    /// ARN of who changed it.
    pub(crate) by: Option<String>,
}

/// The changes found, newest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Turns {
    pub(crate) turns: Vec<Turn>,
    /// Whether there were more events than the maximum.
    pub(crate) is_cut: bool,
}

/// A page of the response.
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
    /// The event: JSON in a string.
    cloud_trail_event: Option<String>,
}

/// The fields in use of an event.
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

/// A request that is not sent yet.
struct Lookup<'a>(&'a JsonApi);

/// The operations in use.
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
    /// CloudTrail in the region of `sdk`, for the accelerator with this ARN. Without `endpoint`, an accelerator with a
    /// custom endpoint has no records.
    pub(crate) fn new(
        sdk: &SdkConfig,
        accelerator_arn: Option<String>,
        accelerator_is_elsewhere: bool,
        endpoint: Option<String>,
    ) -> Self {
        let is_missing = accelerator_is_elsewhere && endpoint.is_none();
        Self { sdk: sdk.clone(), endpoint, is_missing, accelerator_arn }
    }

    /// The dial changes since `since`.
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

/// The protocol accepts missing fields, but no null ones.
fn without_null(mut input: Value) -> Value {
    if let Some(fields) = input.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    input
}

impl Turn {
    /// The dial change in an event, if it concerns this accelerator and succeeded.
    fn of(event: &str, accelerator: &str) -> Option<Self> {
        let record: Record = serde_json::from_str(event).ok()?;
        if record.error_code.is_some() {
            return None;
        }
        let parameters = record.request_parameters?;
        let group = parameters.endpoint_group_arn?;
        // The listener follows the accelerator's ARN.
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

/// The time of a record, `2026-11-29T00:40:12Z`, in seconds since 1970.
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
