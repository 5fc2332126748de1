//! Tokens that were verified a short while ago, by their hash: no token is kept.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use sales::clock::Timestamp;
use sha2::{Digest, Sha256};

use super::keys::KeySet;
use super::rules::Admission;

/// Maximum number of tokens, about four megabytes; those that were not used for the longest time are forgotten first.
const MOST: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// How long a token is remembered, in seconds.
const LONGEST: i64 = 300;

/// The hash of a token.
type Hash = [u8; 32];

/// A verified token: who is admitted, by which keys.
#[derive(Clone)]
pub struct Verified {
    /// Who is admitted.
    pub admission: Arc<Admission>,
    /// The keys that verified it.
    pub keys: Arc<KeySet>,
}

/// Verified tokens.
pub struct Remembered(Mutex<LruCache<Hash, (Verified, i64)>>);

impl Default for Remembered {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Remembered {
    /// The hash of a token.
    #[must_use]
    pub fn hash(token: &str) -> Hash {
        Sha256::digest(token.as_bytes()).into()
    }

    /// The token with this hash, unless it has expired, or was verified too long ago.
    #[must_use]
    pub fn find(&self, hash: &Hash, now: Timestamp) -> Option<Verified> {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (verified, until) = tokens.get(hash)?;
        if now.unix_seconds() < *until {
            return Some(verified.clone());
        }
        tokens.pop(hash);
        None
    }

    /// Remembers a token until it expires, for five minutes at most.
    pub fn add(&self, hash: Hash, verified: Verified, now: Timestamp) {
        let until = verified.admission.expires_at.min(now.unix_seconds() + LONGEST);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(hash, (verified, until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign_in::caller::{Caller, Scopes};

    const NOW: i64 = 1_764_547_199;

    fn moment(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    fn verified(expires_at: i64) -> Verified {
        let key = r#"{"keys":[{"kid":"1","kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
        let keys = Arc::new(KeySet::parse(key.as_bytes()).unwrap());
        let (caller, scopes) = (Caller::Anyone, Scopes::default());
        Verified { admission: Arc::new(Admission { caller, scopes, expires_at }), keys }
    }

    #[test]
    fn a_token_is_remembered_until_it_expires_and_for_five_minutes_at_most() {
        for (expires_at, remembered_until) in [(NOW + 10, NOW + 10), (NOW + 3_600, NOW + 300)] {
            let remembered = Remembered::default();
            let hash = Remembered::hash("token");
            remembered.add(hash, verified(expires_at), moment(NOW));
            assert!(remembered.find(&hash, moment(remembered_until - 1)).is_some());
            assert!(remembered.find(&Remembered::hash("another"), moment(NOW)).is_none());
            assert!(remembered.find(&hash, moment(remembered_until)).is_none());
        }
    }

    #[test]
    fn the_token_that_was_not_used_for_the_longest_time_is_forgotten() {
        let remembered = Remembered::default();
        let hash = |number: usize| Remembered::hash(&number.to_string());
        let token = verified(NOW + 300);
        for number in 0..=MOST.get() {
            remembered.add(hash(number), token.clone(), moment(NOW));
            assert!(remembered.find(&hash(0), moment(NOW)).is_some());
        }
        assert!(remembered.find(&hash(1), moment(NOW)).is_none());
        assert!(remembered.find(&hash(2), moment(NOW)).is_some());
        assert_eq!(remembered.0.lock().unwrap().len(), MOST.get());
    }
}
