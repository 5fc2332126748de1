//! Checks that accepted sales are in the lakes: nothing missing, nothing twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sales_testbed::resources::Object;

/// Facts that the API has accepted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Promised {
    /// Ids of the sales answered with 201 or, on a retry, 200.
    pub(crate) sales: BTreeSet<String>,
    /// Ids of those that were cancelled afterwards.
    pub(crate) cancelled: BTreeSet<String>,
}

/// Result for one region's lake.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Number of sales found.
    pub(crate) sales: usize,
    /// Number of cancellations found.
    pub(crate) cancellations: usize,
    /// Ids of missing sales and cancellations.
    pub(crate) missing: Vec<String>,
    /// Ids written more than once, under one key or several.
    pub(crate) twice: Vec<String>,
    /// Keys of objects that were never accepted.
    pub(crate) unknown: Vec<String>,
}

impl Audit {
    /// Compares the accepted facts with every version of every object in a lake.
    pub(crate) fn of(promised: &Promised, lake: &[Object]) -> Self {
        let (mut sales, mut cancellations) = (Copies::of(&promised.sales), Copies::of(&promised.cancelled));
        let mut unknown = Vec::new();
        for Object { key, .. } in lake {
            let counted = match key.split_once("/dt=") {
                Some(("sales", rest)) => sales.count(rest),
                Some(("cancellations", rest)) => cancellations.count(rest),
                _ => false,
            };
            if !counted {
                unknown.push(key.clone());
            }
        }
        Self {
            sales: sales.found(),
            cancellations: cancellations.found(),
            missing: [sales.with(|copies| copies == 0), cancellations.with(|copies| copies == 0)].concat(),
            twice: [sales.with(|copies| copies > 1), cancellations.with(|copies| copies > 1)].concat(),
            unknown,
        }
    }

    /// Whether each accepted fact is there exactly once.
    pub(crate) fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.twice.is_empty() && self.unknown.is_empty()
    }
}

/// Number of objects by id.
struct Copies(BTreeMap<String, usize>);

impl Copies {
    fn of(ids: &BTreeSet<String>) -> Self {
        Self(ids.iter().map(|id| (id.clone(), 0)).collect())
    }

    /// Counts an object, `2025-01-31/ID.json`, or with a suffix after the id in a cancellation's key.
    fn count(&mut self, key: &str) -> bool {
        let name = key.rsplit('/').next().unwrap_or(key);
        let id = name.get(..UUID_LENGTH).unwrap_or(name);
        self.0.get_mut(id).is_some_and(|copies| {
            *copies += 1;
            true
        })
    }

    fn found(&self) -> usize {
        self.0.values().filter(|copies| **copies > 0).count()
    }

    fn with(&self, condition: impl Fn(usize) -> bool) -> Vec<String> {
        self.0.iter().filter(|(_, copies)| condition(**copies)).map(|(id, _)| id.clone()).collect()
    }
}

const UUID_LENGTH: usize = 36;

/// Keys whose objects differ between the lakes.
pub(crate) fn differing(lakes: [&[Object]; 2]) -> Vec<String> {
    let [one, other] =
        lakes.map(|lake| -> HashMap<_, _> { lake.iter().map(|object| (&object.key, &object.etag)).collect() });
    let mut keys: Vec<_> = one
        .iter()
        .filter(|(key, etag)| other.get(*key).is_some_and(|others| others != *etag))
        .map(|(key, _)| (*key).clone())
        .collect();
    keys.sort_unstable();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALE: &str = "0199a1b2-0000-7000-8000-000000000001";
    const CANCELLED: &str = "0199a1b2-0000-7000-8000-000000000002";

    fn promised() -> Promised {
        Promised { sales: [SALE, CANCELLED].map(str::to_owned).into(), cancelled: [CANCELLED.to_owned()].into() }
    }

    fn lake(keys: &[&str]) -> Vec<Object> {
        keys.iter().map(|key| Object { key: (*key).to_owned(), etag: "1".to_owned() }).collect()
    }

    fn complete() -> Vec<String> {
        vec![
            format!("sales/dt=2025-01-31/{SALE}.json"),
            format!("sales/dt=2025-01-31/{CANCELLED}.json"),
            format!("cancellations/dt=2025-01-31/{CANCELLED}#cancelled.json"),
        ]
    }

    fn audit(keys: &[String]) -> Audit {
        Audit::of(&promised(), &lake(&keys.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    #[test]
    fn a_lake_with_each_object_once_is_clean() {
        let audit = audit(&complete());
        assert!(audit.is_clean());
        assert_eq!((audit.sales, audit.cancellations), (2, 1));
    }

    #[test]
    fn a_sale_or_a_cancellation_that_is_not_there_is_missing() {
        assert_eq!(audit(&complete()[1..]).missing, [SALE]);
        assert_eq!(audit(&complete()[..2]).missing, [CANCELLED]);
    }

    #[test]
    fn a_second_key_and_a_second_version_are_both_twice() {
        let mut keys = complete();
        keys.push(format!("sales/dt=2025-02-01/{SALE}.json"));
        assert_eq!(audit(&keys).twice, [SALE]);
        let mut keys = complete();
        keys.push(keys[2].clone());
        assert_eq!(audit(&keys).twice, [CANCELLED]);
    }

    #[test]
    fn an_object_that_nobody_was_promised_is_unknown() {
        let mut keys = complete();
        keys.push(format!("cancellations/dt=2025-01-31/{SALE}#cancelled.json"));
        keys.push("sales/dt=2025-01-31/é.json".to_owned());
        assert_eq!(audit(&keys).unknown, keys[3..]);
        assert!(!audit(&keys).is_clean());
    }

    #[test]
    fn lakes_differ_where_both_have_a_key_with_other_bytes() {
        let one = lake(&["a", "b", "c"]);
        let mut other = lake(&["b", "c", "d"]);
        other[1].etag = "2".to_owned();
        assert_eq!(differing([&one, &other]), ["c"]);
    }
}
