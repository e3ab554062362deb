//! Answers that are computed again when the graph changes, once for all who ask the same.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use spil_access::Viewer;
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::AbortHandle,
    time::Instant,
};
use xxhash_rust::xxh3::xxh3_128;

use super::{
    held::{Bodies, Told},
    touched::Touched,
};
use crate::{
    access::{self, Sights},
    graphql::{
        LIGHT_COST,
        bind::Bound,
        end,
        error::{Code, GraphqlError},
        execute::{Halt, Writer},
        indexed,
        plan::{Plan, Root, Subscribed, SubscriptionField},
        reads::{self, Recorder},
    },
    live::{Live, Published},
    search::{Indexed, Search},
};

/// The least time between two computations of an answer: what changes meanwhile is answered together.
const PACE: Duration = Duration::from_millis(100);
/// How many times as long as it took to compute an answer it is not computed again: one question takes a tenth of a core at most.
const PAUSE: u32 = 10;
/// How often it is looked whether another day has begun, for those whose sight depends on it.
const DAY_CHECK: Duration = Duration::from_secs(10);

/// What is to be answered.
pub(super) struct Question {
    pub(super) plan: Arc<Plan>,
    pub(super) bound: Vec<Bound>,
    pub(super) cost: u64,
    /// The most bytes of the answer.
    pub(super) bytes: usize,
    /// The index, if something is searched.
    pub(super) search: Option<Arc<Search>>,
    /// Who asks; all of them see the same.
    pub(super) viewer: Viewer,
    pub(super) sights: Arc<Sights>,
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

    fn answer(
        &self,
        published: &Published,
        indexed: Option<Arc<Indexed>>,
        recorder: Option<Box<Recorder>>,
        cost: u64,
    ) -> Result<Answer, Halt> {
        let (key, subscribed) = self.asked().ok_or(Halt::Mismatch)?;
        let mut writer =
            Writer::new(published, &self.bound, cost).searching(indexed).at_most(self.bytes).recording(recorder);
        writer.raw("{\"data\":{");
        writer.raw(key);
        let start = writer.out_mut().len();
        match subscribed {
            Subscribed::Query(items) => writer.query(items, None)?,
            Subscribed::Record { slot, kind, items } => writer.get(*slot, *kind, items)?,
        }
        let is_null = writer.out_mut().get(start..) == Some(b"null".as_slice());
        writer.raw("}");
        let hash = xxh3_128(writer.out_mut());
        end(writer.out_mut(), published);
        let (left, reads) = (writer.left(), writer.take_reads());
        let body = writer.into_bytes();
        if body.len() > self.bytes {
            return Err(Halt::TooCostly);
        }
        // What it has grown for and not used would be kept with it.
        let told = Told::new(body.into_boxed_slice().into(), reads);
        Ok(Answer { told, hash, is_null, spent: cost - left })
    }

    /// Computes the answer on a thread that nobody else waits for, when it is its turn, and says how long that took.
    async fn compute(
        self: &Arc<Self>,
        published: Arc<Published>,
        turns: &Turns,
    ) -> Result<(Answer, Duration), GraphqlError> {
        let view = self.sights.view(&self.viewer, &published).await;
        let published = published.seen_by(view.sight());
        let indexed = match &self.search {
            Some(search) => Some(indexed(search, &published).await?),
            None => None,
        };
        let mut took = Duration::ZERO;
        let run = async |is_heavy: bool, cost: u64, took: &mut Duration| {
            let (question, published, indexed) = (Arc::clone(self), Arc::clone(&published), indexed.clone());
            let recorder = reads::recorder(&view);
            let work = move || question.answer(&published, indexed, recorder, cost);
            let (result, time) = turns.run(is_heavy, work).await?;
            *took += time;
            Ok::<_, GraphqlError>(result)
        };
        if !self.plan.is_heavy.load(Ordering::Relaxed) {
            match run(false, self.cost.min(LIGHT_COST), &mut took).await? {
                Err(Halt::TooCostly) if self.cost > LIGHT_COST => self.plan.is_heavy.store(true, Ordering::Relaxed),
                result => return Ok((result?, took)),
            }
        }
        let answer = run(true, self.cost, &mut took).await??;
        if answer.spent < LIGHT_COST {
            self.plan.is_heavy.store(self.plan.is_always_heavy(), Ordering::Relaxed);
        }
        Ok((answer, took))
    }
}

/// Whose turn it is to compute an answer again. All together take one core at most.
#[derive(Clone)]
pub(super) struct Turns {
    one: Arc<Semaphore>,
    /// Of those with much work only one waits among the others, so that these wait for one of them and no more.
    heavy: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        let one = || Arc::new(Semaphore::new(1));
        Self { one: one(), heavy: one() }
    }
}

impl Turns {
    /// Does work on a thread that nobody else waits for, and says how long it took.
    async fn run<T: Send + 'static>(
        &self,
        is_heavy: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(T, Duration), GraphqlError> {
        let failed = || GraphqlError::new(Code::Internal, "the answer could not be written");
        let heavy = match is_heavy {
            true => Some(Arc::clone(&self.heavy).acquire_owned().await.map_err(|_| failed())?),
            false => None,
        };
        let turn = Arc::clone(&self.one).acquire_owned().await.map_err(|_| failed())?;
        let done = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also if nobody wants it any more.
            let _turns = (heavy, turn);
            let start = Instant::now();
            (work(), start.elapsed())
        });
        done.await.map_err(|_| failed())
    }
}

/// An answer.
struct Answer {
    told: Told,
    /// Of the data; what follows differs with every state of the graph.
    hash: u128,
    is_null: bool,
    spent: u64,
}

/// What is known of the newest answer. Its bytes are in the store, for as long as there is room.
#[derive(Default)]
struct Latest {
    /// The state of the graph that it is known to be the answer of.
    checked: u64,
    /// How many different answers there were.
    serial: u64,
    hash: u128,
    is_null: bool,
    error: Option<GraphqlError>,
}

/// What the subscribers of an answer share with the task that computes it.
struct Shared {
    /// Names the answer in the store.
    number: u64,
    bodies: Arc<Bodies>,
    /// How many wait for the answer to be of a certain state, or for its bytes, whether it differs or not.
    waiting: AtomicUsize,
    /// Says that somebody waits whose answer is not in the store any more.
    missing: Notify,
}

impl Shared {
    fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    fn is_missing(&self) -> bool {
        self.is_waited_for() && !self.bodies.contains(&self.number)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.bodies.remove(&self.number);
    }
}

/// An answer that is kept up to date as long as somebody holds it.
pub(super) struct Answers {
    latest: watch::Receiver<Latest>,
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Answers {
    /// Begins to keep an answer up to date. Its bytes go into a store under a number.
    pub(super) fn keep(
        question: Question,
        live: Arc<Live>,
        turns: Turns,
        (number, bodies): (u64, Arc<Bodies>),
    ) -> Self {
        let (sender, latest) = watch::channel(Latest::default());
        let shared = Arc::new(Shared { number, bodies, waiting: AtomicUsize::new(0), missing: Notify::new() });
        let task = tokio::spawn(run(Arc::new(question), live, turns, sender, Arc::clone(&shared)));
        Self { latest, shared, task: task.abort_handle() }
    }

    /// Whether it could not be computed. It stays so for those who have it; others ask anew.
    pub(super) fn has_failed(&self) -> bool {
        self.latest.borrow().error.is_some()
    }
}

async fn run(
    question: Arc<Question>,
    live: Arc<Live>,
    turns: Turns,
    sender: watch::Sender<Latest>,
    shared: Arc<Shared>,
) {
    let Some((_, subscribed)) = question.asked() else { return };
    let touched = Touched::by(subscribed, &question.bound).and_by(&question.viewer);
    let mut changed = live.watch();
    // What is somebody's own may not be the next day, though nothing changes.
    let has_own = question.viewer.has_own();
    // When it may be computed again, and the state and the day that it was computed of.
    let mut computed: Option<(Instant, u64, i32)> = None;
    loop {
        changed.mark_unchanged();
        let mut published = live.load();
        let is_stale = computed
            .is_none_or(|(_, state, day)| touched.last(&published) > state || has_own && day != access::today());
        if is_stale || shared.is_missing() {
            if let Some((next, ..)) = computed {
                tokio::time::sleep_until(next).await;
                changed.mark_unchanged();
                published = live.load();
            }
            let (state, day) = (published.changes.number, access::today());
            match question.compute(published, &turns).await {
                Ok((answer, took)) => {
                    computed = Some((Instant::now() + pause_after(took), state, day));
                    sender.send_if_modified(|latest| {
                        latest.checked = state;
                        let differs = latest.serial == 0 || latest.hash != answer.hash;
                        if differs {
                            latest.serial += 1;
                            (latest.hash, latest.is_null) = (answer.hash, answer.is_null);
                        }
                        let is_waited_for = shared.is_waited_for();
                        if differs || is_waited_for {
                            shared.bodies.put(shared.number, answer.told);
                        }
                        differs || is_waited_for
                    });
                }
                Err(error) => {
                    sender.send_modify(|latest| latest.error = Some(error));
                    // Those who ask from now on ask anew; the error stays for those who asked before.
                    std::future::pending::<()>().await;
                }
            }
        } else {
            sender.send_if_modified(|latest| {
                latest.checked = published.changes.number;
                shared.is_waited_for()
            });
        }
        tokio::select! {
            result = changed.changed() => if result.is_err() { return },
            () = shared.missing.notified() => {}
            () = tokio::time::sleep(DAY_CHECK), if has_own => {}
        }
    }
}

/// How long an answer is not computed again that took so long.
fn pause_after(took: Duration) -> Duration {
    took.saturating_mul(PAUSE).max(PACE)
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
    pub(super) async fn next(&mut self) -> Result<Option<Told>, GraphqlError> {
        if self.is_over {
            return Ok(None);
        }
        let shared = &self.answers.shared;
        let mut waiting = (self.sent == 0).then(|| Waiting::new(shared));
        loop {
            {
                let latest = self.latest.borrow_and_update();
                if let Some(error) = &latest.error {
                    return Err(error.clone());
                }
                let is_fresh = self.sent > 0 || latest.checked >= self.from;
                if latest.serial > self.sent && is_fresh {
                    // No newer one can be put there as long as `latest` is borrowed.
                    if let Some(body) = shared.bodies.get(&shared.number) {
                        self.sent = latest.serial;
                        self.is_over = self.ends_with_null && latest.is_null;
                        return Ok(Some(body));
                    }
                    waiting.get_or_insert_with(|| Waiting::new(shared));
                    shared.missing.notify_one();
                }
            }
            if self.latest.changed().await.is_err() {
                return Err(GraphqlError::new(Code::Internal, "the answer is no longer kept up to date"));
            }
        }
    }
}

/// Says that somebody waits, until it is dropped.
struct Waiting(Arc<Shared>);

impl Waiting {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, thread};

    use super::*;

    #[test]
    fn what_takes_long_is_computed_less_often() {
        let millis = Duration::from_millis;
        for (took, pause) in [(0, 100), (10, 100), (11, 110), (300, 3000)] {
            assert_eq!(pause_after(millis(took)), millis(pause), "{took} ms");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_answer_is_computed_at_a_time_and_little_work_waits_for_one_costly_answer() {
        let turns = Turns::default();
        let (running, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let run = |is_heavy: bool| {
            let (turns, running, done) = (turns.clone(), Arc::clone(&running), Arc::clone(&done));
            tokio::spawn(async move {
                let work = move || {
                    assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "alone");
                    thread::sleep(Duration::from_millis(30));
                    running.fetch_sub(1, Ordering::SeqCst);
                    done.lock().expect("a list").push(is_heavy);
                };
                turns.run(is_heavy, work).await.expect("a turn").1
            })
        };
        let mut all: Vec<_> = (0..4).map(|_| run(true)).collect();
        tokio::time::sleep(Duration::from_millis(10)).await;
        all.push(run(false));
        for task in all {
            assert!(task.await.expect("done") >= Duration::from_millis(30), "it says how long it took");
        }
        let done = done.lock().expect("a list").clone();
        let light = done.iter().position(|is_heavy| !is_heavy).expect("the one with little work");
        assert!(done.len() == 5 && light <= 2, "{done:?}");
    }
}
