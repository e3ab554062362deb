//! A reader of the journal: where it stands, and what an entry means to it. No I/O.

use std::sync::PoisonError;

use spil_proto::model::Owner;

use super::{Entry, Journal, Logged, Ring, Spot, Stand, What, number};

/// A place among all events: of each owner the last revision that was read whole, and how far the next one was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) at: [Spot; 3],
    /// How far the next revision of each owner was read, if it was begun.
    pub(crate) parts: [Option<Part>; 3],
}

/// How far a revision was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The mark of the revision.
    pub(crate) mark: u64,
    /// How many events were read.
    pub(crate) events: u32,
}

/// What a reader finds when it begins, or begins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Everything is in the journal.
    Follow(Follow),
    /// First the owner's own log has to be read, up to this place.
    Fill(Owner, Spot),
    /// The graph does not show yet what the reader has read already.
    Ahead,
    /// The place is in no log that is there.
    Expired,
}

/// Where a reader goes on in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Follow {
    /// The entry to read next.
    pub(crate) next: u64,
    /// Of each owner, the first entry that the reader has not read.
    starts: [u64; 3],
}

/// What a revision or a jump is to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Nothing new.
    Known,
    /// Its events, from this one on.
    Events(usize),
    /// Something is missing before it: the reader has to begin again.
    Broken,
    /// The reader has read the beginning of a revision that is no longer in the log.
    Expired,
}

impl Journal {
    /// Where a reader goes on, of what is before an entry; `stand` is where everything stands there.
    pub(crate) fn open(&self, reader: &Reader, end: u64, stand: &Stand) -> Opening {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let mut starts = [end; 3];
        let (mut fill, mut is_ahead) = (None, false);
        for owner in Owner::ALL {
            let at = reader.at[number(owner)];
            // An owner that was never read has no place.
            let Some(head) = stand[number(owner)] else { return Opening::Ahead };
            if !at.is_same_log(&head) || (at.revision == head.revision && at.mark != head.mark) {
                return Opening::Expired;
            }
            if at.revision >= head.revision {
                is_ahead |= at.revision > head.revision;
                continue;
            }
            let unbroken = ring.unbroken[number(owner)].max(ring.first);
            match ring.stand_before(unbroken)[number(owner)] {
                Some(start) if start.is_same_log(&at) && at.revision >= start.revision => {
                    let place = ring.after(owner, at.revision, unbroken);
                    if ring.stand_before(place)[number(owner)] != Some(at) {
                        return Opening::Expired;
                    }
                    starts[number(owner)] = place;
                }
                _ => {
                    fill.get_or_insert(Opening::Fill(owner, head));
                }
            }
        }
        if is_ahead {
            return Opening::Ahead;
        }
        let next = starts.into_iter().min().unwrap_or(end);
        fill.unwrap_or(Opening::Follow(Follow { next, starts }))
    }
}

impl Ring {
    /// Where everything stood before an entry, or stands after the last one.
    fn stand_before(&self, number: u64) -> Stand {
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.entries.get(place)).map_or(self.head, |entry| entry.before)
    }

    /// The first entry, of those from a place on, before which an owner stands at a revision or after it.
    fn after(&self, owner: Owner, revision: u64, from: u64) -> u64 {
        let skipped = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.entries.len());
        // From the last jump of an owner on, its revisions only grow.
        let (mut low, mut high) = (skipped, self.entries.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let reached = self.entries[middle].before[number(owner)].is_some_and(|spot| spot.revision >= revision);
            if reached {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        self.first + low as u64
    }
}

impl Reader {
    /// What an entry of the journal is to this reader, who follows.
    pub(crate) fn meets(&self, follow: &Follow, entry: &Entry) -> Taken {
        let owner = number(entry.what.owner());
        if follow.next < follow.starts[owner] {
            return Taken::Known;
        }
        match &entry.what {
            What::Revision(revision) => self.meets_revision(revision),
            What::Jump { to, .. } if self.at[owner] == *to => Taken::Known,
            What::Jump { .. } => Taken::Broken,
        }
    }

    /// What a revision from an owner's log is to this reader.
    pub(crate) fn meets_revision(&self, revision: &Logged) -> Taken {
        let at = self.at[number(revision.owner)];
        if !at.is_same_log(&revision.after) || revision.after.revision != at.revision + 1 {
            return Taken::Broken;
        }
        match self.parts[number(revision.owner)] {
            None => Taken::Events(0),
            Some(part) if part.mark == revision.after.mark => Taken::Events(part.events as usize),
            Some(_) => Taken::Expired,
        }
    }

    /// The place after the first events of the next revision of an owner; after all of them it is after the revision.
    #[must_use]
    pub(crate) fn past(&self, revision: &Logged, events: usize) -> Reader {
        let mut past = *self;
        let owner = number(revision.owner);
        if events >= revision.events.len() {
            past.at[owner] = revision.after;
            past.parts[owner] = None;
        } else if events > 0 {
            let events = u32::try_from(events).unwrap_or(u32::MAX);
            past.parts[owner] = Some(Part { mark: revision.after.mark, events });
        }
        past
    }
}
