use spil_proto::initiative::v1::ImpactKind;

/// An idea for an initiative.
pub(in super::super) struct Idea {
    pub(in super::super) title: &'static str,
    pub(in super::super) uses_ai: bool,
    /// The area of capabilities it changes, by number.
    pub(in super::super) area: usize,
    /// What it mostly does to the roles it touches.
    pub(in super::super) impact: ImpactKind,
}

const fn idea(title: &'static str, uses_ai: bool, area: usize, impact: ImpactKind) -> Idea {
    Idea { title, uses_ai, area, impact }
}

/// What projects and experiments are about.
pub(in super::super) const INITIATIVES: &[Idea] = &[
    idea("Assisted call summaries", true, 0, ImpactKind::Augmented),
    idea("Leak prediction from pressure data", true, 2, ImpactKind::Augmented),
    idea("Invoice reading without keying", true, 5, ImpactKind::Automated),
    idea("Skill profiles from work done", true, 4, ImpactKind::Redesigned),
    idea("Crew scheduling by optimiser", true, 1, ImpactKind::Redesigned),
    idea("One work order from plan to repair", false, 1, ImpactKind::Redesigned),
    idea("Customer portal renewal", false, 0, ImpactKind::Unchanged),
    idea("Failure forecasting for transformers", true, 2, ImpactKind::Augmented),
    idea("Contract review assistant", true, 6, ImpactKind::Augmented),
    idea("Coding assistant for all teams", true, 7, ImpactKind::Augmented),
    idea("Flexible tariffs for heat pumps", false, 3, ImpactKind::Created),
    idea("Zero-trust access", false, 7, ImpactKind::Redesigned),
    idea("Data catalogue for everybody", false, 8, ImpactKind::Created),
    idea("Answers drafted for written service", true, 0, ImpactKind::Automated),
    idea("Photo inspection of joints", true, 1, ImpactKind::Augmented),
    idea("Demand forecast per street", true, 3, ImpactKind::Automated),
    idea("Learning at the workbench", false, 4, ImpactKind::Redesigned),
    idea("Ledger consolidation", false, 5, ImpactKind::Retired),
    idea("AI register and conformity file", true, 6, ImpactKind::Created),
    idea("Congestion market pilot", false, 2, ImpactKind::Created),
    idea("Meter exchange wave", false, 1, ImpactKind::Unchanged),
    idea("Self-service moving", false, 0, ImpactKind::Automated),
    idea("Translation for field crews", true, 8, ImpactKind::Augmented),
    idea("Legacy billing switch-off", false, 0, ImpactKind::Retired),
    idea("Applicant screening trial", true, 4, ImpactKind::Unknown),
    idea("Event streaming backbone", false, 7, ImpactKind::Redesigned),
    idea("Digital permit to work", false, 1, ImpactKind::Redesigned),
    idea("Question answering over procedures", true, 8, ImpactKind::Augmented),
    idea("Churn prevention by offer", true, 3, ImpactKind::Augmented),
    idea("Supplier risk screening", true, 5, ImpactKind::Augmented),
    idea("Central crisis room", false, 6, ImpactKind::Redesigned),
    idea("Master data for assets", false, 8, ImpactKind::Redesigned),
    idea("Internal talent market", true, 4, ImpactKind::Redesigned),
    idea("Threat hunting with anomaly models", true, 7, ImpactKind::Augmented),
    idea("Lead pipe replacement", false, 2, ImpactKind::Unchanged),
    idea("Forecasting of water quality", true, 2, ImpactKind::Augmented),
];

/// What programmes are about.
pub(in super::super) const PROGRAMMES: &[(&str, usize)] = &[
    ("Contact of Tomorrow", 0),
    ("Networks Ready", 2),
    ("Craft and Data", 1),
    ("People First in AI", 4),
    ("Lean Ledger", 5),
    ("Open Markets", 3),
    ("Safe by Design", 6),
    ("Cloud Harbour", 7),
    ("Trusted Data", 8),
];

/// An idea for a benefit.
pub(in super::super) struct BenefitIdea {
    pub(in super::super) name: &'static str,
    pub(in super::super) unit: &'static str,
    /// The least and the greatest baseline.
    pub(in super::super) baseline: (f64, f64),
    /// The target, as a part of the baseline; below 1 where less is better.
    pub(in super::super) target: f64,
    /// What a thousandth of the change is worth in a year, in euros; 0 where it has no value in money.
    pub(in super::super) value: i64,
    pub(in super::super) method: &'static str,
    pub(in super::super) is_disbenefit: bool,
}

const fn benefit(
    name: &'static str,
    unit: &'static str,
    baseline: (f64, f64),
    target: f64,
    value: i64,
    method: &'static str,
) -> BenefitIdea {
    BenefitIdea { name, unit, baseline, target, value, method, is_disbenefit: false }
}

const fn loss(
    name: &'static str,
    unit: &'static str,
    baseline: (f64, f64),
    target: f64,
    value: i64,
    method: &'static str,
) -> BenefitIdea {
    BenefitIdea { name, unit, baseline, target, value, method, is_disbenefit: true }
}

/// What initiatives are to bring.
pub(in super::super) const BENEFITS: &[BenefitIdea] = &[
    benefit("Shorter handling time", "minutes per call", (6.0, 14.0), 0.75, 900, "telephone system, weekly mean"),
    benefit("More questions solved at first contact", "percent", (55.0, 75.0), 1.2, 600, "sample of 400 cases a month"),
    benefit("Fewer outage minutes", "minutes per customer and year", (18.0, 45.0), 0.75, 2500, "control room log"),
    benefit("Less water lost", "percent of supply", (5.0, 16.0), 0.7, 1800, "district meters"),
    benefit("Faster connections", "days", (90.0, 260.0), 0.6, 1200, "work order system"),
    benefit("Fewer manual bookings", "bookings per month", (800.0, 9000.0), 0.4, 300, "ledger export"),
    benefit("Fewer accidents", "per million hours", (2.0, 7.0), 0.6, 0, "safety register"),
    benefit("Higher AI literacy", "percent of users of AI", (15.0, 45.0), 1.9, 0, "skill assertions by test"),
    benefit("More vacancies filled from within", "percent", (25.0, 50.0), 1.5, 250, "HR records"),
    benefit("Better forecast", "percent mean error", (4.0, 12.0), 0.65, 1500, "comparison with metered load"),
    benefit("Lower run cost of applications", "thousand euros per year", (200.0, 4000.0), 0.7, 1000, "invoices"),
    benefit("More trust of employees in the change", "percent favourable", (40.0, 65.0), 1.25, 0, "pulse survey"),
    loss("More supervision of models", "hours per month", (10.0, 60.0), 2.0, 40, "time sheets"),
    loss("Productivity dip at the start", "percent of output", (1.0, 3.0), 3.0, 120, "team leads' estimate"),
];
