//! What the people and workloads of the example organisation are used to do, and how
//! often. What is wrong with their grants shows in what they do not do.

use super::calendar::{DAYS, Hours};

/// What somebody has shown of who they are when they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Nothing: a workload, which has no session.
    Nothing,
    /// A password.
    Password,
    /// A password and a code.
    TwoFactors,
    /// A code within the last minutes, on a device known to be healthy.
    FreshFactors,
}

/// Something that is done again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habit {
    /// `User` or `Workload`.
    pub(super) kind: &'static str,
    /// By one of these.
    pub(super) who: &'static [&'static str],
    /// One of these actions.
    pub(super) actions: &'static [&'static str],
    /// The type of what it is done to.
    pub(super) on: &'static str,
    /// To one of these.
    pub(super) what: &'static [&'static str],
    pub(super) shown: Shown,
    pub(super) hours: Hours,
    /// From which day to before which.
    pub(super) days: (u64, u64),
    /// How often, of all that is done.
    pub(super) weight: u64,
}

/// All habits.
pub(super) fn all() -> impl Iterator<Item = &'static Habit> {
    WORKLOADS.iter().chain(PEOPLE)
}

/// The day that zoe begins to work here.
pub(super) const ZOE_COMES: u64 = 33;
/// The day that quinn moves to support.
pub(super) const QUINN_MOVES: u64 = 47;
/// The day that mallory leaves.
pub(super) const MALLORY_LEAVES: u64 = 61;

const QUARTER: (u64, u64) = (0, DAYS);

const fn traffic(
    who: &'static [&'static str],
    what: &'static [&'static str],
    weight: u64,
) -> Habit {
    Habit {
        kind: "Workload",
        who,
        actions: &["connect"],
        on: "Service",
        what,
        shown: Shown::Nothing,
        hours: Hours::Always,
        days: QUARTER,
        weight,
    }
}

/// The team wiki runs on `toolbox`, which never calls anybody: a grant nobody would miss.
const WORKLOADS: &[Habit] = &[
    traffic(&["storefront", "checkout"], &["orders-api"], 150),
    traffic(&["storefront", "recommendations"], &["stock-api"], 110),
    traffic(&["checkout", "help-centre"], &["customers-api"], 80),
    traffic(&["checkout"], &["settlement-api", "mail-relay"], 60),
    traffic(&["orders"], &["orders-db"], 130),
    traffic(&["stock"], &["stock-db"], 70),
    traffic(&["customers"], &["customers-db"], 50),
    traffic(&["settlement"], &["general-ledger", "invoices"], 30),
    traffic(&["bastion"], &["orders-api", "stock-api", "customers-db", "shop"], 4),
    Habit {
        hours: Hours::Night,
        ..traffic(
            &["backup-runner"],
            &["orders-db", "stock-db", "customers-db", "general-ledger", "payroll"],
            16,
        )
    },
    // Denied: a quarantined workload, and a road that ends at a wall.
    traffic(&["orders-canary"], &["orders-db"], 12),
    traffic(&["recommendations"], &["stock-db"], 26),
];

const STAFF: &[&str] = &[
    "alice", "bob", "carol", "dave", "frank", "heidi", "ivan", "grace", "judy", "kim", "leo",
    "omar", "nina", "pat", "quinn", "rosa", "sam", "tara", "uma", "victor", "wendy", "yara", "mia",
    "chris", "anna", "ben", "lena",
];
const PAPERS: &[&str] = &["handbook", "roadmap", "press-release", "price-list"];

const fn person(
    who: &'static [&'static str],
    actions: &'static [&'static str],
    (on, what): (&'static str, &'static [&'static str]),
    shown: Shown,
    weight: u64,
) -> Habit {
    let (kind, hours, days) = ("User", Hours::Office, QUARTER);
    Habit { kind, who, actions, on, what, shown, hours, days, weight }
}

const PEOPLE: &[Habit] = &[
    person(STAFF, &["connect"], ("Service", &["shop", "team-wiki", "help"]), Shown::Password, 80),
    person(STAFF, &["view"], ("Document", PAPERS), Shown::Password, 90),
    person(
        &["bob", "heidi", "ivan"],
        &["edit"],
        ("Document", &["handbook", "roadmap", "price-list"]),
        Shown::Password,
        22,
    ),
    // Of all who work in support, two handle contracts, and they only read them.
    person(
        &["omar", "pat"],
        &["view"],
        ("Document", &["contract-acme", "contract-globex", "contract-initech"]),
        Shown::TwoFactors,
        16,
    ),
    person(
        &["grace", "judy", "kim", "leo"],
        &["view", "edit"],
        ("Document", &["budget", "quarterly-report"]),
        Shown::TwoFactors,
        20,
    ),
    person(&["alice"], &["view", "edit"], ("Document", &["salaries"]), Shown::TwoFactors, 5),
    person(&["carol"], &["delete"], ("Document", &["roadmap"]), Shown::TwoFactors, 2),
    person(
        &["dave", "frank"],
        &["administer"],
        ("Service", &["orders-api", "orders-db", "stock-db", "mail-relay"]),
        Shown::FreshFactors,
        10,
    ),
    person(STAFF, &["open"], ("ProtectedResource", &["protected-resource"]), Shown::TwoFactors, 12),
    // Denied: a device known to be compromised, a wall, and documents of others.
    person(&["erin"], &["administer"], ("Service", &["orders-api"]), Shown::FreshFactors, 2),
    person(&["ben"], &["connect"], ("Service", &["customers-db"]), Shown::Password, 2),
    person(&["lena"], &["view"], ("Document", &["contract-acme"]), Shown::Password, 2),
    Habit {
        days: (ZOE_COMES + 1, DAYS),
        ..person(&["zoe"], &["view"], ("Document", PAPERS), Shown::Password, 3)
    },
    // Whoever has left still tries, and is denied from then on.
    person(&["mallory"], &["view"], ("Document", PAPERS), Shown::Password, 3),
];
