//! Counts people before an answer is written, away from the threads that answer others.

use std::{sync::Arc, time::SystemTime};

use super::{
    Engine,
    bind::Bound,
    error::{Code, GraphqlError},
};
use crate::{aggregate::Counted, live::Published};

/// What was counted for a request.
#[derive(Clone, Default)]
pub(super) struct CountedPeople {
    /// The fewest people that a figure is about.
    pub(super) smallest: u64,
    /// The answers by slot.
    pub(super) by_slot: Vec<(usize, Arc<Counted>)>,
}

impl Engine {
    /// Counts what a request asks for, over the whole graph; nothing where it asks for no figures.
    pub(super) async fn count_people(
        &self,
        bound: &[Bound],
        whole: &Arc<Published>,
    ) -> Result<CountedPeople, GraphqlError> {
        let asked: Vec<_> = bound
            .iter()
            .enumerate()
            .filter_map(|(slot, bound)| match bound {
                Bound::People(question) => Some((slot, question.clone())),
                _ => None,
            })
            .collect();
        if asked.is_empty() {
            return Ok(CountedPeople::default());
        }
        let (people, whole) = (Arc::clone(&self.people), Arc::clone(whole));
        let counting = tokio::task::spawn_blocking(move || {
            let now = SystemTime::now();
            let count = |(slot, question)| (slot, people.count(&whole.graph, now, &question));
            let by_slot = asked.into_iter().map(count).collect();
            CountedPeople { smallest: people.threshold().people(), by_slot }
        });
        counting.await.map_err(|_| GraphqlError::new(Code::Internal, "the people could not be counted"))
    }
}
