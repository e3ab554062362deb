use spil_proto::capability::v1::CapabilityKind;

/// A capability of the first level and all that belongs to it.
pub(in super::super) struct Area {
    pub(in super::super) name: &'static str,
    pub(in super::super) kind: CapabilityKind,
    /// The division that answers for it, by number.
    pub(in super::super) division: usize,
    /// The skill groups it needs, by number.
    pub(in super::super) skills: &'static [usize],
    /// The capabilities of the second level.
    pub(in super::super) parts: &'static [Part],
    /// The sorts of applications that serve it, and whether each is an AI system.
    pub(in super::super) products: &'static [(&'static str, bool)],
}

/// A capability of the second level with those of the third.
pub(in super::super) struct Part {
    pub(in super::super) name: &'static str,
    pub(in super::super) parts: &'static [&'static str],
}

const fn part(name: &'static str, parts: &'static [&'static str]) -> Part {
    Part { name, parts }
}

/// What a capability of the third level is split into, where it is split.
pub(in super::super) const ASPECTS: &[&str] = &["policy and standards", "daily operation", "analysis and improvement"];

/// What one does with a capability, to name a process.
pub(in super::super) const PROCESS_VERBS: &[&str] = &["Carry out", "Plan", "Review", "Prepare", "Follow up on"];

/// Who makes the applications; none of them exists.
pub(in super::super) const VENDORS: &[&str] = &[
    "Brightquay Software",
    "Tallpine Systems",
    "Nordlys Data Works",
    "Cobblestone Cloud",
    "Ferrymead Technologies",
    "Quillfeather",
    "Saltmarsh Analytics",
    "Amberline",
    "Kestrel & Rook",
    "Windmill Yard",
    "Oude Sluis Automatisering",
    "in-house",
];

/// The capabilities; other lists refer to the areas by number.
pub(in super::super) const AREAS: &[Area] = &[
    Area {
        name: "Customer engagement",
        kind: CapabilityKind::Business,
        division: 0,
        skills: &[0, 12],
        parts: &[
            part("Customer contact", &["Telephone service", "Written service", "Self-service", "Outage communication"]),
            part("Billing", &["Consumption calculation", "Invoicing", "Payment handling", "Debt assistance"]),
            part("Customer moves", &["Moving in", "Supplier switching"]),
            part("Complaint resolution", &["Complaint intake", "Dispute settlement", "Root cause removal"]),
            part("Customer insight", &[]),
        ],
        products: &[
            ("Contact Desk", false),
            ("Customer Portal", false),
            ("Call Summariser", true),
            ("Billing Engine", false),
            ("Answer Assistant", true),
            ("Complaint Register", false),
        ],
    },
    Area {
        name: "Field work",
        kind: CapabilityKind::Business,
        division: 1,
        skills: &[1, 10],
        parts: &[
            part("Work preparation", &["Job scheduling", "Route planning", "Material supply"]),
            part("Outage repair", &["Fault location", "Emergency repair", "Restoration"]),
            part("Connections", &["New connections", "Connection upgrades", "Disconnection"]),
            part("Metering", &["Meter exchange", "Meter reading"]),
            part("Site safety", &[]),
        ],
        products: &[
            ("Work Order System", false),
            ("Mobile Job App", false),
            ("Crew Scheduler", true),
            ("Warehouse System", false),
            ("Photo Inspector", true),
            ("Permit-to-Work", false),
        ],
    },
    Area {
        name: "Network and asset management",
        kind: CapabilityKind::Business,
        division: 2,
        skills: &[2, 6],
        parts: &[
            part("Network planning", &["Load forecasting", "Capacity planning", "Investment choice"]),
            part("Asset care", &["Condition monitoring", "Maintenance planning", "Replacement planning"]),
            part("Network operation", &["Voltage control", "Pressure control", "Switching", "Congestion management"]),
            part("Water treatment", &["Abstraction", "Purification", "Quality assurance"]),
            part("Network information", &["Drawing management", "Asset registration"]),
        ],
        products: &[
            ("Asset Register", false),
            ("Control System", false),
            ("Failure Predictor", true),
            ("Network Model", false),
            ("Leak Finder", true),
            ("Laboratory System", false),
        ],
    },
    Area {
        name: "Energy and water markets",
        kind: CapabilityKind::Business,
        division: 3,
        skills: &[3, 6],
        parts: &[
            part("Trading", &["Position management", "Market access", "Risk limits"]),
            part("Portfolio forecasting", &["Demand forecasting", "Generation forecasting"]),
            part("Sales", &["Household sales", "Business sales", "Renewal of contracts"]),
            part("Product management", &["Tariff design", "Flexibility services"]),
            part("Settlement", &[]),
        ],
        products: &[
            ("Trading Platform", false),
            ("Sales System", false),
            ("Demand Forecaster", true),
            ("Tariff Calculator", false),
            ("Churn Predictor", true),
            ("Settlement Engine", false),
        ],
    },
    Area {
        name: "People and organisation",
        kind: CapabilityKind::Business,
        division: 5,
        skills: &[7, 11],
        parts: &[
            part("Workforce planning", &["Role forecasting", "Internal mobility", "Succession"]),
            part("Recruitment", &["Sourcing", "Selection", "Onboarding"]),
            part("Learning", &["Skill assessment", "Learning design", "Learning at work"]),
            part("Pay and benefits", &["Payroll", "Job evaluation"]),
            part("Participation", &["Works council consultation", "Employee listening"]),
        ],
        products: &[
            ("HR Core", false),
            ("Learning Platform", false),
            ("Skill Inference", true),
            ("Payroll", false),
            ("Applicant Screening", true),
            ("Roster System", false),
        ],
    },
    Area {
        name: "Finance and procurement",
        kind: CapabilityKind::Business,
        division: 6,
        skills: &[8, 9],
        parts: &[
            part("Accounting", &["Closing", "Receivables", "Payables"]),
            part("Planning and control", &["Budgeting", "Forecasting", "Benefit tracking"]),
            part("Procurement", &["Sourcing of goods", "Tendering", "Supplier management"]),
            part("Treasury", &[]),
            part("Facilities", &["Fleet", "Buildings"]),
        ],
        products: &[
            ("General Ledger", false),
            ("Planning Model", false),
            ("Invoice Reader", true),
            ("Purchasing System", false),
            ("Contract Archive", false),
            ("Fleet System", false),
        ],
    },
    Area {
        name: "Governance, risk and compliance",
        kind: CapabilityKind::Business,
        division: 8,
        skills: &[10, 9],
        parts: &[
            part("Strategy and portfolio", &["Strategy setting", "Portfolio choice", "Architecture governance"]),
            part("Risk management", &["Risk assessment", "Internal audit", "Business continuity"]),
            part("Compliance", &["Market regulation", "Data protection", "AI governance"]),
            part("Legal affairs", &["Contracts", "Permits and land"]),
            part("Public affairs", &[]),
        ],
        products: &[
            ("Risk Register", false),
            ("Audit System", false),
            ("Contract Reviewer", true),
            ("Permit Archive", false),
            ("Consent Register", false),
            ("Crisis Board", false),
        ],
    },
    Area {
        name: "Information technology",
        kind: CapabilityKind::Technical,
        division: 4,
        skills: &[4, 5],
        parts: &[
            part("Software delivery", &["Requirements", "Development", "Testing", "Release"]),
            part("Platform operation", &["Hosting", "Observability", "Backup and recovery"]),
            part("Integration", &["Interface management", "Event streaming"]),
            part("Security", &["Identity and access", "Threat detection", "Vulnerability handling"]),
            part("User support", &["Service desk", "Workplace"]),
        ],
        products: &[
            ("Service Desk", false),
            ("Code Forge", false),
            ("Coding Assistant", true),
            ("Identity Provider", false),
            ("Log Sentinel", true),
            ("Integration Bus", false),
        ],
    },
    Area {
        name: "Data and artificial intelligence",
        kind: CapabilityKind::Ai,
        division: 4,
        skills: &[6, 13],
        parts: &[
            part("Data management", &["Data quality", "Master data", "Data catalogue"]),
            part("Analytics", &["Reporting", "Exploration"]),
            part("Model development", &["Feature preparation", "Training", "Validation"]),
            part("Model operation", &["Deployment of models", "Drift monitoring", "Human oversight"]),
            part("Language assistance", &["Drafting", "Summarising", "Question answering", "Translation"]),
        ],
        products: &[
            ("Data Platform", false),
            ("Report Builder", false),
            ("Model Registry", false),
            ("Language Gateway", true),
            ("Document Search", true),
            ("Data Catalogue", false),
        ],
    },
];

/// Objectives with their weights and the areas that serve them; the first six are the widest.
pub(in super::super) const OBJECTIVES: &[(&str, f64, &[usize])] = &[
    ("Connect everybody who waits for a connection within six months", 30.0, &[1, 2]),
    ("Keep the bill affordable", 25.0, &[0, 3, 5]),
    ("Halve our own emissions", 15.0, &[2, 3, 5]),
    ("Be the place where technicians want to work", 15.0, &[1, 4]),
    ("Know our networks as they are", 10.0, &[2, 8]),
    ("Use artificial intelligence openly and with care", 5.0, &[6, 8]),
    ("Answer nine of ten questions at first contact", 8.0, &[0]),
    ("Cut outage minutes by a quarter", 12.0, &[1, 2]),
    ("Lose less than five percent of the water", 10.0, &[2]),
    ("Shift a fifth of the peak load", 10.0, &[2, 3]),
    ("Fill eight of ten vacancies from within", 8.0, &[4]),
    ("Give everybody who uses AI the literacy for it", 6.0, &[4, 8]),
    ("Have no serious accident", 20.0, &[1, 6]),
    ("Close the books in three days", 3.0, &[5]),
    ("Retire one application in five", 6.0, &[7]),
    ("Deliver software every week in every team", 5.0, &[7]),
    ("Recover from a cyber attack within a day", 9.0, &[6, 7]),
    ("Trust the data behind each decision", 7.0, &[8]),
    ("Hear every objection before we decide", 4.0, &[4, 6]),
    ("Replace lead pipes everywhere", 9.0, &[1, 2]),
];
