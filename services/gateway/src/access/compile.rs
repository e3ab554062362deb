//! Makes a sight of what a policy allows.

use std::{collections::HashMap, sync::Arc};

use spil_access::{Action, FieldSet, Right, Scope, Viewer};
use spil_graph::{Graph, RowSet, Sight};
use spil_proto::model::Kind;

use super::own::Own;

/// Some scopes.
type Scopes = u8;

fn bit(scope: Scope) -> Scopes {
    1 << scope as u8
}

/// The scopes in which rights allow a field.
fn scopes_of(rights: &[Right], field: usize) -> Scopes {
    rights.iter().filter(|right| right.fields.contains(field)).fold(0, |scopes, right| scopes | bit(right.scope))
}

/// What a viewer sees of a graph.
pub(super) fn sight(viewer: &Viewer, own: &Own, graph: &Graph) -> Sight {
    let mut sight = Sight::everything();
    for kind in Kind::ALL.iter().copied() {
        see(viewer, own, graph, kind, &mut sight);
    }
    sight
}

fn see(viewer: &Viewer, own: &Own, graph: &Graph, kind: Kind, sight: &mut Sight) {
    let read = viewer.rights(Action::Read, kind);
    let identify = viewer.rights(Action::Identify, kind);
    let rows = read.iter().fold(0, |scopes, right| scopes | bit(right.scope));
    if rows == 0 {
        sight.see_none(kind);
        return;
    }
    if rows & bit(Scope::All) == 0 {
        sight.see_only(graph, kind, Arc::new(union(own, kind, rows)));
    }
    // Who writes what is said of a person is mostly that person, or somebody close: it would tell who is meant.
    let is_about_somebody = kind.info().person || kind.info().subject.is_some();
    if is_about_somebody && !viewer.may(Action::Audit, kind) {
        sight.hide_actors(kind);
    }
    // Fields that are seen in the same scopes share their rows.
    let identifying = FieldSet::identifying(kind);
    let mut hidden: HashMap<(Scopes, Option<Scopes>), Vec<usize>> = HashMap::new();
    for field in kind.info().fields() {
        let seen = scopes_of(read, field.index);
        let named = identifying.contains(field.index).then(|| scopes_of(identify, field.index));
        let is_open =
            (seen == rows || seen & bit(Scope::All) != 0) && named.is_none_or(|named| named & bit(Scope::All) != 0);
        if !is_open {
            hidden.entry((seen, named)).or_default().push(field.index);
        }
    }
    for ((seen, named), fields) in hidden {
        let is_everywhere = |scopes: Scopes| scopes & bit(Scope::All) != 0;
        if seen == 0 || named == Some(0) {
            sight.hide(kind, fields);
            continue;
        }
        let named = named.filter(|named| !is_everywhere(*named));
        let rows = match (is_everywhere(seen), named) {
            (true, None) => continue,
            (true, Some(named)) => union(own, kind, named),
            (false, None) => union(own, kind, seen),
            (false, Some(named)) => {
                let named = union(own, kind, named);
                union(own, kind, seen).iter().filter(|row| named.contains(*row)).collect()
            }
        };
        sight.hide_except(graph, kind, fields, Arc::new(rows));
    }
}

/// The rows of a kind that are in any of some scopes.
fn union(own: &Own, kind: Kind, scopes: Scopes) -> RowSet {
    let mut rows = RowSet::default();
    for scope in Scope::ALL.into_iter().filter(|scope| scopes & bit(*scope) != 0) {
        rows.extend(own.rows(scope, kind).into_iter().flat_map(RowSet::iter));
    }
    rows
}
