//! An object of the lake, compared with the fact that it should be a copy of.
//!
//! A sale with an `Idempotency-Key`, and a cancellation, may have been accepted in two regions at different moments
//! (decision 3). The tables converge on one of the two, and the lake may hold the other: the same order under the key
//! and with the bytes of another moment. That is not a difference; anything else is one.

use sales::{
    clock::Timestamp,
    event,
    sale::{Cancellation, Fact, FactId, Sale},
};
use serde::Deserialize;

use crate::day::Day;

/// The location of an object in the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectLocation {
    /// Day of its folder.
    pub(crate) day: Day,
    /// The fact that it is named after.
    pub(crate) id: FactId,
}

impl ObjectLocation {
    /// The location of a fact in the lake.
    pub(crate) fn of(fact: &Fact) -> Self {
        Self { day: Day::of(fact.timestamp()), id: fact.id() }
    }

    /// Parses a key; `None` if no worker writes such a key.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let (day, name) = key.split_once("/dt=")?.1.split_once('/')?;
        let place = Self { day: Day::parse(day)?, id: name.strip_suffix(".json")?.parse().ok()? };
        (place.key() == key).then_some(place)
    }

    /// The key.
    pub(crate) fn key(self) -> String {
        event::lake_key_on(self.id, &self.day.to_string())
    }
}

/// Result of comparing an object's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// The bytes of the fact.
    Same,
    /// The bytes of the same order, accepted at this other moment.
    OtherVersion(Timestamp),
    /// Different bytes.
    Different,
}

#[derive(Deserialize)]
struct Dated {
    timestamp: i64,
}

impl Bytes {
    /// Compares bytes with those of a fact.
    pub(crate) fn compare(bytes: &[u8], fact: &Fact) -> Self {
        if bytes == event::body(fact).as_bytes() {
            return Self::Same;
        }
        let other = serde_json::from_slice::<Dated>(bytes).ok();
        let other = other.and_then(|other| Timestamp::from_unix_seconds(other.timestamp));
        match other {
            Some(moment)
                if may_be_accepted_twice(fact.id()) && bytes == event::body(&accepted_at(fact, moment)).as_bytes() =>
            {
                Self::OtherVersion(moment)
            }
            _ => Self::Different,
        }
    }
}

/// Whether two regions can both have accepted it.
pub(crate) fn may_be_accepted_twice(id: FactId) -> bool {
    match id {
        FactId::Sale(sale) => sale.is_from_key(),
        FactId::Cancellation(_) => true,
    }
}

fn accepted_at(fact: &Fact, timestamp: Timestamp) -> Fact {
    match fact.clone() {
        Fact::Sale(sale) => Fact::Sale(Sale { timestamp, ..sale }),
        Fact::Cancellation(cancellation) => Fact::Cancellation(Cancellation { timestamp, ..cancellation }),
    }
}

#[cfg(test)]
mod tests {
    use sales::sale::{Amount, IdempotencyKey, Product, SaleId};

    use super::*;

    fn sale(id: SaleId, timestamp: i64) -> Fact {
        Fact::Sale(Sale {
            id,
            product: Product::new("Livro".into()).unwrap(),
            amount: Amount::from_json_number("14").unwrap(),
            timestamp: Timestamp::from_unix_seconds(timestamp).unwrap(),
            region: None,
        })
    }

    fn without_key() -> SaleId {
        "0192f5c0-7c1d-7a3e-8f11-0123456789ab".parse().unwrap()
    }

    fn with_key() -> SaleId {
        SaleId::from_key(&IdempotencyKey::new("order-1").unwrap())
    }

    #[test]
    fn a_key_is_read_as_the_lake_has_it() {
        for fact in [sale(without_key(), 1_764_547_199), sale(with_key(), 1_764_547_200)] {
            assert_eq!(ObjectLocation::parse(&event::lake_key(&fact)), Some(ObjectLocation::of(&fact)));
        }
        let id = FactId::Cancellation(with_key());
        let place = ObjectLocation { day: "2025-12-01".parse().unwrap(), id };
        assert_eq!(ObjectLocation::parse(&place.key()), Some(place));
        for wrong in [
            "sales/dt=2025-12-01/readme.txt".to_owned(),
            "sales/dt=2025-13-01/0192f5c0-7c1d-7a3e-8f11-0123456789ab.json".to_owned(),
            "sales/dt=2025-12-01/0192F5C0-7c1d-7a3e-8f11-0123456789ab.json".to_owned(),
            place.key().replace("cancellations", "sales"),
        ] {
            assert_eq!(ObjectLocation::parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_what_two_regions_can_accept_has_another_version() {
        let body = |id, timestamp| event::body(&sale(id, timestamp)).into_bytes();
        let later = Timestamp::from_unix_seconds(20).unwrap();
        for (id, bytes, expected) in [
            (without_key(), body(without_key(), 10), Bytes::Same),
            (without_key(), body(without_key(), 20), Bytes::Different),
            (with_key(), body(with_key(), 10), Bytes::Same),
            (with_key(), body(with_key(), 20), Bytes::OtherVersion(later)),
            (with_key(), body(without_key(), 20), Bytes::Different),
            (with_key(), [body(with_key(), 20), b" ".to_vec()].concat(), Bytes::Different),
            (with_key(), Vec::new(), Bytes::Different),
        ] {
            assert_eq!(Bytes::compare(&bytes, &sale(id, 10)), expected, "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
