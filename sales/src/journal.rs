//! The journal: what the worker brings to the lake, as objects of many lines.
//!
//! A line is one fact in one canonical form, so that two regions write the same bytes for the same fact. An object holds
//! facts of one hour, that in which their sale was accepted. Names are unique and objects never change, so buckets that
//! replicate to each other have no conflicts. A fact may be in several objects, always with the same line, unless two
//! regions accepted it without knowing of each other.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::event::{self, NotAnEvent};
use crate::region::Region;
use crate::sale::Fact;

/// The folder of the journal in the bucket.
pub const FOLDER: &str = "journal/";

/// An hour in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hour(Timestamp);

impl Hour {
    /// The hour of a moment.
    #[must_use]
    pub fn of(moment: Timestamp) -> Self {
        Self(moment.minus(std::time::Duration::from_secs(moment.unix_seconds().rem_euclid(3_600).unsigned_abs())))
    }

    /// The hour in whose folder a fact lies.
    #[must_use]
    pub fn of_fact(fact: &Fact) -> Self {
        Self::of(fact.sale_timestamp())
    }

    /// The hour in whose folder the object with this key lies; `None` if no worker writes such a key.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        let (day, rest) = key.strip_prefix(FOLDER)?.strip_prefix("dt=")?.split_once("/hour=")?;
        let (hour, name) = rest.split_once('/')?;
        let moment = Timestamp::parse_rfc3339(&format!("{day}T{hour}:00:00Z"))?;
        let name = name.strip_suffix(".ndjson")?;
        let (region, id) = name.split_at_checked(name.len().checked_sub(37)?)?;
        region.parse::<Region>().ok()?;
        id.strip_prefix('-')?.parse::<Uuid>().ok()?;
        Some(Self(moment)).filter(|hour| key.starts_with(&hour.prefix()))
    }

    /// Its first second.
    #[must_use]
    pub fn start(self) -> Timestamp {
        self.0
    }

    /// The prefix of its keys.
    #[must_use]
    pub fn prefix(self) -> String {
        let hour = self.0.unix_seconds().rem_euclid(86_400) / 3_600;
        format!("{FOLDER}dt={}/hour={hour:02}/", self.0.day())
    }
}

/// An object of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalObject {
    /// Its key, which is unique.
    pub key: String,
    /// Its lines, each with a line feed.
    pub lines: String,
}

impl JournalObject {
    /// An object that the worker of `region` writes under the unique name `id`, with facts of one hour.
    #[must_use]
    pub fn new<'a>(hour: Hour, region: &Region, id: Uuid, facts: impl IntoIterator<Item = &'a Fact>) -> Self {
        let mut lines = String::new();
        for fact in facts {
            lines.push_str(&line(fact));
            lines.push('\n');
        }
        let mut key = hour.prefix();
        write!(key, "{region}-{}.ndjson", id.as_hyphenated()).expect("a text takes everything");
        Self { key, lines }
    }
}

/// The canonical line of a fact: the body of its event, then the region that accepted it, where that is known.
#[must_use]
pub fn line(fact: &Fact) -> String {
    let mut line = event::body(fact);
    if let Some(region) = fact.region() {
        line.pop();
        let region = serde_json::to_string(region.as_str()).expect("a text is always JSON");
        write!(line, r#","region":{region}}}"#).expect("a text takes everything");
    }
    line
}

/// Parses a line.
///
/// # Errors
/// If no worker writes such a line.
pub fn parse(line: &str) -> Result<Fact, NotAnEvent> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow)]
        sale_id: Option<&'a RawValue>,
        region: Option<String>,
    }
    let Kind { sale_id, region } = serde_json::from_str(line)?;
    let region = region.and_then(|region| region.parse().ok());
    event::parse_fact(sale_id.is_some(), region, line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::{Amount, Cancellation, Product, Sale};

    const ID: &str = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";

    fn sale(region: Option<&str>) -> Fact {
        Fact::Sale(Sale {
            id: ID.parse().unwrap(),
            product: Product::new("O \"Príncipe\"\n".into()).unwrap(),
            amount: Amount::from_json_number("14.50").unwrap(),
            timestamp: Timestamp::from_unix_seconds(1_764_547_199).unwrap(),
            region: region.map(|region| region.parse().unwrap()),
        })
    }

    fn cancellation(sale_timestamp: Option<i64>) -> Fact {
        Fact::Cancellation(Cancellation {
            sale: ID.parse().unwrap(),
            timestamp: Timestamp::from_unix_seconds(1_764_547_200).unwrap(),
            sale_timestamp: sale_timestamp.and_then(Timestamp::from_unix_seconds),
            region: Some("us-east-1".parse().unwrap()),
        })
    }

    #[test]
    fn a_fact_has_one_canonical_line_and_is_read_as_it_was_written() {
        let product = r#""product":"O \"Príncipe\"\n","amount":14.5,"sale_processed":false"#;
        for (fact, expected) in [
            (
                sale(Some("sa-east-1")),
                format!(r#"{{"id":"{ID}",{product},"timestamp":1764547199,"region":"sa-east-1"}}"#),
            ),
            (sale(None), format!(r#"{{"id":"{ID}",{product},"timestamp":1764547199}}"#)),
            (
                cancellation(Some(1_764_547_199)),
                format!(
                    r#"{{"id":"{ID}#cancelled","sale_id":"{ID}","timestamp":1764547200,"sale_timestamp":1764547199,"region":"us-east-1"}}"#
                ),
            ),
        ] {
            assert_eq!(line(&fact), expected);
            assert_eq!(parse(&expected).unwrap(), fact);
        }
        for wrong in ["", "{}", "[]", r#"{"id":"42","sale_id":"42","timestamp":1}"#] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cancellation_lies_in_the_hour_of_its_sale() {
        let hour = Hour::of_fact(&sale(None));
        assert_eq!(hour.prefix(), "journal/dt=2025-11-30/hour=23/");
        assert_eq!(hour.start().rfc3339(), "2025-11-30T23:00:00Z");
        assert_eq!(Hour::of_fact(&cancellation(Some(1_764_547_199))), hour);
        assert_eq!(Hour::of_fact(&cancellation(None)).prefix(), "journal/dt=2025-12-01/hour=00/");
    }

    #[test]
    fn an_object_holds_a_line_for_each_fact_under_a_key_that_tells_its_hour() {
        let (sale, cancelled) = (sale(Some("sa-east-1")), cancellation(Some(1_764_547_199)));
        let (hour, id) = (Hour::of_fact(&sale), ID.parse().unwrap());
        let object = JournalObject::new(hour, &"us-gov-west-1".parse().unwrap(), id, [&sale, &cancelled]);
        assert_eq!(object.key, format!("journal/dt=2025-11-30/hour=23/us-gov-west-1-{ID}.ndjson"));
        assert_eq!(object.lines, format!("{}\n{}\n", line(&sale), line(&cancelled)));
        assert_eq!(Hour::of_key(&object.key), Some(hour));
        for wrong in [
            object.key.replace("hour=23", "hour=24"),
            object.key.replace("hour=23", "hour=3"),
            object.key.replace("journal/", "table/"),
            object.key.replace(".ndjson", ".json"),
            object.key.replace("us-gov-west-1-", ""),
            object.key.replace("2025-11-30", "2025-11-31"),
            "journal/dt=2025-11-30/hour=23/".to_owned(),
        ] {
            assert_eq!(Hour::of_key(&wrong), None, "{wrong}");
        }
    }
}
