use spil_proto::model::v1::OrgFunction;

/// A part of the organisation right below the top.
pub(in super::super) struct Division {
    pub(in super::super) name: &'static str,
    pub(in super::super) function: OrgFunction,
    /// How many of a thousand people work there.
    pub(in super::super) weight: usize,
    /// The names of its departments, in order.
    pub(in super::super) departments: &'static [&'static str],
    /// The areas of capabilities it works on, by number.
    pub(in super::super) areas: &'static [usize],
}

/// The divisions; other lists refer to them by number.
pub(in super::super) const DIVISIONS: &[Division] = &[
    Division {
        name: "Customer Operations",
        function: OrgFunction::Operations,
        weight: 200,
        departments: &[
            "Contact Centre",
            "Billing",
            "Moving and Switching",
            "Collections",
            "Complaints",
            "Back Office",
            "Vulnerable Customers",
        ],
        areas: &[0],
    },
    Division {
        name: "Field Services",
        function: OrgFunction::Operations,
        weight: 260,
        departments: &[
            "Repair and Outages",
            "Electricity Connections",
            "Water Connections",
            "Metering",
            "Maintenance",
            "Work Preparation",
            "Warehouses",
        ],
        areas: &[1],
    },
    Division {
        name: "Networks and Assets",
        function: OrgFunction::Business,
        weight: 150,
        departments: &[
            "Network Planning",
            "Asset Management",
            "Control Rooms",
            "Design and Engineering",
            "Water Treatment",
            "Construction",
            "Network Data",
        ],
        areas: &[2],
    },
    Division {
        name: "Markets and Sales",
        function: OrgFunction::Business,
        weight: 100,
        departments: &[
            "Household Sales",
            "Business Accounts",
            "Trading and Portfolio",
            "Product Development",
            "Marketing",
            "Settlement",
        ],
        areas: &[3],
    },
    Division {
        name: "Technology and Data",
        function: OrgFunction::It,
        weight: 120,
        departments: &[
            "Application Development",
            "Platforms",
            "Data and Analytics",
            "Information Security",
            "Service Desk",
            "Operational Technology",
            "Architecture",
        ],
        areas: &[7, 8],
    },
    Division {
        name: "People and Culture",
        function: OrgFunction::Hr,
        weight: 40,
        departments: &[
            "Business Partners",
            "Learning and Development",
            "Recruitment",
            "Pay and Benefits",
            "Health and Wellbeing",
        ],
        areas: &[4],
    },
    Division {
        name: "Finance and Control",
        function: OrgFunction::Finance,
        weight: 50,
        departments: &["Accounting", "Planning and Control", "Procurement", "Treasury and Tax", "Regulatory Finance"],
        areas: &[5],
    },
    Division {
        name: "Legal and Public Affairs",
        function: OrgFunction::Legal,
        weight: 20,
        departments: &["Legal Counsel", "Permits and Land", "Public Affairs", "Communication"],
        areas: &[6],
    },
    Division {
        name: "Risk, Safety and Compliance",
        function: OrgFunction::Risk,
        weight: 30,
        departments: &[
            "Safety and Environment",
            "Risk Management",
            "Internal Audit",
            "Compliance",
            "Crisis Organisation",
        ],
        areas: &[6],
    },
    Division {
        name: "Works Council",
        function: OrgFunction::WorksCouncil,
        weight: 5,
        departments: &["Central Council", "Local Councils", "Secretariat"],
        areas: &[4],
    },
    Division {
        name: "Facilities and Shared Services",
        function: OrgFunction::Other,
        weight: 25,
        departments: &["Buildings", "Fleet", "Documents and Post", "Catering and Reception"],
        areas: &[5],
    },
];

/// Where units that share a task differ; none of them exists.
pub(in super::super) const PLACES: &[&str] = &[
    "Noordkade",
    "Oosterduin",
    "Zuidhaven",
    "Westermeer",
    "Hoogbrug",
    "Lindeveld",
    "Molenzand",
    "Kromwater",
    "Dijkzicht",
    "Ravenstein Oost",
    "Eikelaar",
    "Stille Vaart",
];

/// The grades of a job, lowest first, and the levels they carry.
pub(in super::super) const LEVELS: &[(&str, &str)] =
    &[("", "L2"), ("Senior ", "L3"), ("Junior ", "L1"), ("Lead ", "L4"), ("Principal ", "L5")];

/// The leadership roles by tier, highest first: name, level, occupation (ISCO-08).
pub(in super::super) const LEADERSHIP: &[(&str, &str, &str)] = &[
    ("Chief Executive", "E3", "1120"),
    ("Division Director", "E2", "1219"),
    ("Department Manager", "M3", "1219"),
    ("Section Manager", "M2", "1219"),
    ("Team Lead", "M1", "3341"),
];

/// A job that comes in several grades.
pub(in super::super) struct Job {
    pub(in super::super) title: &'static str,
    pub(in super::super) family: &'static str,
    pub(in super::super) division: usize,
    /// The unit group of ISCO-08.
    pub(in super::super) isco: &'static str,
    /// The skill groups it draws on, the main one first.
    pub(in super::super) skills: &'static [usize],
}

const fn job(
    title: &'static str,
    family: &'static str,
    division: usize,
    isco: &'static str,
    skills: &'static [usize],
) -> Job {
    Job { title, family, division, isco, skills }
}

/// The jobs of the organisation.
pub(in super::super) const JOBS: &[Job] = &[
    job("Customer Adviser", "Customer service", 0, "4222", &[0, 12]),
    job("Billing Specialist", "Customer service", 0, "4311", &[0, 8]),
    job("Collections Officer", "Customer service", 0, "4214", &[0, 9]),
    job("Complaint Handler", "Customer service", 0, "4225", &[0, 12]),
    job("Contact Planner", "Planning", 0, "4312", &[0, 6]),
    job("Electrical Fitter", "Field work", 1, "7411", &[1, 10]),
    job("Line Technician", "Field work", 1, "7413", &[1, 10]),
    job("Pipe Fitter", "Field work", 1, "7126", &[1, 10]),
    job("Meter Technician", "Field work", 1, "7412", &[1, 0]),
    job("Work Planner", "Planning", 1, "4322", &[1, 2]),
    job("Stock Clerk", "Logistics", 1, "4321", &[1, 12]),
    job("Network Planner", "Engineering", 2, "2151", &[2, 6]),
    job("Asset Manager", "Engineering", 2, "2142", &[2, 8]),
    job("Control Room Operator", "Operations", 2, "3131", &[2, 10]),
    job("Water Treatment Operator", "Operations", 2, "3132", &[2, 10]),
    job("Design Engineer", "Engineering", 2, "2151", &[2, 1]),
    job("Network Data Specialist", "Data", 2, "2165", &[2, 6]),
    job("Sales Representative", "Sales", 3, "3322", &[3, 0]),
    job("Account Manager", "Sales", 3, "2433", &[3, 12]),
    job("Energy Trader", "Trading", 3, "3311", &[3, 6]),
    job("Product Manager", "Product", 3, "2431", &[3, 11]),
    job("Marketing Specialist", "Marketing", 3, "2431", &[3, 12]),
    job("Settlement Analyst", "Trading", 3, "3312", &[3, 8]),
    job("Software Engineer", "Software", 4, "2512", &[4, 5]),
    job("Systems Analyst", "Software", 4, "2511", &[4, 12]),
    job("Platform Engineer", "Infrastructure", 4, "2522", &[5, 4]),
    job("Security Specialist", "Infrastructure", 4, "2529", &[5, 10]),
    job("Data Engineer", "Data", 4, "2521", &[6, 4]),
    job("Data Scientist", "Data", 4, "2120", &[6, 13]),
    job("Service Desk Agent", "Infrastructure", 4, "3512", &[5, 0]),
    job("Enterprise Architect", "Software", 4, "2511", &[4, 11]),
    job("HR Business Partner", "People", 5, "2423", &[7, 11]),
    job("Learning Specialist", "People", 5, "2424", &[7, 13]),
    job("Recruiter", "People", 5, "2423", &[7, 12]),
    job("Pay Administrator", "People", 5, "4313", &[7, 8]),
    job("Accountant", "Finance", 6, "2411", &[8, 12]),
    job("Controller", "Finance", 6, "2411", &[8, 6]),
    job("Buyer", "Procurement", 6, "3323", &[8, 9]),
    job("Accounts Clerk", "Finance", 6, "4311", &[8, 12]),
    job("Legal Counsel", "Legal", 7, "2611", &[9, 12]),
    job("Permit Manager", "Legal", 7, "2422", &[9, 11]),
    job("Public Affairs Adviser", "Communication", 7, "2432", &[9, 12]),
    job("Safety Adviser", "Risk", 8, "2263", &[10, 1]),
    job("Risk Analyst", "Risk", 8, "2413", &[10, 6]),
    job("Internal Auditor", "Risk", 8, "2411", &[10, 8]),
    job("Compliance Officer", "Risk", 8, "2619", &[10, 9]),
    job("Works Council Member", "Representation", 9, "2422", &[7, 9]),
    job("Council Secretary", "Representation", 9, "3343", &[12, 9]),
    job("Facility Coordinator", "Facilities", 10, "5151", &[12, 8]),
    job("Fleet Coordinator", "Facilities", 10, "4323", &[12, 1]),
];
