//! Tokens that were verified a moment ago, so that a signature is checked once and not with every request.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use lru::LruCache;
use sha2::{Digest, Sha256};

use crate::Caller;

/// How many parts there are, so that threads seldom wait for each other.
const PARTS: usize = 8;
/// How many tokens each part keeps; beyond that the one that was not used longest goes.
const TOKENS_PER_PART: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);
/// How long a token is known before its signature is checked again.
const MAX_AGE: Duration = Duration::from_secs(300);

/// The SHA-256 of a token. The token itself is not kept, and two tokens can not be made to have one hash.
type TokenHash = [u8; 32];

/// The tokens that are known, each with its bearer, for a few minutes and never beyond its end. Only what was verified gets in: a
/// token that was refused is checked anew each time.
pub(crate) struct KnownTokens {
    parts: [Mutex<LruCache<TokenHash, Known>>; PARTS],
}

struct Known {
    caller: Caller,
    /// Which issuer it is of, and the generation of the keys it was verified with.
    source: (usize, u64),
    /// When it has to be verified again.
    until: SystemTime,
}

impl KnownTokens {
    pub(crate) fn new() -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::new(LruCache::new(TOKENS_PER_PART))) }
    }

    /// The bearer of a token, if it was verified a moment ago and still counts. `generation` is that of the keys that an issuer has
    /// now: what was verified with others is forgotten.
    pub(crate) fn get(
        &self,
        hash: &TokenHash,
        now: SystemTime,
        generation: impl FnOnce(usize) -> Option<u64>,
    ) -> Option<Caller> {
        let mut part = self.part(hash);
        let known = part.get(hash)?;
        let (issuer, verified_with) = known.source;
        if now < known.until && generation(issuer) == Some(verified_with) {
            return Some(known.caller.clone());
        }
        part.pop(hash);
        None
    }

    /// Keeps the bearer of a token that was verified now.
    pub(crate) fn put(&self, hash: TokenHash, caller: &Caller, source: (usize, u64), now: SystemTime) {
        let Some(latest) = now.checked_add(MAX_AGE) else { return };
        let until = caller.expires_at().map_or(latest, |end| end.min(latest));
        self.part(&hash).put(hash, Known { caller: caller.clone(), source, until });
    }

    /// A part is whole after every step, so a panic elsewhere leaves nothing to fear.
    fn part(&self, hash: &TokenHash) -> std::sync::MutexGuard<'_, LruCache<TokenHash, Known>> {
        let [part, ..] = hash;
        let [first, ..] = &self.parts;
        self.parts.get(usize::from(*part) % PARTS).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a token is known by.
pub(crate) fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Permission;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn a_token_is_known_until_it_ends() {
        let known = KnownTokens::new();
        let caller = Caller::new("ada", [Permission::Read]).until(at(60));
        known.put(hash("a"), &caller, (0, 0), at(0));
        assert_eq!(known.get(&hash("a"), at(0), |_| Some(0)), Some(caller.clone()));
        assert_eq!(known.get(&hash("a"), at(59), |_| Some(0)), Some(caller));
        assert_eq!(known.get(&hash("a"), at(60), |_| Some(0)), None);
        assert_eq!(
            known.get(&hash("a"), at(0), |_| Some(0)),
            None,
            "it is forgotten, even where the clock is set back"
        );
        assert_eq!(known.get(&hash("b"), at(0), |_| Some(0)), None);
    }

    #[test]
    fn a_token_that_lasts_is_checked_again_after_a_while() {
        let known = KnownTokens::new();
        for caller in [Caller::new("ada", []), Caller::new("ada", []).until(at(100_000))] {
            known.put(hash("a"), &caller, (0, 0), at(0));
            assert_eq!(known.get(&hash("a"), at(299), |_| Some(0)), Some(caller));
            assert_eq!(known.get(&hash("a"), at(300), |_| Some(0)), None);
        }
    }

    #[test]
    fn a_token_is_forgotten_when_its_issuer_has_other_keys() {
        let known = KnownTokens::new();
        let caller = Caller::new("ada", []);
        known.put(hash("a"), &caller, (1, 7), at(0));
        assert_eq!(known.get(&hash("a"), at(1), |issuer| (issuer == 1).then_some(7)), Some(caller));
        assert_eq!(known.get(&hash("a"), at(1), |_| Some(8)), None);
        assert_eq!(known.get(&hash("a"), at(1), |_| Some(7)), None, "also where the old ones come back");
    }

    #[test]
    fn a_bounded_number_is_known() {
        let known = KnownTokens::new();
        let caller = Caller::new("ada", []);
        for number in 0..20_000 {
            known.put(hash(&number.to_string()), &caller, (0, 0), at(0));
        }
        let count: usize = known.parts.iter().map(|part| part.lock().expect("no panic").len()).sum();
        assert_eq!(count, PARTS * TOKENS_PER_PART.get());
    }
}
