use spil_proto::workforce::v1::LearningMode;

/// Something by which people learn.
pub(in super::super) struct LearningIdea {
    pub(in super::super) title: &'static str,
    pub(in super::super) mode: LearningMode,
    pub(in super::super) minutes: i32,
    /// The group of skills that it teaches, by number.
    pub(in super::super) group: usize,
    /// The area of capabilities where it is done, by number.
    pub(in super::super) area: usize,
}

const fn idea(title: &'static str, mode: LearningMode, minutes: i32, group: usize, area: usize) -> LearningIdea {
    LearningIdea { title, mode, minutes, group, area }
}

/// By what people learn.
pub(in super::super) const LEARNING: &[LearningIdea] = &[
    idea("AI at work: first steps", LearningMode::Formal, 240, super::AI_LITERACY, 4),
    idea("Checking what a model says", LearningMode::Embedded, 30, super::AI_LITERACY, 0),
    idea("Prompt clinic", LearningMode::Social, 60, super::AI_LITERACY, 8),
    idea("Leading through change", LearningMode::Formal, 960, super::LEADERSHIP_SKILLS, 4),
    idea("Peer coaching for team leads", LearningMode::Social, 90, super::LEADERSHIP_SKILLS, 4),
    idea("Duties under the AI Act", LearningMode::Formal, 180, super::AI_LITERACY, 6),
    idea("Safe switching, step by step", LearningMode::Embedded, 45, 1, 1),
    idea("Reading pressure and flow", LearningMode::Formal, 480, 2, 2),
    idea("A day beside a colleague", LearningMode::Social, 420, super::GENERAL, 0),
    idea("Writing for customers", LearningMode::Formal, 240, super::GENERAL, 0),
    idea("Conversations that calm down", LearningMode::Embedded, 20, 0, 0),
    idea("Community of data stewards", LearningMode::Social, 60, 6, 8),
    idea("Forecasting with open data", LearningMode::Formal, 960, 3, 3),
    idea("Closing the books faster", LearningMode::Embedded, 30, 8, 5),
    idea("Cloud basics", LearningMode::Formal, 720, 5, 7),
    idea("Hints within the work order", LearningMode::Embedded, 15, 1, 1),
];
