//! Answers that are computed again when the graph changes, once for all who ask the same.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, watch},
    task::AbortHandle,
    time::Instant,
};

use super::{heavy, touched::Touched};
use crate::{
    graphql::{
        LIGHT_COST,
        bind::Bound,
        end,
        error::{Code, GraphqlError},
        execute::{Halt, Writer},
        indexed,
        plan::{Plan, Root, Subscribed, SubscriptionField},
    },
    live::{Live, Published},
    search::{Indexed, Search},
};

/// The least time between two computations of an answer: what changes meanwhile is answered together.
const PACE: Duration = Duration::from_millis(100);

/// What is to be answered.
pub(super) struct Question {
    pub(super) plan: Arc<Plan>,
    pub(super) bound: Vec<Bound>,
    pub(super) cost: u64,
    /// The index, if something is searched.
    pub(super) search: Option<Arc<Search>>,
}

impl Question {
    fn asked(&self) -> Option<(&str, &Subscribed)> {
        match &self.plan.root {
            Root::Subscription(item) => match &item.what {
                SubscriptionField::Answer(subscribed) => Some((&item.key, subscribed)),
                SubscriptionField::Changes { .. } => None,
            },
            _ => None,
        }
    }

    fn answer(&self, published: &Published, indexed: Option<Arc<Indexed>>, cost: u64) -> Result<Answer, Halt> {
        let (key, subscribed) = self.asked().ok_or(Halt::Mismatch)?;
        let mut writer = Writer::new(published, &self.bound, cost).searching(indexed);
        writer.raw("{\"data\":{");
        writer.raw(key);
        let start = writer.out_mut().len();
        match subscribed {
            Subscribed::Query(items) => writer.query(items, None)?,
            Subscribed::Record { slot, kind, items } => writer.get(*slot, *kind, items)?,
        }
        let is_null = writer.out_mut().get(start..) == Some(b"null".as_slice());
        writer.raw("}");
        let data = writer.out_mut().len();
        end(writer.out_mut(), published);
        let left = writer.left();
        Ok(Answer { body: writer.into_bytes().into(), data, is_null, spent: cost - left })
    }

    /// Computes the answer: here if it is little work, and else on one of a few threads that nobody else waits for.
    async fn compute(
        self: &Arc<Self>,
        published: Arc<Published>,
        turns: &Arc<Semaphore>,
    ) -> Result<Answer, GraphqlError> {
        let indexed = match &self.search {
            Some(search) => Some(indexed(search, &published).await?),
            None => None,
        };
        if !self.plan.is_heavy.load(Ordering::Relaxed) {
            match self.answer(&published, indexed.clone(), self.cost.min(LIGHT_COST)) {
                Err(Halt::TooCostly) if self.cost > LIGHT_COST => self.plan.is_heavy.store(true, Ordering::Relaxed),
                result => return result.map_err(GraphqlError::from),
            }
        }
        let question = Arc::clone(self);
        let answer = heavy(Arc::clone(turns), move || question.answer(&published, indexed, question.cost)).await??;
        if answer.spent < LIGHT_COST {
            self.plan.is_heavy.store(self.plan.is_always_heavy(), Ordering::Relaxed);
        }
        Ok(answer)
    }
}

/// An answer.
struct Answer {
    body: Bytes,
    /// How many bytes of it are data; what follows differs with every state of the graph.
    data: usize,
    is_null: bool,
    spent: u64,
}

impl Answer {
    fn data(&self) -> &[u8] {
        self.body.get(..self.data).unwrap_or_default()
    }
}

/// The newest answer.
#[derive(Default)]
struct Latest {
    /// The state of the graph that it is known to be the answer of.
    checked: u64,
    /// How many different answers there were.
    serial: u64,
    answer: Option<Result<Arc<Answer>, GraphqlError>>,
}

/// An answer that is kept up to date as long as somebody holds it.
pub(super) struct Answers {
    latest: watch::Receiver<Latest>,
    /// How many wait for the answer to be of a certain state, whether it differs or not.
    waiting: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Answers {
    /// Begins to keep an answer up to date.
    pub(super) fn keep(question: Question, live: Arc<Live>, turns: Arc<Semaphore>) -> Self {
        let (sender, latest) = watch::channel(Latest::default());
        let waiting = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(run(Arc::new(question), live, turns, sender, Arc::clone(&waiting)));
        Self { latest, waiting, task: task.abort_handle() }
    }
}

async fn run(
    question: Arc<Question>,
    live: Arc<Live>,
    turns: Arc<Semaphore>,
    sender: watch::Sender<Latest>,
    waiting: Arc<AtomicUsize>,
) {
    let Some((_, subscribed)) = question.asked() else { return };
    let touched = Touched::by(subscribed, &question.bound);
    let mut changed = live.watch();
    let mut computed: Option<(Instant, u64)> = None;
    loop {
        changed.mark_unchanged();
        let mut published = live.load();
        let is_stale = computed.is_none_or(|(_, state)| touched.last(&published) > state);
        if is_stale {
            if let Some((last, _)) = computed {
                tokio::time::sleep_until(last + PACE).await;
                changed.mark_unchanged();
                published = live.load();
            }
            let result = question.compute(Arc::clone(&published), &turns).await.map(Arc::new);
            computed = Some((Instant::now(), published.changes.number));
            let is_over = result.is_err();
            sender.send_if_modified(|latest| {
                latest.checked = published.changes.number;
                let differs = match (&latest.answer, &result) {
                    (Some(Ok(old)), Ok(new)) => old.data() != new.data(),
                    _ => true,
                };
                if differs {
                    latest.serial += 1;
                    latest.answer = Some(result);
                }
                differs || waiting.load(Ordering::SeqCst) > 0
            });
            if is_over {
                // Those who ask from now on ask anew; the error stays for those who asked before.
                std::future::pending::<()>().await;
            }
        } else {
            sender.send_if_modified(|latest| {
                latest.checked = published.changes.number;
                waiting.load(Ordering::SeqCst) > 0
            });
        }
        if changed.changed().await.is_err() {
            return;
        }
    }
}

/// One subscriber of an answer.
pub(super) struct AnswerStream {
    answers: Arc<Answers>,
    latest: watch::Receiver<Latest>,
    /// The state of the graph that the first answer has to be of, or a later one.
    from: u64,
    sent: u64,
    ends_with_null: bool,
    is_over: bool,
}

impl AnswerStream {
    pub(super) fn new(answers: Arc<Answers>, from: u64, ends_with_null: bool) -> Self {
        let latest = answers.latest.clone();
        Self { answers, latest, from, sent: 0, ends_with_null, is_over: false }
    }

    /// The next answer; none if there will be no other.
    ///
    /// # Errors
    /// If it could not be computed.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, GraphqlError> {
        if self.is_over {
            return Ok(None);
        }
        let _waiting = (self.sent == 0).then(|| Waiting::new(&self.answers.waiting));
        loop {
            {
                let latest = self.latest.borrow_and_update();
                // An answer that could not be computed stays so.
                let is_fresh = self.sent > 0 || latest.checked >= self.from || matches!(latest.answer, Some(Err(_)));
                let is_due = latest.serial > self.sent && is_fresh;
                if let Some(answer) = latest.answer.as_ref().filter(|_| is_due) {
                    self.sent = latest.serial;
                    let answer = answer.clone()?;
                    self.is_over = self.ends_with_null && answer.is_null;
                    return Ok(Some(answer.body.clone()));
                }
            }
            if self.latest.changed().await.is_err() {
                return Err(GraphqlError::new(Code::Internal, "the answer is no longer kept up to date"));
            }
        }
    }
}

/// Says that somebody waits, until it is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn new(waiting: &Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(waiting))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
