//! Subscriptions: changes one by one, and answers that are sent again when they differ.

mod answer;
mod changes;
mod event;
mod fill;
mod held;
pub(super) mod place;
mod touched;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde_json::json;
use sha2::{Digest, Sha256};
use spil_access::{Policy, Viewer, ViewerKey};
use spil_auth::Caller;
use spil_proto::model::Purpose;
use tokio::{sync::Semaphore, time::Instant};

use self::{
    answer::{AnswerStream, Answers, Question, Turns},
    changes::{ChangeStream, Feed},
    held::{Bodies, Registry, Seat, Seats, Told, WRITTEN_BYTES, Written},
};
use super::{
    Engine, Planned, Request, Response, ResponseStatus, Started, authorize,
    bind::{self, Bound},
    error::{Code, GraphqlError},
    limits::Limits,
    plan::{Root, Slot, Subscribed, SubscriptionField},
    purpose,
};
use crate::{
    journal::{Logged, Reader, number},
    read_log::Reader as ReaderOf,
};

/// Names what is asked and who asks, as far as the answer depends on them.
type Key = [u8; 32];

/// What all subscriptions of an engine share.
pub(super) struct Subscriptions {
    seats: Arc<Seats>,
    feeds: Registry<Key, Feed>,
    feed_numbers: AtomicU64,
    answers: Registry<Key, Answers>,
    answer_numbers: AtomicU64,
    bodies: Arc<Bodies>,
    /// Who computes an answer again. Queries that are asked once have turns of their own and do not wait for these.
    answer_turns: Turns,
    written: Written,
    /// How many costly changes are written at once.
    costly: Arc<Semaphore>,
    /// How many subscribers read from the owners' logs at once.
    turns: Arc<Semaphore>,
}

impl Subscriptions {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            seats: Seats::new(limits),
            feeds: Registry::default(),
            feed_numbers: AtomicU64::new(0),
            answers: Registry::default(),
            answer_numbers: AtomicU64::new(0),
            bodies: Arc::new(Bodies::new(limits.live_bytes)),
            answer_turns: Turns::default(),
            written: Written::new(WRITTEN_BYTES),
            costly: Arc::new(Semaphore::new(1)),
            turns: Arc::new(Semaphore::new(fill::PIECES)),
        }
    }

    /// The memory of the answers to live queries that are kept, about.
    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.bodies.bytes()
    }
}

impl Engine {
    /// Begins a subscription.
    ///
    /// # Errors
    /// If it can not begin.
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        caller: &Caller,
        token: &str,
        request: &Request,
        planned: Planned,
    ) -> Result<Started, GraphqlError> {
        let Planned { prepared, operation, variables, plan } = planned;
        self.noted.note(caller, request.purpose, operation.as_deref());
        let policy = self.policy.load();
        let viewer = policy.viewer(caller, request.purpose);
        authorize(&viewer, &plan)?;
        let Root::Subscription(item) = &plan.root else {
            return Err(GraphqlError::new(Code::Internal, "this is no subscription"));
        };
        let bound = bind::bind(&plan, &variables)?;
        let wanted = request.extensions.as_ref().and_then(|extensions| extensions.consistency.as_deref());
        let published = self.fresh(wanted).await?;
        let given: usize = variables.iter().map(|(name, value)| name.as_str().len() + value.to_string().len()).sum();
        let seat = self.subscriptions.seats.take(caller.subject(), prepared.text().len() + given)?;
        let mut asked = Asked::new(&viewer, prepared.text());
        asked.part(request.purpose.map(purpose::name).unwrap_or_default().as_bytes());
        asked.part(request.operation_name.as_deref().unwrap_or_default().as_bytes());
        let source = match &item.what {
            SubscriptionField::Changes { slot, .. } => {
                let after = match bound.get(*slot) {
                    Some(Bound::Changes(wanted)) => wanted.after,
                    _ => None,
                };
                // Those who go on from different places ask the same all the same.
                let only_after = plan.slots.get(*slot).and_then(|slot| variable_of_after(slot, &plan.slots));
                for (name, value) in variables.iter().filter(|(name, _)| Some(name.as_str()) != only_after) {
                    asked.part(name.as_str().as_bytes());
                    asked.part(value.to_string().as_bytes());
                }
                let feed = self.subscriptions.feeds.get_or_make(
                    asked.key(),
                    |_| true,
                    || Feed {
                        number: self.subscriptions.feed_numbers.fetch_add(1, Ordering::Relaxed),
                        plan: Arc::clone(&plan),
                        bound,
                        cost: self.limits.cost,
                        viewer: viewer.clone(),
                    },
                );
                let now = || {
                    let [Some(first), Some(second), Some(third)] = published.stand() else { return None };
                    Some(Reader { at: [first, second, third], parts: [None; 3] })
                };
                let not_ready = || GraphqlError::new(Code::NotReady, "the graph is not loaded yet; try again");
                let reader = after.or_else(now).ok_or_else(not_ready)?;
                let mut stream = ChangeStream::new(Arc::clone(self), feed, token.to_owned(), reader);
                stream.begin().await.map_err(|error| match error.code {
                    Code::CursorExpired => error.at([item.name(), "after"]),
                    _ => error,
                })?;
                Source::Changes(Box::new(stream))
            }
            SubscriptionField::Answer(subscribed) => {
                for (name, value) in variables.iter() {
                    asked.part(name.as_str().as_bytes());
                    asked.part(value.to_string().as_bytes());
                }
                let all = &self.subscriptions;
                let is_good = |answers: &Answers| !answers.has_failed();
                let answers = all.answers.get_or_make(asked.key(), is_good, || {
                    let question = Question {
                        plan: Arc::clone(&plan),
                        bound,
                        cost: self.limits.cost,
                        bytes: self.limits.live_answer_bytes,
                        search: plan.searches().then(|| Arc::clone(self.search())),
                        viewer: viewer.clone(),
                        sights: Arc::clone(&self.sights),
                    };
                    let number = all.answer_numbers.fetch_add(1, Ordering::Relaxed);
                    let live = Arc::clone(&self.live);
                    Answers::keep(question, live, all.answer_turns.clone(), (number, Arc::clone(&all.bodies)))
                });
                let ends_with_null = matches!(subscribed, Subscribed::Record { .. });
                Source::Answers(AnswerStream::new(answers, published.changes.number, ends_with_null))
            }
        };
        let expires = caller.expires_at().map(|at| {
            let left = at.duration_since(SystemTime::now()).unwrap_or_default();
            Instant::now() + left.min(LONGEST)
        });
        let reader = Self::reader(caller, &viewer, operation.as_deref(), request.origin);
        let (engine, caller) = (Arc::clone(self), caller.clone());
        let allowed = Allowed { engine, caller, purpose: request.purpose, policy, key: viewer.key(), reader };
        let subscription = Subscription { source, expires, allowed, _seat: seat };
        Ok(Started::Stream(Box::pin(futures::stream::unfold(Some(subscription), |subscription| async {
            subscription?.next().await
        }))))
    }
}

/// A token that lasts longer is looked at again then.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The variable that stands for `after` and for nothing else.
fn variable_of_after<'a>(changes: &'a Slot, slots: &'a [Slot]) -> Option<&'a str> {
    let after = changes.arguments.iter().find(|argument| argument.name == "after")?;
    let name = after.value.as_variable()?.as_str();
    let uses: usize =
        slots.iter().flat_map(|slot| &slot.arguments).map(|argument| uses_of(&argument.value, name)).sum();
    (uses == 1).then_some(name)
}

fn uses_of(value: &apollo_compiler::ast::Value, name: &str) -> usize {
    use apollo_compiler::ast::Value;
    match value {
        Value::Variable(variable) => usize::from(variable == name),
        Value::List(items) => items.iter().map(|item| uses_of(item, name)).sum(),
        Value::Object(fields) => fields.iter().map(|(_, value)| uses_of(value, name)).sum(),
        _ => 0,
    }
}

/// What is asked, being summed up.
struct Asked(Sha256);

impl Asked {
    /// Who asks, as far as the answer depends on it: on what they see.
    fn new(viewer: &Viewer, document: &str) -> Self {
        let mut asked = Self(Sha256::new());
        asked.part(viewer.key().as_bytes());
        asked.part(document.as_bytes());
        asked
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn key(self) -> Key {
        self.0.finalize().into()
    }
}

/// The consistency token of a graph that shows a revision that is being sent.
fn token_of(past: &Reader, revision: &Logged) -> String {
    let mut stand = past.at.map(Some);
    stand[number(revision.owner)] = Some(revision.after);
    place::token(&stand)
}

/// Does costly work on one of a few threads that nobody else waits for, when it is its turn.
async fn heavy<T: Send + 'static>(
    turns: Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, GraphqlError> {
    // In a task of its own: whoever does not poll must not stand in the way of those behind it.
    let done = tokio::spawn(async move {
        let turn = turns.acquire_owned().await;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
    });
    let failed = || GraphqlError::new(Code::Internal, "the answer could not be written");
    done.await.map_err(|_| failed())?.map_err(|_| failed())
}

enum Source {
    Changes(Box<ChangeStream>),
    Answers(AnswerStream),
}

/// What a subscriber was allowed at the start. What is sent is made for that, so it ends when something else is.
struct Allowed {
    engine: Arc<Engine>,
    caller: Caller,
    purpose: Option<Purpose>,
    /// The policy by which that was found out last.
    policy: Arc<Policy>,
    key: ViewerKey,
    /// Who it is, as it is kept with what is read.
    reader: ReaderOf,
}

impl Allowed {
    /// Says whether the subscriber still sees and may do the same.
    fn check(&mut self) -> Result<(), GraphqlError> {
        let policy = self.engine.policy.load();
        if Arc::ptr_eq(&policy, &self.policy) {
            return Ok(());
        }
        if policy.viewer(&self.caller, self.purpose).key() != self.key {
            return Err(GraphqlError::new(Code::Forbidden, "what the token allows has changed; subscribe again"));
        }
        self.policy = policy;
        Ok(())
    }
}

/// A subscription under way.
struct Subscription {
    source: Source,
    allowed: Allowed,
    /// When the caller's token ends.
    expires: Option<Instant>,
    _seat: Seat,
}

impl Subscription {
    async fn next(mut self) -> Option<(Response, Option<Self>)> {
        let result = match self.expires {
            Some(at) => tokio::select! {
                biased;
                () = tokio::time::sleep_until(at) => {
                    Err(GraphqlError::new(Code::Unauthenticated, "the token has expired; go on with a new one"))
                }
                result = self.source.next() => result,
            },
            None => self.source.next().await,
        };
        let result = match result.and_then(|told| self.allowed.check().map(|()| told)) {
            Ok(Some(Told { body, reads: Some(reads) })) => {
                let Allowed { engine, reader, .. } = &self.allowed;
                engine.keep_reads(reader, &reads).await.map(|()| Some(body))
            }
            result => result.map(|told| told.map(|told| told.body)),
        };
        match result {
            Ok(Some(body)) => Some((Response { body, status: ResponseStatus::Executed }, Some(self))),
            Ok(None) => None,
            Err(error) => Some((self.source.last(&error), None)),
        }
    }
}

impl Source {
    async fn next(&mut self) -> Result<Option<Told>, GraphqlError> {
        match self {
            Source::Changes(changes) => changes.next().await,
            Source::Answers(answers) => answers.next().await,
        }
    }

    /// The answer after which there is no other: an error, and the place to go on from where there is one.
    fn last(&self, error: &GraphqlError) -> Response {
        let mut error = error.to_json();
        if let Source::Changes(changes) = self
            && let Some(extensions) = error.get_mut("extensions").and_then(serde_json::Value::as_object_mut)
        {
            extensions.insert("cursor".to_owned(), json!(changes.cursor()));
        }
        Response { body: json!({"errors": [error], "data": null}).to_string().into(), status: ResponseStatus::Executed }
    }
}
