//! Figures about groups of people, for those who do not see the people.
//!
//! They are computed over the whole graph, here and nowhere else, never by what a caller filters: which questions there are is a closed list.
//! What may be told of the answers is decided by `spil-disclosure`.

mod population;
mod question;

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use lru::LruCache;
pub use spil_disclosure::Threshold;
use spil_graph::Graph;

use self::population::Population;
pub use self::question::{Counted, Dimension, Figure, MeasureOf, NoQuestion, Question};

/// How many answers are kept of one day. They are computed again, and are the same, when they are not there.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
const SECONDS_A_DAY: u64 = 86_400;

/// Counts people. What it tells is of one state a day, the same for everybody who asks and however often.
pub struct People {
    threshold: Threshold,
    held: Mutex<Option<Held>>,
}

/// What is told today.
struct Held {
    day: i32,
    /// When the people were counted, in microseconds since 1970.
    at: i64,
    population: Arc<Population>,
    answers: LruCache<Question, Arc<Counted>>,
}

impl People {
    /// Tells nothing of fewer people than the threshold.
    pub fn new(threshold: Threshold) -> Self {
        Self { threshold, held: Mutex::default() }
    }

    /// The fewest people that a figure is about.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The answer to a question. `graph` is the whole one; it is looked at once a day, by whoever asks first. That takes about a second for
    /// some hundred thousand people.
    pub fn count(&self, graph: &Graph, now: SystemTime, question: &Question) -> Arc<Counted> {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let day = i32::try_from(since.as_secs() / SECONDS_A_DAY).unwrap_or(i32::MAX);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let today = match held.take() {
            // A clock that is set back makes no new day.
            Some(today) if today.day >= day => today,
            before => Held {
                day,
                at: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
                population: Arc::new(match before {
                    Some(before) => before.population.renewed(graph, day),
                    None => Population::new(graph, day, self.threshold),
                }),
                answers: LruCache::new(KEPT),
            },
        };
        let today = held.insert(today);
        if let Some(answer) = today.answers.get(question) {
            return Arc::clone(answer);
        }
        let answer = Arc::new(question.answer(&today.population, today.at));
        today.answers.put(question.clone(), Arc::clone(&answer));
        answer
    }
}

#[cfg(test)]
mod tests;
