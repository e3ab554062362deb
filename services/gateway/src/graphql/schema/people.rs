//! The types of figures about groups of people.

/// The field of `Query`.
pub(super) const QUERY: &str = "  \"Counts people who hold a position by group, for those who do not see the people. Figures are of one state a day, the same for everybody and however often they are asked; what fewer people than `smallestGroup` could be told from is null. Needs the action `aggregate` on the kind Worker.\"\n  peopleCounts(\n    \"By what: nothing, one dimension, or ORG_UNIT with one of CONTRACTOR, STATUS and TIER.\"\n    by: [PeopleDimension!]! = []\n    \"What is counted.\"\n    of: PeopleMeasure! = HEADCOUNT\n    \"The skill; given with SKILLED and only then.\"\n    skillId: ID\n  ): PeopleCounts!\n";

/// The types.
pub(super) const TYPES: &str = r#""By what people are grouped."
enum PeopleDimension {
  "The unit of the position that takes most of the person's time, with all units below it."
  ORG_UNIT
  "The function that the unit speaks for, or the nearest unit above it that speaks for one."
  FUNCTION
  "The family of the role of that position."
  JOB_FAMILY
  "The role of that position."
  ROLE
  "Whether the person works on a contract other than employment."
  CONTRACTOR
  "Whether the person works here now. Those who have left are not counted."
  STATUS
  "How far from the top of the organisation that position is."
  TIER
}

"What is counted of people."
enum PeopleMeasure {
  "How many there are."
  HEADCOUNT
  "Their full-time equivalents, by the assignments that hold. By ORG_UNIT, FUNCTION, JOB_FAMILY, ROLE or nothing."
  FTE
  "The share of those of whom a skill is asserted at level 3 or above. By ORG_UNIT, FUNCTION or nothing."
  SKILLED
  "The share of those who have taken part in a learning activity. By ORG_UNIT, FUNCTION or nothing."
  LEARNERS
}

"How many people there are, by group."
type PeopleCounts {
  "When the people were counted. What has changed since for fewer people than `smallestGroup` is told later, with what changes for others."
  asOf: DateTime!
  "The fewest people that a figure is about."
  smallestGroup: Int!
  "The groups, those of which nothing is told too."
  groups: [PeopleGroup!]!
}

"What is told of a group of people."
type PeopleGroup {
  "The unit; null where people are not grouped by units."
  orgUnit: OrgUnit
  "The role; null where people are not grouped by roles."
  role: Role
  "The job family; null where people are not grouped by families."
  jobFamily: String
  "The function; null where people are not grouped by functions, and for those of no single one."
  function: OrgFunction
  "Whether they are contractors; null where people are not grouped by that."
  isContractor: Boolean
  "Whether they work here now; null where people are not grouped by that, and for those of whom it is not known."
  status: WorkerStatus
  "The tier; null where people are not grouped by tiers, and for those without one."
  tier: Int
  "How many people the group has; null if that is not told."
  n: Int
  "Their full-time equivalents; null if that is not told or was not asked. In full-time equivalents."
  fte: Float
  "The share of those who have the skill, or have learned; null if that is not told or was not asked. From 0 to 1."
  share: Float
}

"#;
