//! From a hash to rows, copy-on-write in small buckets.

use xxhash_rust::xxh3::xxh3_64;

use crate::chunks::Chunks;

/// How full the buckets are on average before one more is made.
const LOAD: usize = 128;

/// A multimap from hashes to rows by linear hashing: it grows a bucket at a time, so that no single change is slow. It
/// does not hold what was hashed; whoever asks compares the rows found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Each entry is the low half of the hash and the row; the entries of a bucket are sorted.
    buckets: Chunks<Vec<u64>>,
    len: usize,
}

impl Index {
    /// How many entries there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The rows under a hash, and with bad luck a few others.
    pub(crate) fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let low = low(hash);
        let bucket: &[u64] = if self.buckets.len() == 0 { &[] } else { self.buckets.get(self.bucket_of(low)) };
        let start = place(bucket, u64::from(low) << 32);
        bucket[start..].iter().take_while(move |entry| hash_of(**entry) == low).map(|entry| row_of(*entry))
    }

    pub(crate) fn insert(&mut self, hash: u64, row: u32) {
        if self.len >= self.buckets.len() * LOAD {
            self.grow();
        }
        let low = low(hash);
        let entry = u64::from(low) << 32 | u64::from(row);
        let number = self.bucket_of(low);
        let bucket = self.buckets.get_mut(number);
        bucket.insert(place(bucket, entry), entry);
        self.len += 1;
    }

    /// Takes out one entry; nothing happens if there is none.
    pub(crate) fn remove(&mut self, hash: u64, row: u32) {
        if self.buckets.len() == 0 {
            return;
        }
        let low = low(hash);
        let entry = u64::from(low) << 32 | u64::from(row);
        let number = self.bucket_of(low);
        let bucket = self.buckets.get(number);
        let at = place(bucket, entry);
        if bucket.get(at) == Some(&entry) {
            self.buckets.get_mut(number).remove(at);
            self.len -= 1;
        }
    }

    fn bucket_of(&self, low: u32) -> usize {
        bucket_among(self.buckets.len(), low)
    }

    /// Adds a bucket and moves to it what now belongs there, all from one other bucket.
    fn grow(&mut self) {
        let new = self.buckets.len();
        let Some(top) = new.checked_ilog2() else {
            self.buckets.push(Vec::new());
            return;
        };
        let from = self.buckets.get_mut(new - (1 << top));
        let mut moved = Vec::with_capacity(from.len() / 2 + 8);
        from.retain(|entry| {
            let stays = bucket_among(new + 1, hash_of(*entry)) != new;
            if !stays {
                moved.push(*entry);
            }
            stays
        });
        self.buckets.push(moved);
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.buckets.size_bytes() + self.buckets.iter().map(|bucket| bucket.capacity() * 8 + 8).sum::<usize>()
    }
}

/// Where an entry is, or would have to be. Hashes are spread evenly, so that this is close to where it looks first; if they are
/// not, it divides.
fn place(bucket: &[u64], entry: u64) -> usize {
    const NEAR: usize = 32;
    let guess = ((u128::from(entry) * bucket.len() as u128) >> 64) as usize;
    let (low, high) = (guess.saturating_sub(NEAR), (guess + NEAR).min(bucket.len()));
    let mut at = guess;
    while at > low && bucket[at - 1] >= entry {
        at -= 1;
    }
    while at < high && bucket[at] < entry {
        at += 1;
    }
    if (at == low && low > 0) || (at == high && high < bucket.len()) {
        return bucket.partition_point(|found| *found < entry);
    }
    at
}

/// The bucket of a hash when there are `count` buckets, at least one.
fn bucket_among(count: usize, low: u32) -> usize {
    let mask = count.next_power_of_two() - 1;
    let bucket = low as usize & mask;
    if bucket < count { bucket } else { bucket & (mask >> 1) }
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is what is kept")]
fn low(hash: u64) -> u32 {
    hash as u32
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is the row")]
fn row_of(entry: u64) -> u32 {
    entry as u32
}

#[allow(clippy::cast_possible_truncation, reason = "the high half is the hash")]
fn hash_of(entry: u64) -> u32 {
    (entry >> 32) as u32
}

pub(crate) fn hash_id(id: uuid::Uuid) -> u64 {
    xxh3_64(id.as_bytes())
}

pub(crate) fn hash_key(key: &str) -> u64 {
    xxh3_64(key.as_bytes())
}

pub(crate) fn hash_external_id(system: &str, id: &str) -> u64 {
    xxh3_64(id.as_bytes()).rotate_left(1) ^ xxh3_64(system.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn every_row_is_found_under_its_hash_and_no_longer_when_removed() {
        let mut index = Index::default();
        let hash = |row: u32| xxh3_64(&(row / 2).to_le_bytes());
        for row in 0..20_000 {
            index.insert(hash(row), row);
        }
        for row in (0..20_000).step_by(3) {
            index.remove(hash(row), row);
        }
        index.remove(hash(0), 0);
        let mut expected: HashMap<u64, Vec<u32>> = HashMap::new();
        for row in (0..20_000).filter(|row| row % 3 != 0) {
            expected.entry(hash(row)).or_default().push(row);
        }
        for row in 0..20_000 {
            let mut found: Vec<u32> = index.candidates(hash(row)).collect();
            found.sort_unstable();
            assert_eq!(found, expected.get(&hash(row)).cloned().unwrap_or_default());
        }
        assert_eq!(index.len, 20_000 - 6667);
        let fullest = index.buckets.iter().map(Vec::len).max();
        assert!(fullest < Some(4 * LOAD), "{fullest:?}");
    }

    #[test]
    fn equal_hashes_are_kept_apart_by_row() {
        let mut index = Index::default();
        for row in 0..1000 {
            index.insert(5, row);
        }
        index.remove(5, 500);
        assert_eq!(index.candidates(5).count(), 999);
        assert!(index.candidates(5).all(|row| row != 500));
        assert_eq!(index.candidates(6).count(), 0);
    }
}
