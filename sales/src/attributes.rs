//! Message attributes: names and values, each with the type that its sender gave it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Maximum attributes of an SQS message.
pub const MOST_ATTRIBUTES: usize = 10;

/// The attribute with the reason for a dead letter.
pub const DEAD_LETTER_REASON: &str = "dead-letter-reason";

/// The type of a reason that carries an attribute for which the message had no room.
const WITH_DISPLACED: &str = "String.json";

/// The attributes of a message, by name.
pub type Attributes = BTreeMap<String, Attribute>;

/// A value and its type: `String`, `Number` or `Binary`, with an optional label of the sender, such as `String.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// The type.
    pub data_type: String,
    /// The value.
    #[serde(flatten)]
    pub value: Value,
}

/// A value of an [`Attribute`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// Of type `String` or `Number`.
    Text(String),
    /// Of type `Binary`.
    #[serde(with = "base64_bytes")]
    Base64(Vec<u8>),
}

impl Attribute {
    /// The text of a string or number.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Base64(_) => None,
        }
    }
}

impl<T: Into<String>> From<T> for Attribute {
    fn from(text: T) -> Self {
        Self { data_type: "String".into(), value: Value::Text(text.into()) }
    }
}

/// A reason, and the attribute that it replaces.
#[derive(Serialize, Deserialize)]
struct Reason {
    reason: String,
    displaced: Displaced,
}

#[derive(Serialize, Deserialize)]
struct Displaced {
    name: String,
    #[serde(flatten)]
    attribute: Attribute,
}

/// The attributes of a message that becomes a dead letter for `reason`. If the message has the maximum number, the last
/// one by name moves into the reason, so that nothing is lost.
#[must_use]
pub fn with_reason(attributes: &Attributes, reason: &str) -> Attributes {
    let mut kept = without_reason(attributes.clone());
    let displaced = if kept.len() >= MOST_ATTRIBUTES { kept.pop_last() } else { None };
    let attribute = match displaced {
        None => reason.into(),
        Some((name, attribute)) => {
            let reason = Reason { reason: reason.to_owned(), displaced: Displaced { name, attribute } };
            let text = serde_json::to_string(&reason).expect("strings are always JSON");
            Attribute { data_type: WITH_DISPLACED.into(), value: Value::Text(text) }
        }
    };
    kept.insert(DEAD_LETTER_REASON.into(), attribute);
    kept
}

/// The attributes as they were before the message became a dead letter.
#[must_use]
pub fn without_reason(mut attributes: Attributes) -> Attributes {
    let reason = attributes.remove(DEAD_LETTER_REASON);
    if let Some(Reason { displaced: Displaced { name, attribute }, .. }) = reason.as_ref().and_then(read) {
        attributes.insert(name, attribute);
    }
    attributes
}

/// Why a message is a dead letter; `None` if it has no reason.
#[must_use]
pub fn reason(attributes: &Attributes) -> Option<String> {
    let attribute = attributes.get(DEAD_LETTER_REASON)?;
    read(attribute).map(|reason| reason.reason).or_else(|| attribute.text().map(str::to_owned))
}

fn read(attribute: &Attribute) -> Option<Reason> {
    if attribute.data_type != WITH_DISPLACED {
        return None;
    }
    serde_json::from_str(attribute.text()?).ok()
}

mod base64_bytes {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(data_type: &str, value: Value) -> Attribute {
        Attribute { data_type: data_type.into(), value }
    }

    #[test]
    fn a_reason_is_added_read_and_taken_away_again() {
        let sent = Attributes::from([("kept".into(), "x".into())]);
        let letter = with_reason(&sent, "malformed");
        assert_eq!(letter[DEAD_LETTER_REASON], "malformed".into());
        assert_eq!(reason(&letter).as_deref(), Some("malformed"));
        assert_eq!(without_reason(letter), sent);
        assert_eq!(reason(&sent), None);
    }

    #[test]
    fn a_full_message_keeps_all_that_it_carries() {
        for last in [
            attribute("Binary.gif", Value::Base64(vec![0, 159, 146, 150])),
            attribute("Number", Value::Text("1e400".into())),
        ] {
            let mut sent: Attributes = (0..9).map(|number| (format!("a{number}"), "x".into())).collect();
            sent.insert("z".into(), last);
            let letter = with_reason(&sent, "malformed");
            assert_eq!(letter.len(), MOST_ATTRIBUTES);
            assert_eq!(reason(&letter).as_deref(), Some("malformed"));
            assert_eq!(without_reason(letter), sent);
        }
    }

    #[test]
    fn a_message_that_comes_back_has_one_reason_and_all_else() {
        let full: Attributes = (0..10).map(|number| (format!("a{number}"), "x".into())).collect();
        for sent in [Attributes::new(), full] {
            let again = with_reason(&with_reason(&sent, "malformed"), "invalid-id");
            assert_eq!(reason(&again).as_deref(), Some("invalid-id"));
            assert_eq!(without_reason(again), sent);
        }
    }

    #[test]
    fn a_reason_of_somebody_else_is_read_as_it_is() {
        for text in ["{}", "not json"] {
            let letter =
                Attributes::from([(DEAD_LETTER_REASON.into(), attribute(WITH_DISPLACED, Value::Text(text.into())))]);
            assert_eq!(reason(&letter).as_deref(), Some(text));
            assert_eq!(without_reason(letter), Attributes::new());
        }
    }
}
