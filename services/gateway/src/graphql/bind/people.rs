//! Reads the arguments of figures about groups of people.

use apollo_compiler::response::JsonValue;
use spil_proto::model::Kind;

use super::{Arguments, Fault};
use crate::{
    aggregate::{Dimension, MeasureOf, NoQuestion, Question},
    graphql::global_id,
};

impl Arguments<'_> {
    /// A question of the closed list; no other is asked.
    pub(super) fn people(&self) -> Result<Question, Fault> {
        let by = match self.values.get("by") {
            Some(JsonValue::Array(items)) => items.as_slice(),
            // A single value stands for a list of one.
            Some(JsonValue::Null) | None => &[],
            Some(item) => std::slice::from_ref(item),
        };
        let by: Vec<Dimension> = by.iter().filter_map(|name| dimension(name.as_str()?)).collect();
        let skill = self.text("skillId");
        let of = match (self.text("of").unwrap_or("HEADCOUNT"), skill) {
            ("SKILLED", Some(id)) => match global_id::decode(id) {
                Some((Kind::Skill, id)) => MeasureOf::Skilled(id),
                _ => return Err(Fault::new("this is no id of a skill").within("skillId")),
            },
            ("SKILLED", None) => return Err(Fault::new("SKILLED needs the id of a skill").within("skillId")),
            (_, Some(_)) => return Err(Fault::new("a skill is given with SKILLED only").within("skillId")),
            ("FTE", None) => MeasureOf::Fte,
            ("LEARNERS", None) => MeasureOf::Learners,
            _ => MeasureOf::Headcount,
        };
        Question::new(by, of).map_err(|error| {
            Fault::new(error.to_string()).within(match error {
                NoQuestion::By => "by",
                NoQuestion::Of => "of",
            })
        })
    }
}

fn dimension(name: &str) -> Option<Dimension> {
    Some(match name {
        "ORG_UNIT" => Dimension::OrgUnit,
        "FUNCTION" => Dimension::Function,
        "JOB_FAMILY" => Dimension::JobFamily,
        "ROLE" => Dimension::Role,
        "CONTRACTOR" => Dimension::Contractor,
        "STATUS" => Dimension::Status,
        "TIER" => Dimension::Tier,
        _ => return None,
    })
}
