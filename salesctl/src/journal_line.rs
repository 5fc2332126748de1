//! A line of the journal, compared with the fact that it should state.
//!
//! A sale with an `Idempotency-Key`, and a cancellation, may have been accepted in two regions at different moments
//! (decision 3). The tables converge on one of the two, and the journal may hold either, or both. That is not a
//! difference; anything else is one.

use md5::{Digest as _, Md5};
use sales::{
    event,
    journal::{self, Hour},
    sale::{Cancellation, Fact, FactId, Sale},
};

type Hash = [u8; 16];

/// What is kept of a line: hashes instead of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineDigest {
    /// The hour in whose folder it belongs.
    pub(crate) hour: Hour,
    /// Of the event's body, without the client.
    body: Hash,
    /// Of what two regions that both accept the fact have in common.
    order: Hash,
    /// Of the region that accepted it; `None` if the line does not name it.
    region: Option<Hash>,
    /// Of the client, likewise.
    client: Option<Hash>,
}

/// Result of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// The same fact.
    Same,
    /// The same order, as another region accepted it.
    OtherVersion,
    /// They cannot both be true.
    Contradiction,
}

impl LineDigest {
    /// The digest of the line that a worker writes for this fact.
    pub(crate) fn of(fact: &Fact) -> Self {
        let order = match fact {
            Fact::Sale(sale) => hash(&[sale.product.as_str(), &sale.amount.to_string()]),
            Fact::Cancellation(_) => hash(&[]),
        };
        Self {
            hour: Hour::of_fact(fact),
            body: hash(&[&event::body(&without_client(fact))]),
            order,
            region: fact.region().map(|region| hash(&[region.as_str()])),
            client: fact.client().map(|client| hash(&[client.as_str()])),
        }
    }

    /// Reads a line; `None` if no worker writes such a line.
    pub(crate) fn parse(line: &[u8]) -> Option<(FactId, Self)> {
        let line = std::str::from_utf8(line).ok()?;
        let fact = journal::parse(line).ok()?;
        (journal::line(&fact) == line).then(|| (fact.id(), Self::of(&fact)))
    }

    /// Compares the lines of one fact.
    pub(crate) fn compare(self, other: Self, id: FactId) -> Agreement {
        // A message of another tool does not name the region, and no row of the lake's table names the client.
        let agree = |own: Option<Hash>, other: Option<Hash>| own.is_none() || other.is_none() || own == other;
        let same_client = agree(self.client, other.client);
        if self.body == other.body && agree(self.region, other.region) && same_client {
            Agreement::Same
        } else if may_be_accepted_twice(id) && self.order == other.order && (same_client || !is_sale(id)) {
            Agreement::OtherVersion
        } else {
            Agreement::Contradiction
        }
    }
}

/// Whether the client is part of what both regions accept: a sale with a key is its client's, but anyone who may see it can
/// cancel it.
fn is_sale(id: FactId) -> bool {
    matches!(id, FactId::Sale(_))
}

fn without_client(fact: &Fact) -> Fact {
    match fact.clone() {
        Fact::Sale(sale) => Fact::Sale(Sale { client: None, ..sale }),
        Fact::Cancellation(cancellation) => Fact::Cancellation(Cancellation { client: None, ..cancellation }),
    }
}

/// Whether two regions can both have accepted it.
fn may_be_accepted_twice(id: FactId) -> bool {
    match id {
        FactId::Sale(sale) => sale.is_from_key(),
        FactId::Cancellation(_) => true,
    }
}

fn hash(parts: &[&str]) -> Hash {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use sales::{
        clock::Timestamp,
        sale::{Amount, ClientId, IdempotencyKey, Product, SaleId},
    };

    use super::*;

    const WITHOUT_KEY: &str = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    fn sale(id: SaleId, amount: &str, timestamp: i64, region: Option<&str>) -> Fact {
        Fact::Sale(Sale {
            id,
            product: Product::new("Livro".into()).unwrap(),
            amount: Amount::from_json_number(amount).unwrap(),
            timestamp: at(timestamp),
            region: region.map(|region| region.parse().unwrap()),
            client: None,
        })
    }

    fn cancellation(timestamp: i64, sale_timestamp: Option<i64>) -> Fact {
        Fact::Cancellation(Cancellation {
            sale: WITHOUT_KEY.parse().unwrap(),
            timestamp: at(timestamp),
            sale_timestamp: sale_timestamp.map(at),
            region: Some("sa-east-1".parse().unwrap()),
            client: None,
        })
    }

    #[test]
    fn a_line_is_read_as_the_worker_writes_it_and_any_other_is_foreign() {
        let fact = sale(WITHOUT_KEY.parse().unwrap(), "14", 1_764_547_199, Some("sa-east-1"));
        let line = journal::line(&fact);
        assert_eq!(LineDigest::parse(line.as_bytes()), Some((fact.id(), LineDigest::of(&fact))));
        for wrong in [format!("{line} "), line.replace("14", "14.0"), line.replace('"', ""), String::new()] {
            assert_eq!(LineDigest::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(LineDigest::parse(&[0xff]), None);
    }

    #[test]
    fn two_clients_never_have_the_same_sale_and_may_both_cancel_it() {
        let of = |fact: Fact, client: Option<&str>| match fact {
            Fact::Sale(sale) => Fact::Sale(Sale { client: client.and_then(ClientId::new), ..sale }),
            Fact::Cancellation(cancellation) => {
                Fact::Cancellation(Cancellation { client: client.and_then(ClientId::new), ..cancellation })
            }
        };
        let with_key = SaleId::from_key(None, &IdempotencyKey::new("order-1").unwrap());
        let sold = |client| of(sale(with_key, "14", 10, Some("sa-east-1")), client);
        let cancelled = |client| of(cancellation(30, Some(10)), client);
        let compare = |item: &Fact, line: &Fact| LineDigest::of(line).compare(LineDigest::of(item), item.id());
        assert_eq!(compare(&sold(Some("a")), &sold(Some("a"))), Agreement::Same);
        assert_eq!(compare(&sold(Some("a")), &sold(None)), Agreement::Same, "a row does not name it");
        assert_eq!(compare(&sold(Some("a")), &sold(Some("b"))), Agreement::Contradiction);
        assert_eq!(compare(&cancelled(Some("a")), &cancelled(Some("b"))), Agreement::OtherVersion);
    }

    #[test]
    fn only_what_two_regions_can_accept_has_another_version() {
        let with_key = SaleId::from_key(None, &IdempotencyKey::new("order-1").unwrap());
        let without_key = WITHOUT_KEY.parse().unwrap();
        let (here, there) = (Some("sa-east-1"), Some("us-east-1"));
        for (item, line, expected) in [
            (sale(without_key, "14", 10, here), sale(without_key, "14", 10, here), Agreement::Same),
            (sale(without_key, "14", 10, here), sale(without_key, "14", 10, None), Agreement::Same),
            (sale(without_key, "14", 10, None), sale(without_key, "14", 10, here), Agreement::Same),
            (sale(without_key, "14", 10, here), sale(without_key, "14", 10, there), Agreement::Contradiction),
            (sale(without_key, "14", 10, here), sale(without_key, "14", 20, here), Agreement::Contradiction),
            (sale(without_key, "14", 10, here), sale(without_key, "15", 10, here), Agreement::Contradiction),
            (sale(with_key, "14", 10, here), sale(with_key, "14", 10, there), Agreement::OtherVersion),
            (sale(with_key, "14", 10, here), sale(with_key, "14", 20, there), Agreement::OtherVersion),
            (sale(with_key, "14", 10, here), sale(with_key, "15", 20, there), Agreement::Contradiction),
            (cancellation(30, Some(10)), cancellation(30, Some(10)), Agreement::Same),
            (cancellation(30, Some(10)), cancellation(40, None), Agreement::OtherVersion),
        ] {
            let compared = LineDigest::of(&line).compare(LineDigest::of(&item), item.id());
            assert_eq!(compared, expected, "{item:?} {line:?}");
        }
    }
}
