//! What somebody does not see shows in no answer: random queries over random records, asked by somebody who sees some of them, are
//! answered to the byte as over a graph that holds nothing else.
//!
//! `SPIL_LEAK_CASES` says how many graphs are tried, each with some fifty queries.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use spil_graph::{RowSet, Sight};
use spil_proto::{changefeed::v1::Origin, model::FieldType};

use super::random::{self, Choices, EACH, KINDS, any_filter, any_id, any_order, any_record};
use super::*;
use crate::graphql::{
    relation_step,
    schema::{has_facets, kind_value, order_field_name},
};

/// How many queries are asked of each graph.
const QUERIES: u64 = 50;
/// The work that a query may do: at times so little that it fails, which must not tell anything either.
const COSTS: [u64; 4] = [5_000_000, 5_000_000, 5_000_000, 400];
const HEADER: [usize; 5] = [field::ID, field::VERSION, field::CREATED_AT, field::UPDATED_AT, field::RETIRED_AT];
const TEXTS: [usize; 5] = [field::KEY, field::NAME, field::DESCRIPTION, field::TAGS, field::TRANSLATIONS];

/// Somebody's sight of a graph, and the same of the graph that is left when all else is taken away.
struct Case {
    whole: Engine,
    sight: Arc<Sight>,
    bare: Engine,
    sight_of_bare: Arc<Sight>,
    /// Whether texts by which records are found are hidden: then fewer are found than are left.
    hides_texts: bool,
    /// How many records are hidden, and how many values of those that are not.
    hidden: (usize, usize),
}

/// Bytes that look random.
pub(super) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    (0..len.div_ceil(8) as u64)
        .flat_map(|at| xxhash_rust::xxh3::xxh3_64_with_seed(&at.to_le_bytes(), seed).to_le_bytes())
        .take(len)
        .collect()
}

fn origin(at: i64) -> Arc<Origin> {
    Arc::new(Origin { source: format!("source {at}"), run: String::new(), actor: format!("actor {at}"), at })
}

fn case(seed: u64) -> Case {
    let all = bytes(seed, 40_000);
    let choices = &mut Choices(&all);
    let mut graph = Graph::new();
    let mut records = Vec::new();
    for at in 0..EACH * KINDS.len() {
        let kind = KINDS[at % KINDS.len()];
        if choices.below(8) > 0 {
            let record = any_record(choices, kind, at / KINDS.len());
            let tags: Vec<u32> = kind.info().fields().map(|info| info.tag).collect();
            graph.apply_change(&record, &tags, &origin(at as i64)).expect("a record");
            records.push((kind, record.id().expect("an id"), record, at as i64));
        }
    }
    let (mut sight, mut left, mut hidden) = (Sight::everything(), Graph::new(), (0, 0));
    let mut kept: BTreeMap<Kind, BTreeSet<Uuid>> = BTreeMap::new();
    // A field that is hidden, of the records of a kind but for some.
    let mut veils: Vec<(Kind, Vec<usize>, RowSet)> = Vec::new();
    let hides_texts = choices.below(3) == 0;
    for kind in KINDS {
        let table = graph.table(kind);
        let some = |choices: &mut Choices<'_>, of: usize| -> RowSet {
            table.rows().into_iter().filter(|_| choices.below(of) > 0).collect()
        };
        let rows = match choices.below(6) {
            0 => RowSet::default(),
            1 | 2 => some(choices, 2),
            3 => some(choices, 5),
            _ => table.rows().into_iter().collect(),
        };
        match rows.len() {
            0 => sight.see_none(kind),
            len if len == table.len() && choices.below(2) == 0 => {}
            _ => sight.see_only(&graph, kind, Arc::new(rows.clone())),
        }
        kept.insert(kind, rows.iter().map(|row| table.id(row)).collect());
        for _ in 0..choices.below(3) {
            let fields: Vec<usize> = (0..kind.info().field_count())
                .filter(|field| !HEADER.contains(field) && (hides_texts || !TEXTS.contains(field)))
                .filter(|_| choices.below(4) == 0)
                .collect();
            let except = if choices.below(2) == 0 { RowSet::default() } else { some(choices, 2) };
            match except.is_empty() {
                true => sight.hide(kind, fields.iter().copied()),
                false => sight.hide_except(&graph, kind, fields.iter().copied(), Arc::new(except.clone())),
            }
            veils.push((kind, fields, except));
        }
    }
    for (kind, id, mut record, at) in records {
        if !kept[&kind].contains(&id) {
            hidden.0 += 1;
            continue;
        }
        let row = graph.table(kind).row_of(id).expect("it is there");
        let of_row = veils.iter().filter(|(of, _, except)| *of == kind && !except.contains(row));
        let fields: BTreeSet<usize> = of_row.flat_map(|(_, fields, _)| fields.iter().copied()).collect();
        let entity = record.entity_mut().expect("an entity");
        for field in &fields {
            hidden.1 += usize::from(!entity.get(*field).is_null());
            entity.set(*field, Value::Null).expect("no value");
        }
        let seen = kind.info().fields().filter(|info| !fields.contains(&info.index));
        let tags: Vec<u32> = seen.map(|info| info.tag).collect();
        left.apply_change(&record, &tags, &origin(at)).expect("a record");
    }
    // The rows of the graph that is left are others; what is searched goes by the kinds that are not seen whole.
    let mut sight_of_bare = Sight::everything();
    for kind in KINDS.into_iter().filter(|kind| !sight.sees_all(*kind)) {
        if sight.sees_none(kind) {
            sight_of_bare.see_none(kind);
        } else {
            sight_of_bare.see_only(&left, kind, Arc::new(left.table(kind).rows().into_iter().collect()));
        }
    }
    Case {
        whole: engine_over(graph, Limits::default()),
        sight: Arc::new(sight),
        bare: engine_over(left, Limits::default()),
        sight_of_bare: Arc::new(sight_of_bare),
        hides_texts,
        hidden,
    }
}

/// A query as it grows.
#[derive(Default)]
struct Asked {
    variables: serde_json::Map<String, Json>,
    declared: String,
}

impl Asked {
    fn variable(&mut self, ty: &str, value: Json) -> String {
        let name = format!("v{}", self.variables.len());
        let _ = write!(self.declared, "${name}: {ty} ");
        self.variables.insert(name.clone(), value);
        format!("${name}")
    }

    /// The fields of a record, so deep.
    fn record(&mut self, choices: &mut Choices<'_>, kind: Kind, depth: usize) -> String {
        let mut out = "{ id version".to_owned();
        for at in 0..1 + choices.below(5) {
            let info = kind.info().field(choices.below(kind.info().field_count())).expect("a field");
            let _ = match info.ty {
                FieldType::Ref(_) | FieldType::RefList(_) => {
                    write!(out, " p{at}: provenance(field: {}) {{ at source }}", json!(info.relation))
                }
                FieldType::ExternalIds => write!(out, " externalIds {{ system id }}"),
                FieldType::Translations => {
                    write!(out, " translations {{ language name }} n{at}: name(language: \"nl\")")
                }
                _ => write!(out, " {} q{at}: provenance(field: {}) {{ actor }}", info.name, json!(info.name)),
            };
        }
        if choices.below(4) == 0 {
            out.push_str(" provenances { field source }");
        }
        let relations: Vec<_> = kind.relations().into_iter().filter(|relation| KINDS.contains(&relation.to)).collect();
        for at in 0..if depth > 0 && !relations.is_empty() { choices.below(4) } else { 0 } {
            let relation = choices.of(&relations);
            let is_list = relation.many && relation.name != "ancestors";
            let inner = match is_list {
                true => self.list(choices, relation.to, depth - 1),
                false => self.record(choices, relation.to, depth - 1),
            };
            let _ = write!(out, " r{at}: {}{inner}", relation.name);
        }
        out + " }"
    }

    /// The arguments of a list of a kind, and what is asked of it.
    fn list(&mut self, choices: &mut Choices<'_>, kind: Kind, depth: usize) -> String {
        let name = kind.info().name;
        let mut arguments = String::new();
        if choices.below(2) == 0 {
            let filter = any_filter(choices, kind, 2);
            let _ = write!(arguments, "filter: {} ", self.variable(&format!("{name}Filter"), filter));
        }
        let order = any_order(choices, kind);
        if !order.is_empty() {
            let _ = write!(arguments, "orderBy: {} ", self.variable(&format!("[{name}Order!]"), json!(order)));
        }
        match choices.below(3) {
            0 => {}
            1 => arguments.push_str("first: 2 "),
            _ => arguments.push_str("last: 3 "),
        }
        let arguments = if arguments.is_empty() { arguments } else { format!("({arguments})") };
        let node = self.record(choices, kind, depth);
        let mut out =
            format!("{arguments} {{ totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}");
        let _ = match choices.below(2) {
            0 => write!(out, " nodes {node}"),
            _ => write!(out, " edges {{ cursor node {node} }}"),
        };
        let fields: Vec<_> = kind.info().fields().filter(|info| has_facets(info)).collect();
        if choices.below(3) == 0 {
            let by = order_field_name(choices.of(&fields));
            let _ = write!(out, " facets(by: {by}) {{ value count record {{ id ... on Record {{ key }} }} }}");
        }
        out + " }"
    }

    fn some_ids(choices: &mut Choices<'_>, most: usize) -> Vec<String> {
        (0..1 + choices.below(most))
            .map(|_| {
                let kind = choices.of(&KINDS);
                any_id(choices, kind)
            })
            .collect()
    }

    /// A field of the query.
    fn root(&mut self, choices: &mut Choices<'_>, at: usize) -> String {
        let kind = choices.of(&KINDS);
        let (name, singular) = (kind.info().name, kind.info().singular);
        match choices.below(9) {
            0 => {
                let inner = self.record(choices, kind, 1);
                format!("a{at}: node(id: {}) {{ __typename id ... on {name} {inner} }}", json!(any_id(choices, kind)))
            }
            1 => {
                let ids = Self::some_ids(choices, 6);
                let representations: Vec<Json> = ids
                    .iter()
                    .filter_map(|id| Some(json!({"__typename": global_id::decode(id)?.0.info().name, "id": id})))
                    .collect();
                let representations = self.variable("[_Any!]!", json!(representations));
                format!(
                    "a{at}: nodes(ids: {}) {{ id ... on Record {{ key name }} }} b{at}: _entities(representations: {representations}) {{ __typename ... on Record {{ id key }} }}",
                    json!(ids)
                )
            }
            2 => {
                let by = match choices.below(3) {
                    0 => format!("id: {}", json!(any_id(choices, kind))),
                    1 => format!("key: {}", json!(choices.of(&random::TEXTS))),
                    _ => format!(
                        "externalId: {{system: {}, id: {}}}",
                        json!(choices.of(&["hr", "it"])),
                        json!(choices.of(&["1", "2"]))
                    ),
                };
                format!("a{at}: {singular}({by}) {}", self.record(choices, kind, 2))
            }
            3 => {
                let from = Self::some_ids(choices, 3);
                let steps: Vec<_> = relation_step::all()
                    .iter()
                    .filter(|step| KINDS.contains(&step.from) && KINDS.contains(&step.relation.to))
                    .collect();
                let along: Vec<&str> = (0..choices.below(6)).map(|_| choices.of(&steps).name.as_str()).collect();
                let along = if along.is_empty() { String::new() } else { format!("along: [{}] ", along.join(", ")) };
                let to = if choices.below(2) == 0 { String::new() } else { format!("to: [{}] ", kind_value(kind)) };
                let page = choices.of(&["", "first: 3", "last: 2"]);
                format!(
                    "a{at}: reach(from: {} {along}{to}direction: {} depth: {} {page}) {{ totalCount pageInfo {{ hasNextPage endCursor }} edges {{ cursor distance start {{ id }} node {{ id key }} path {{ relation forward record {{ id name }} }} }} }}",
                    json!(from),
                    choices.of(&["OUT", "IN", "BOTH"]),
                    1 + choices.below(4),
                )
            }
            8 => {
                let words = ["alpha", "ete", "straße", "lodz", "alpah", "b", "øre", "strass", "beta"];
                let text: Vec<&str> = (0..1 + choices.below(2)).map(|_| choices.of(&words)).collect();
                let kinds =
                    if choices.below(2) == 0 { String::new() } else { format!(", kinds: [{}]", kind_value(kind)) };
                format!(
                    "a{at}: search(text: {}{kinds}, first: 4) {{ totalCount pageInfo {{ hasNextPage endCursor }} edges {{ score cursor node {{ id }} highlights {{ field parts {{ text isMatch }} }} }} }}",
                    json!(text.join(" "))
                )
            }
            _ => format!("a{at}: {}{}", kind.info().plural, self.list(choices, kind, 2)),
        }
    }
}

/// The answer over a graph as it is seen, or how it failed.
async fn answer(engine: &Engine, sight: &Arc<Sight>, planned: &Planned, cost: u64) -> String {
    let published = engine.live().load().seen_by(sight);
    let indexed = match planned.plan.searches() {
        true => Some(super::super::indexed(engine.search(), &published).await.expect("an index")),
        false => None,
    };
    let bound = match bind::bind(&planned.plan, &planned.variables) {
        Ok(bound) => bound,
        Err(error) => return error.to_json().to_string(),
    };
    let run = QueryRun {
        schema: engine.schema,
        prepared: Arc::clone(&planned.prepared),
        variables: planned.variables.clone(),
        published,
        whole: None,
        plan: Arc::clone(&planned.plan),
        bound,
        indexed,
        policy: engine.policy.load(),
        people: crate::graphql::people::CountedPeople::default(),
        view: None,
    };
    match run.answer(None, cost, None) {
        Ok(written) => format!("{} for {}", String::from_utf8(written.body).expect("text"), cost - written.left),
        Err(halt) => format!("{halt:?}"),
    }
}

/// A random query, ready to be run over any graph, and how much work it may do.
fn question(engine: &Engine, seed: u64) -> (String, Planned, u64) {
    let bytes = bytes(seed, 400);
    let choices = &mut Choices(&bytes);
    let mut asked = Asked::default();
    let roots: Vec<String> = (0..1 + choices.below(2)).map(|at| asked.root(choices, at)).collect();
    let declared = if asked.declared.is_empty() { String::new() } else { format!("({})", asked.declared) };
    let document = format!("query{declared} {{ {} }}", roots.join("\n"));
    let json = json!({"query": document, "variables": asked.variables});
    let request: Request = serde_json::from_value(json.clone()).expect("a request");
    let planned = engine.planned(&request).unwrap_or_else(|errors| panic!("{errors:?} {json}"));
    (json.to_string(), planned, choices.of(&COSTS))
}

#[tokio::test]
async fn what_is_not_seen_shows_in_no_answer() {
    let cases = std::env::var("SPIL_LEAK_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    let (mut asked, mut failed, mut telling, mut searched, mut hidden) = (0, 0, 0, 0, (0, 0));
    let mut questions = Vec::new();
    for seed in 0..cases {
        let case = case(seed);
        hidden = (hidden.0 + case.hidden.0, hidden.1 + case.hidden.1);
        // Queries take longer to make ready than to run, so each is asked of a few graphs.
        if seed % 6 == 0 {
            questions = (0..QUERIES).map(|at| question(&case.whole, seed << 32 | at)).collect();
        }
        for (at, (document, planned, cost)) in questions.iter().enumerate() {
            // An index is costly to make.
            if planned.plan.searches() && (case.hides_texts || seed % 4 != 0) {
                continue;
            }
            let restricted = answer(&case.whole, &case.sight, planned, *cost).await;
            let bare = answer(&case.bare, &case.sight_of_bare, planned, *cost).await;
            assert_eq!(restricted, bare, "case {seed}, query {at}: {document}");
            asked += 1;
            searched += usize::from(planned.plan.searches());
            failed += usize::from(!restricted.starts_with("{\"data\""));
            // Of a graph of which all is seen the answer is another, or there would be nothing to hide.
            let everything = answer(&case.whole, &Arc::new(Sight::everything()), planned, *cost).await;
            telling += usize::from(everything != restricted);
        }
    }
    let cases = usize::try_from(cases).expect("few");
    assert!(hidden.0 > 10 * cases && hidden.1 > 10 * cases, "{hidden:?} records and values are hidden");
    assert!(telling * 4 > asked && failed * 4 < asked && searched > 0, "{telling} {failed} {searched} of {asked}");
}
