//! The words that the demo organisation is made of: Havenlicht, an imagined supplier of energy and water. All people,
//! vendors, products and places are made up.

mod capabilities;
mod initiatives;
mod learning;
mod organisation;
mod people;
mod skills;

pub(super) use capabilities::{AREAS, ASPECTS, OBJECTIVES, PROCESS_VERBS, VENDORS};
pub(super) use initiatives::{BENEFITS, BenefitIdea, INITIATIVES, Idea, PROGRAMMES};
pub(super) use learning::{LEARNING, LearningIdea};
pub(super) use organisation::{DIVISIONS, JOBS, Job, LEADERSHIP, LEVELS, PLACES};
pub(super) use people::CULTURES;
pub(super) use skills::{AI_LITERACY, GENERAL, LEADERSHIP_SKILLS, SKILL_GROUPS};

/// The name of the organisation.
pub(super) const ORGANISATION: &str = "Havenlicht Group";
/// Its domain, which nobody can own.
pub(super) const DOMAIN: &str = "havenlicht.example";
