//! One query: what it takes to run it, on which thread it runs, and what happens before its answer leaves.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use apollo_compiler::{introspection, response::JsonMap, validation::Valid};
use spil_access::Policy;

use super::{
    Engine, LIGHT_COST, Response, ResponseStatus,
    bind::Bound,
    document::Prepared,
    end,
    error::{Code, GraphqlError},
    execute::{Halt, Writer},
    failed,
    fetch::{Fetched, Need},
    people::CountedPeople,
    plan::{Plan, Root},
    reads::{self, Reads},
    schema::SpilSchema,
};
use crate::{access::View, live::Published, read_log::Reader, search::Indexed};

/// How long a costly query waits for others to end.
const HEAVY_WAIT: Duration = Duration::from_secs(5);

/// A query with all that it takes to run it.
pub(super) struct QueryRun {
    pub(super) schema: &'static SpilSchema,
    pub(super) prepared: Arc<Prepared>,
    pub(super) variables: Valid<JsonMap>,
    /// The graph as the viewer sees it.
    pub(super) published: Arc<Published>,
    /// The whole graph, where the query asks how the service is doing.
    pub(super) whole: Option<Arc<Published>>,
    pub(super) plan: Arc<Plan>,
    pub(super) bound: Vec<Bound>,
    pub(super) indexed: Option<Arc<Indexed>>,
    pub(super) policy: Arc<Policy>,
    pub(super) people: CountedPeople,
    /// Who sees it; none where that is not told and nothing is to be noted of it.
    pub(super) view: Option<View>,
}

/// An answer that is written, and not yet given.
pub(super) struct Written {
    pub(super) body: Vec<u8>,
    /// What it tells of people, known by it or not.
    pub(super) reads: Reads,
    /// What the owners have to be asked before it is whole.
    pub(super) needs: Vec<Need>,
    /// How much more work it might have been.
    pub(super) left: u64,
}

impl QueryRun {
    /// Writes the answer.
    pub(super) fn answer(
        &self,
        introspected: Option<&JsonMap>,
        cost: u64,
        fetched: Option<&Fetched>,
    ) -> Result<Written, Halt> {
        let Root::Query(items) = &self.plan.root else { return Err(Halt::Mismatch) };
        let mut writer = Writer::new(&self.published, &self.bound, cost)
            .searching(self.indexed.clone())
            .telling(self.whole.as_deref())
            .recording(self.view.as_ref().and_then(reads::recorder));
        (writer.viewing, writer.fetched) = (self.view.as_ref(), fetched);
        writer.policy = Some(Arc::clone(&self.policy));
        writer.people = self.people.clone();
        writer.raw("{\"data\":");
        writer.query(items, introspected)?;
        end(writer.out_mut(), &self.published);
        let (left, reads) = (writer.left(), writer.take_told());
        let needs = std::mem::take(&mut writer.needs);
        Ok(Written { body: writer.into_bytes(), reads, needs, left })
    }

    /// What is asked of the schema itself, if anything is.
    pub(super) fn introspect(&self, operation: Option<&str>) -> Result<Option<JsonMap>, Vec<GraphqlError>> {
        if self.plan.introspections() == 0 {
            return Ok(None);
        }
        let failed = |code: Code, message: String| vec![GraphqlError::new(code, message)];
        let document = &self.prepared.document;
        let operation = document
            .operations
            .get(operation)
            .map_err(|error| failed(Code::ValidationFailed, error.message().to_string()))?;
        introspection::check_max_depth(document, operation)
            .map_err(|error| failed(Code::TooDeep, error.message().to_string()))?;
        introspection::partial_execute(
            &self.schema.schema,
            &self.schema.implementers,
            document,
            operation,
            &self.variables,
        )
        .map(|response| response.data)
        .map_err(|error| failed(Code::ValidationFailed, error.message().to_string()))
    }
}

impl Engine {
    /// Runs a query. Where it needs to know what only owners know, it is run once more with their answers.
    pub(super) async fn query(
        &self,
        run: QueryRun,
        operation: Option<String>,
        reader: Option<Reader>,
    ) -> Result<Response, Vec<GraphqlError>> {
        let run = Arc::new(run);
        let operation: Option<Arc<str>> = operation.map(Into::into);
        let mut result = self.write(&run, operation.clone(), None).await?;
        if let Ok(written) = &result
            && !written.needs.is_empty()
        {
            let fetched = Arc::new(self.fetch(&run, &written.needs).await.map_err(|error| vec![error])?);
            result = self.write(&run, operation, Some(Arc::clone(&fetched))).await?;
            if let Ok(written) = &mut result {
                for (person, bits) in &fetched.reads {
                    *written.reads.entry(*person).or_default() |= bits;
                }
            }
        }
        Ok(self.finish(result, reader.as_ref()).await)
    }

    /// Writes the answer to a query: on this thread if it is little work, as most are, and else on one of a few that nobody else waits for.
    async fn write(
        &self,
        run: &Arc<QueryRun>,
        operation: Option<Arc<str>>,
        fetched: Option<Arc<Fetched>>,
    ) -> Result<Result<Written, Halt>, Vec<GraphqlError>> {
        let cost = self.limits.cost;
        if !run.plan.is_heavy.load(Ordering::Relaxed) {
            match run.answer(None, cost.min(LIGHT_COST), fetched.as_deref()) {
                Err(Halt::TooCostly) if cost > LIGHT_COST => run.plan.is_heavy.store(true, Ordering::Relaxed),
                result => return Ok(result),
            }
        }
        let overloaded =
            || vec![GraphqlError::new(Code::Overloaded, "too many costly requests are under way; try again later")];
        let permit = tokio::time::timeout(HEAVY_WAIT, Arc::clone(&self.heavy).acquire_owned())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(overloaded)?;
        let run = Arc::clone(run);
        let result = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also for somebody who has hung up.
            let _permit = permit;
            let introspected = run.introspect(operation.as_deref())?;
            let result = run.answer(introspected.as_ref(), cost, fetched.as_deref());
            // With other variables the same document may be little work; it is not held against it for ever.
            if introspected.is_none() && result.as_ref().is_ok_and(|written| cost - written.left < LIGHT_COST) {
                run.plan.is_heavy.store(run.plan.is_always_heavy(), Ordering::Relaxed);
            }
            Ok(result)
        })
        .await;
        result.unwrap_or_else(|_| Err(vec![GraphqlError::new(Code::Internal, "the answer could not be written")]))
    }

    /// The answer to a query, once it is kept what it tells of people.
    async fn finish(&self, result: Result<Written, Halt>, reader: Option<&Reader>) -> Response {
        let mut written = match result {
            Ok(written) => written,
            Err(halt) => return failed(&[halt.into()]),
        };
        reads::known(&mut written.reads);
        if let Some(reader) = reader
            && let Err(error) = self.keep_reads(reader, &written.reads).await
        {
            return failed(&[error]);
        }
        Response { body: written.body.into(), status: ResponseStatus::Executed }
    }
}
