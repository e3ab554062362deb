//! GraphQL over the snapshot: a document is parsed, bounded and validated once, compiled to a plan once, and then run as often as it
//! is asked.

mod bind;
mod cursor;
mod demand;
mod document;
pub mod error;
mod execute;
mod eye;
mod fetch;
pub mod global_id;
pub mod limits;
mod mutation;
mod origin;
mod people;
mod persisted;
mod plan;
pub(crate) mod purpose;
mod query;
pub(crate) mod reads;
mod relation_step;
mod request;
mod scalar;
pub mod schema;
mod subject;
mod subscription;
pub mod trusted;
mod validator;
mod variables;

use std::{
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use apollo_compiler::{Name, response::JsonMap, validation::Valid};
use bytes::Bytes;
use futures::Stream;
use serde_json::json;
use spil_access::{PolicyHandle, Viewer};
use spil_auth::Caller;
use spil_disclosure::Threshold;
use spil_proto::{
    changefeed::v1::Cursor,
    model::{Owner, Purpose},
    owner::OwnerClient,
};

pub(crate) use fetch::json_of;
pub use origin::{Origin, Transport};
pub use request::{PersistedQuery, Request, RequestExtensions};
pub(crate) use scalar::date_time_text;
use tokio::sync::Semaphore;

use self::{
    demand::authorize,
    document::{Documents, Prepared},
    error::{Code, GraphqlError},
    execute::Halt,
    limits::Limits,
    plan::{Plan, QueryField, Root},
    query::QueryRun,
    schema::SpilSchema,
    subscription::Subscriptions,
    trusted::DocumentRules,
};
use crate::{
    access::{Sights, View},
    aggregate::People,
    follow::FeedToken,
    live::{self, Live, Published},
    read_log::ReadLog,
    search::{Indexed, Search},
};

/// How many documents are kept ready.
const DOCUMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);
/// The work that a query may do on a thread that answers others too: a few milliseconds.
const LIGHT_COST: u64 = 50_000;
/// How long a request waits for the graph to be as fresh as its consistency token.
const FRESHNESS_LIMIT: Duration = Duration::from_secs(1);

/// The answer to a request.
#[derive(Debug)]
pub struct Response {
    /// The answer as JSON. Subscribers who get the same answer share its bytes.
    pub body: Bytes,
    /// How far it came.
    pub status: ResponseStatus,
}

impl Response {
    /// Whether it is the answer to a query that was run without fault. A fault takes the place of the whole answer.
    pub(crate) fn is_whole(&self) -> bool {
        self.status == ResponseStatus::Executed && self.body.starts_with(b"{\"data\":")
    }
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseStatus {
    /// It was run; the answer has `data`, if only null.
    Executed,
    /// It was refused before it was run, for a reason with this code.
    Refused(Code),
}

/// Whether a request may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Only queries: it came by GET.
    Queries,
    /// Queries and mutations. What a request by itself can not carry, a subscription, is refused.
    Everything,
}

/// The answers to a request that lasts, one after the other; it is over when they end.
pub type Responses = Pin<Box<dyn Stream<Item = Response> + Send>>;

/// What becomes of a request: one answer, or several.
pub enum Started {
    /// The answer, to a query or a mutation or where a subscription was refused.
    Once(Response),
    /// The answers to a subscription.
    Stream(Responses),
}

/// Answers requests from the graph that is live.
pub struct Engine {
    schema: &'static SpilSchema,
    documents: Documents,
    live: Arc<Live>,
    clients: [OwnerClient; 3],
    limits: Limits,
    policy: Arc<PolicyHandle>,
    people: Arc<People>,
    sights: Arc<Sights>,
    /// What the owners' logs are read with; the caller's own token where there is none.
    feed_token: Option<Arc<dyn FeedToken>>,
    /// How many costly queries run at once.
    heavy: Arc<Semaphore>,
    /// How many exports of people are read at once.
    exports: Semaphore,
    subscriptions: Subscriptions,
    /// The index for searches, made when it is first needed.
    search: OnceLock<Arc<Search>>,
    /// Which purposes were named lately.
    noted: purpose::Noted,
    /// Where it is kept who read what about people; without it nobody is told who others are.
    read_log: Option<Arc<ReadLog>>,
}

impl Engine {
    /// An engine over a live graph, which sends mutations to the owners, given in the order of [`Owner::ALL`].
    pub fn new(schema: &'static SpilSchema, live: Arc<Live>, clients: [OwnerClient; 3], limits: Limits) -> Self {
        let documents = Documents::new(schema, limits.clone(), DOCUMENTS);
        let heavy = Arc::new(Semaphore::new(thread::available_parallelism().map_or(2, NonZeroUsize::get)));
        let subscriptions = Subscriptions::new(&limits);
        let (policy, sights, search) = (PolicyHandle::built_in(), Arc::default(), OnceLock::new());
        let people = Arc::new(People::new(Threshold::default()));
        Self {
            schema,
            documents,
            live,
            clients,
            limits,
            policy,
            people,
            sights,
            feed_token: None,
            heavy,
            exports: Semaphore::new(1),
            subscriptions,
            search,
            noted: purpose::Noted::default(),
            read_log: None,
        }
    }

    /// The same engine, which has it kept who reads what about people.
    #[must_use]
    pub fn with_read_log(mut self, log: Option<ReadLog>) -> Self {
        self.read_log = log.map(Arc::new);
        self
    }

    /// Starts to build the index for searches, which else is built when somebody searches. Needs a runtime.
    pub fn prepare_search(&self) {
        self.search();
    }

    fn search(&self) -> &Arc<Search> {
        self.search.get_or_init(|| Arc::new(Search::start(Arc::clone(&self.live))))
    }

    /// The same engine with rules about the documents that it runs.
    #[must_use]
    pub fn with_rules(mut self, rules: DocumentRules) -> Self {
        self.documents.set_rules(rules);
        self
    }

    /// The same engine with another policy than the built-in one.
    #[must_use]
    pub fn with_policy(mut self, policy: Arc<PolicyHandle>) -> Self {
        self.policy = policy;
        self
    }

    /// The same engine with another bound for figures about groups of people.
    #[must_use]
    pub fn with_smallest_group(mut self, threshold: Threshold) -> Self {
        self.people = Arc::new(People::new(threshold));
        self
    }

    /// The same engine with a token of its own, by which it reads what subscribers have missed from the owners' logs: callers may not read
    /// these, since everything is in them.
    #[must_use]
    pub fn with_feed_token(mut self, token: Arc<dyn FeedToken>) -> Self {
        self.feed_token = Some(token);
        self
    }

    /// The token to read an owner's log with for a caller.
    fn log_token(&self, callers: &str) -> Result<String, GraphqlError> {
        let Some(token) = &self.feed_token else { return Ok(callers.to_owned()) };
        token.feed_token().map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "the owners' logs can not be read");
            GraphqlError::new(Code::Internal, "the changes could not be read")
        })
    }

    /// What a caller may do by the policy in force, and see for a purpose.
    pub fn viewer(&self, caller: &Caller, purpose: Option<Purpose>) -> Viewer {
        self.policy.load().viewer(caller, purpose)
    }

    /// What a viewer sees of a state of the graph.
    pub async fn view(&self, viewer: &Viewer, published: &Arc<Published>) -> View {
        self.sights.view(viewer, published).await
    }

    /// Whether the schema may be asked for.
    pub fn shows_schema(&self) -> bool {
        self.documents.rules().introspection
    }

    /// The graph that is live.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Answers a request. `token` is the caller's own; it goes to the owners with every mutation.
    pub async fn execute(&self, caller: &Caller, token: &str, request: Request, allowed: Allowed) -> Response {
        let result = match self.planned(&request) {
            Ok(planned) => self.run(caller, token, request, planned, allowed).await,
            Err(errors) => Err(errors),
        };
        result.unwrap_or_else(|errors| refused(&errors))
    }

    /// Answers a request that may have more than one answer. `token` is the caller's own; it goes to the owners.
    pub async fn start(self: &Arc<Self>, caller: &Caller, token: &str, request: Request, allowed: Allowed) -> Started {
        let result = match self.planned(&request) {
            Ok(planned) if matches!(planned.plan.root, Root::Subscription(_)) => {
                self.subscribe(caller, token, &request, planned).await.map_err(|error| vec![error])
            }
            Ok(planned) => self.run(caller, token, request, planned, allowed).await.map(Started::Once),
            Err(errors) => Err(errors),
        };
        result.unwrap_or_else(|errors| Started::Once(refused(&errors)))
    }

    /// How to run a request.
    fn planned(&self, request: &Request) -> Result<Planned, Vec<GraphqlError>> {
        let one = |error: GraphqlError| vec![error];
        let prepared = self.documents.find(request)?;
        let operation = prepared
            .document
            .operations
            .get(request.operation_name.as_deref())
            .map_err(|error| one(GraphqlError::new(Code::ValidationFailed, error.message().to_string())))?;
        let none = JsonMap::new();
        let given = request.variables.as_ref().unwrap_or(&none);
        let variables = variables::read(&self.schema.schema, operation, given)?;
        let plan = self.documents.plan(&prepared, operation, &variables).map_err(one)?;
        let operation = operation.name.clone();
        Ok(Planned { prepared, operation, variables, plan })
    }

    async fn run(
        &self,
        caller: &Caller,
        token: &str,
        request: Request,
        planned: Planned,
        allowed: Allowed,
    ) -> Result<Response, Vec<GraphqlError>> {
        let one = |error: GraphqlError| vec![error];
        let Planned { prepared, operation, variables, plan } = planned;
        let ran = operation.as_deref();
        self.noted.note(caller, request.purpose, ran);
        match plan.root {
            Root::Mutation(_) if allowed == Allowed::Queries => {
                return Err(one(GraphqlError::new(Code::MethodNotAllowed, "a mutation is sent by POST")));
            }
            Root::Subscription(_) => {
                let message = "a subscription has more than one answer: subscribe over WebSocket (graphql-transport-ws) or by server-sent events (text/event-stream)";
                return Err(one(GraphqlError::new(Code::ValidationFailed, message)));
            }
            _ => {}
        }
        let viewer = self.viewer(caller, request.purpose);
        authorize(&viewer, &plan).map_err(one)?;
        let mut bound = bind::bind(&plan, &variables).map_err(one)?;
        bound.iter_mut().for_each(|bound| bound.came_by(request.origin));
        let wanted = request.extensions.and_then(|extensions| extensions.consistency);
        let published = self.fresh(wanted.as_deref()).await.map_err(one)?;
        match &plan.root {
            Root::Query(items) => {
                // Counted over all people, in a place of its own: what is said of them is decided there.
                let people = self.count_people(&bound, &published).await.map_err(one)?;
                let view = self.view(&viewer, &published).await;
                // How the service is doing is told of the whole; whoever may ask that was found out above.
                let tells = items.iter().any(|item| matches!(item.what, QueryField::Snapshot(_)));
                let whole = tells.then(|| Arc::clone(&published));
                let published = published.seen_by(view.sight());
                let indexed = match plan.searches() {
                    true => Some(indexed(self.search(), &published).await.map_err(one)?),
                    false => None,
                };
                let reader = (view.identifies_others() || plan.fetches())
                    .then(|| Self::reader(caller, &viewer, ran, request.origin));
                let run = QueryRun {
                    schema: self.schema,
                    prepared,
                    variables,
                    published,
                    whole,
                    plan,
                    bound,
                    indexed,
                    policy: self.policy.load(),
                    people,
                    view: Some(view),
                };
                self.query(run, request.operation_name, reader).await
            }
            Root::Mutation(items) => {
                let reader = Self::reader(caller, &viewer, ran, request.origin);
                Ok(self.mutate((caller, &viewer, &reader), token, items, &bound, published).await)
            }
            Root::Subscription(_) => Err(one(Halt::Mismatch.into())),
        }
    }

    /// The graph as it is, or as soon as it covers a consistency token.
    async fn fresh(&self, token: Option<&str>) -> Result<Arc<Published>, GraphqlError> {
        let wanted = match token {
            None => None,
            Some(token) => Some(live::parse_token(token).ok_or_else(|| {
                GraphqlError::new(Code::BadInput, "this is no consistency token").at(["extensions", "consistency"])
            })?),
        };
        let enough = |published: &Published| {
            published.is_complete()
                && wanted.as_ref().is_none_or(|wanted| {
                    Owner::ALL
                        .into_iter()
                        .zip(wanted)
                        .all(|(owner, cursor)| *cursor == Cursor::default() || published.covers(owner, cursor))
                })
        };
        let published = self.live.load();
        if enough(&published) {
            return Ok(published);
        }
        if let Some(published) = self.live.wait_for(FRESHNESS_LIMIT, enough).await {
            return Ok(published);
        }
        let published = self.live.load();
        if !published.is_complete() {
            return Err(GraphqlError::new(Code::NotReady, "the graph is not loaded yet; try again"));
        }
        let of_this_store = wanted.as_ref().is_none_or(|wanted| {
            Owner::ALL
                .into_iter()
                .zip(wanted)
                .all(|(owner, cursor)| *cursor == Cursor::default() || published.is_same_log(owner, cursor))
        });
        Err(if of_this_store {
            GraphqlError::new(Code::NotReady, "the graph is not as fresh as the request asks for yet; try again")
        } else {
            // The data were restored or replaced since: no waiting will help.
            GraphqlError::new(
                Code::BadInput,
                "the consistency token is of data that are here no longer; ask without it",
            )
            .at(["extensions", "consistency"])
        })
    }
}

/// A request that can be run.
struct Planned {
    prepared: Arc<Prepared>,
    /// The name of the operation that is run, whether the request says it or not.
    operation: Option<Name>,
    variables: Valid<JsonMap>,
    plan: Arc<Plan>,
}

/// The index as it shows a state of the graph, or, where that takes too long, as it is.
async fn indexed(search: &Search, published: &Published) -> Result<Arc<Indexed>, GraphqlError> {
    let not_ready = || GraphqlError::new(Code::NotReady, "the index for searches is not built yet; try again");
    search.wait_for(published, FRESHNESS_LIMIT).await.ok_or_else(not_ready)
}

/// Closes an answer.
fn end(out: &mut Vec<u8>, published: &Published) {
    out.extend_from_slice(b",\"extensions\":{\"consistency\":\"");
    out.extend_from_slice(published.token().as_bytes());
    out.extend_from_slice(b"\"}}");
}

fn errors_json(errors: &[GraphqlError]) -> serde_json::Value {
    serde_json::Value::Array(errors.iter().map(GraphqlError::to_json).collect())
}

/// The answer to a request that was not run.
pub fn refused(errors: &[GraphqlError]) -> Response {
    let code = errors.first().map_or(Code::Internal, |error| error.code);
    Response { body: json!({"errors": errors_json(errors)}).to_string().into(), status: ResponseStatus::Refused(code) }
}

/// The answer to a request that was run and failed.
fn failed(errors: &[GraphqlError]) -> Response {
    Response {
        body: json!({"errors": errors_json(errors), "data": null}).to_string().into(),
        status: ResponseStatus::Executed,
    }
}

#[cfg(test)]
mod tests;
