//! The report on segments, over a small organisation.

use serde_json::json;

use super::compare::Difference;
use super::matrix::Tally;
use super::{Bounds, Cell, CellVerdict, Matrix, NoMatrix, Place, Segments};
use crate::audit::sample::{Log, uid};
use crate::audit::town::{self, POLICIES, ask, entities};
use crate::audit::{Ground, Since};
use crate::cedar::on_large_stack;
use crate::model::{EntityType, GoOn, PolicyId};

/// The report on a log's last World, with all that the log holds.
fn surveyed(log: &Log, ground: &Ground) -> Segments {
    surveyed_within(log, ground, Bounds::default())
}

fn surveyed_within(log: &Log, ground: &Ground, bounds: Bounds) -> Segments {
    let since = "1d".parse::<Since>().unwrap().moment(ground.as_of.time);
    let look = |see: &mut dyn FnMut(&crate::event::Envelope)| {
        log.entries.iter().for_each(see);
        Ok::<_, Unlikely>(())
    };
    on_large_stack(|| Segments::survey(ground, since, bounds, look)).unwrap().unwrap()
}

/// What a look at entries that are at hand says.
#[derive(Debug)]
struct Unlikely;

impl From<NoMatrix> for Unlikely {
    fn from(_: NoMatrix) -> Self {
        Self
    }
}

fn segment(id: &str) -> Place {
    Place::Segment(uid("Segment", id))
}

fn outside(kind: &str) -> Place {
    Place::Outside(EntityType::new(kind).unwrap())
}

#[track_caller]
fn cell<'a>(report: &'a Segments, action: &str, from: &Place, to: &Place) -> &'a Cell {
    let is_it =
        |cell: &&Cell| cell.action == uid("Action", action) && cell.from == *from && cell.to == *to;
    report.cells.iter().find(is_it).unwrap()
}

fn policies(cell: &Cell) -> Vec<&str> {
    cell.by.iter().map(|source| source.policy.as_str()).collect()
}

#[test]
fn a_cell_says_what_its_pairs_may_and_by_which_policies() {
    let log = town::log(POLICIES, &entities());
    let report = surveyed(&log, &town::ground(&log));
    let road = cell(&report, "connect", &segment("web"), &segment("api"));
    assert_eq!((road.verdict, road.pairs, road.allowed), (CellVerdict::Allow, 1, 1));
    assert_eq!(policies(road), ["road-web-api"]);
    let people = cell(&report, "connect", &outside("User"), &segment("web"));
    assert_eq!((people.allowed, people.denied), (1, 1), "alice is employed, dave is not");
    let wall = cell(&report, "connect", &segment("web"), &segment("data"));
    assert_eq!(wall.verdict, CellVerdict::Deny);
    assert_eq!(wall.barred_by.iter().map(PolicyId::as_str).collect::<Vec<_>>(), ["wall-data"]);
    let inside = cell(&report, "connect", &segment("web"), &segment("web"));
    assert_eq!((inside.verdict, inside.barred_by.len()), (CellVerdict::Deny, 0));
    assert_eq!(report.tried, report.pairs);
}

#[test]
fn what_takes_two_factors_is_conditional_and_says_how_fresh() {
    let log = town::log(POLICIES, &entities());
    let report = surveyed(&log, &town::ground(&log));
    let found = cell(&report, "administer", &outside("User"), &segment("data"));
    assert_eq!((found.verdict, found.conditional, found.denied), (CellVerdict::Conditional, 1, 1));
    let condition = &found.conditions[0];
    assert_eq!(condition.need.max_age_s, Some(899));
    assert_eq!(condition.says, "two factors, shown within the last 15 minutes");
    assert_eq!(condition.asked_by.iter().map(PolicyId::as_str).collect::<Vec<_>>(), ["fresh-mfa"]);
}

/// Goal: a road that nobody takes, and a door at which somebody knocks, are told by name.
#[test]
fn what_was_used_and_what_was_attempted_stands_in_its_cell() {
    let mut log = town::log(POLICIES, &entities());
    let (storefront, orders) = (uid("Workload", "storefront"), uid("Workload", "orders"));
    let (api, db) = (uid("Service", "orders-api"), uid("Service", "orders-db"));
    for _ in 0..3 {
        log.ask(&ask(&storefront, "connect", &api));
    }
    log.ask(&ask(&storefront, "connect", &db));
    log.ask(&ask(&storefront, "connect", &db));
    log.ask(&ask(&orders, "connect", &uid("Nothing", "known")));
    let report = surveyed(&log, &town::ground(&log));
    assert_eq!(report.window.decisions, 6);
    let used = cell(&report, "connect", &segment("web"), &segment("api"));
    assert_eq!((used.used.count, used.by[0].used.count, used.is_unused()), (3, 3, false));
    let unused = cell(&report, "connect", &segment("api"), &segment("data"));
    assert!(unused.is_unused() && policies(unused) == ["road-api-data"]);
    let tried = cell(&report, "connect", &segment("web"), &segment("data"));
    assert!(tried.is_attempted() && tried.refused.count == 2);
    let first = &tried.attempts[0];
    assert_eq!((&first.from, &first.to, first.refused.count), (&storefront, &db, 2));
    assert_eq!(first.refused.last, log.entries.iter().rev().nth(1).map(|entry| entry.time));
}

#[test]
fn what_no_segment_and_no_wall_covers_is_listed() {
    let log = town::log(POLICIES, &entities());
    let coverage = surveyed(&log, &town::ground(&log)).coverage;
    assert_eq!(coverage.outside, [uid("Workload", "stray")]);
    assert_eq!(coverage.unwalled, [uid("Segment", "api"), uid("Segment", "web")]);
}

#[test]
fn a_draft_is_told_by_what_it_opens_and_what_it_closes() {
    let log = town::log(POLICIES, &entities());
    let draft = POLICIES
        .replace("resource in Segment::\"api\");", "resource in Segment::\"web\");")
        .replace("&& context.session.aal >= 2 ", "");
    let ground = town::ground(&log);
    let ground = on_large_stack(|| ground.supposing(&town::draft(None, &draft))).unwrap().unwrap();
    let report = surveyed(&log, &ground);
    assert!(report.draft);
    let found = report.difference.unwrap();
    assert_eq!((found.gained, found.lost, found.eased, found.tightened), (1, 1, 0, 0));
    let moved: Vec<_> = found
        .cells
        .iter()
        .map(|cell| (cell.from.to_string(), cell.to.to_string(), cell.gained, cell.lost))
        .collect();
    let named = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let (lost, gained) = (named("web", "api"), named("web", "web"));
    assert_eq!(moved, [(lost.0, lost.1, 0, 1), (gained.0, gained.1, 1, 0)]);
    assert_eq!(found.from, "the policies in force, version 1");
}

#[test]
fn an_entity_stands_in_its_innermost_segment() {
    let mut all = entities();
    all.push(town::entity("Segment", "vault", &[("Segment", "data")], &json!({})));
    all.push(town::service("keys", "vault", "orders", true));
    let log = town::log(POLICIES, &all);
    let report = surveyed(&log, &town::ground(&log));
    let vault = cell(&report, "connect", &segment("api"), &segment("vault"));
    assert_eq!((vault.verdict, vault.pairs), (CellVerdict::Allow, 1));
    assert_eq!(cell(&report, "connect", &segment("api"), &segment("data")).pairs, 1);
    assert!(!report.coverage.unwalled.contains(&uid("Segment", "vault")));
}

#[test]
fn too_many_pairs_are_taken_evenly_and_the_report_says_so() {
    let mut all = entities();
    for n in 0..20 {
        all.push(town::entity("Workload", &format!("w{n}"), &[("Segment", "web")], &json!({})));
        all.push(town::service(&format!("s{n}"), "api", "orders", false));
    }
    let log = town::log(POLICIES, &all);
    let ground = town::ground(&log);
    let matrix = |pairs| {
        let bounds = Bounds { pairs };
        on_large_stack(|| Matrix::of(&ground.world, ground.as_of.time, bounds, &GoOn::ALWAYS))
            .unwrap()
            .unwrap()
    };
    let (whole, some) = (matrix(100_000), matrix(100));
    assert_eq!((whole.tried, whole.pairs), (whole.pairs, some.pairs));
    assert!(some.tried < some.pairs && some.tried > 0);
    assert_eq!(whole.cells.keys().collect::<Vec<_>>(), some.cells.keys().collect::<Vec<_>>());
}

/// Goal: nobody takes for closed what was only not looked at, or cannot be known any more.
#[test]
fn what_was_not_decided_is_not_called_denied() {
    let mut all = entities();
    for n in 0..9 {
        all.push(town::service(&format!("s{n}"), "data", "orders", false));
    }
    let log = town::log(POLICIES, &all);
    let ground = town::ground(&log);
    let whole = surveyed(&log, &ground);
    let (from, to) = (segment("web"), segment("data"));
    assert_eq!(cell(&whole, "connect", &from, &to).verdict, CellVerdict::Deny);
    assert_eq!(whole.undecided(), 0);

    let draft = ground.clone();
    let draft = on_large_stack(|| draft.supposing(&town::draft(None, POLICIES))).unwrap().unwrap();
    let some = surveyed_within(&log, &draft, Bounds { pairs: 20 });
    let found = cell(&some, "connect", &from, &to);
    assert_eq!(found.verdict, CellVerdict::Unknown);
    assert!(found.denied > 0 && found.denied < found.pairs && some.undecided() > 0);
    assert_eq!(serde_json::to_value(found).unwrap()["verdict"], "unknown");
    assert!(some.csv().contains(",web,data,unknown,"), "{}", some.csv());
    assert!(some.svg().contains(&format!("? deny {}/{}", found.denied, found.pairs)));
    assert!(some.dot().contains("connect: not known"), "{}", some.dot());
    let open = cell(&some, "connect", &segment("api"), &to);
    assert_eq!(open.verdict, CellVerdict::Allow, "what was found open is open");

    let nobody_knows = Tally { pairs: 2, unknown: 2, ..Tally::default() };
    assert_eq!(CellVerdict::of(&nobody_knows), CellVerdict::Unknown);
}

/// Goal: a pair that was decided on one side alone has not come or gone.
#[test]
fn what_was_not_decided_on_both_sides_is_not_compared() {
    let log = town::log(POLICIES, &entities());
    let ground = town::ground(&log);
    let matrix = |pairs| {
        let bounds = Bounds { pairs };
        on_large_stack(|| Matrix::of(&ground.world, ground.as_of.time, bounds, &GoOn::ALWAYS))
            .unwrap()
            .unwrap()
    };
    let found = Difference::between(&matrix(4), &matrix(100_000), "less");
    assert_eq!((found.gained, found.lost, found.cells.len()), (0, 0, 0));
    assert!(found.undecided > 0);
}

#[test]
fn a_matrix_stops_between_two_pairs_when_nobody_waits_for_it() {
    let log = town::log(POLICIES, &entities());
    let ground = town::ground(&log).heeding(GoOn::while_so(|| false));
    let look = |_: &mut dyn FnMut(&crate::event::Envelope)| Ok::<_, NoMatrix>(());
    let since = ground.as_of.time;
    let survey = || Segments::survey(&ground, since, Bounds::default(), look);
    assert_eq!(on_large_stack(survey).unwrap().unwrap_err(), NoMatrix::Stopped);
}

#[test]
fn a_schema_without_segments_has_no_matrix() {
    let log = Log::founded();
    let ground = town::ground(&log);
    let then = ground.as_of.time;
    let made = on_large_stack(|| Matrix::of(&ground.world, then, Bounds::default(), &GoOn::ALWAYS))
        .unwrap();
    assert_eq!(made.unwrap_err(), NoMatrix::NoSegments);
}

#[test]
fn a_pivot_that_leads_out_of_its_segment_is_named() {
    let mut all = entities();
    all.push(town::service("wiki", "web", "orders", false));
    let log = town::log(POLICIES, &all);
    let bridges = surveyed(&log, &town::ground(&log)).coverage.bridges;
    let told: Vec<_> = bridges
        .iter()
        .map(|it| (it.resource.id(), it.from.to_string(), it.onward.id(), it.to.to_string()))
        .collect();
    let told: Vec<_> = told.iter().map(|(a, b, c, d)| [*a, b.as_str(), *c, d.as_str()]).collect();
    let expected = [["orders-db", "data", "orders", "api"], ["wiki", "web", "orders", "api"]];
    assert_eq!(told, expected);
}

/// Goal: what an application may report is a condition, not a wall.
#[test]
fn what_the_application_may_say_is_a_condition() {
    let healthy = format!(
        "{POLICIES}\n@id(\"healthy\") forbid (principal, action == Action::\"administer\", \
         resource) unless {{ principal has posture && principal.posture == \"healthy\" }};"
    );
    let log = town::log(&healthy, &entities());
    let report = surveyed(&log, &town::ground(&log));
    let found = cell(&report, "administer", &outside("User"), &segment("data"));
    assert_eq!((found.verdict, found.conditional), (CellVerdict::Conditional, 1));
    let condition = &found.conditions[0];
    assert_eq!(condition.need.said, ["subject.posture is \"healthy\""]);
    assert!(condition.says.starts_with("two factors"), "{}", condition.says);
    let asked: Vec<_> = condition.asked_by.iter().map(PolicyId::as_str).collect();
    assert_eq!(asked, ["fresh-mfa", "healthy"]);
}

/// Goal: whoever names an entity cannot put a script into the picture, nor an edge into
/// the graph.
#[test]
fn names_are_text_in_every_form() {
    let name = "x\" -> y; <script>alert(1)</script>\\";
    let mut all = entities();
    all.push(town::entity("Segment", name, &[], &json!({})));
    all.push(town::entity("Workload", "w", &[("Segment", name)], &json!({})));
    all.push(town::service("s", name, "w", false));
    let policies = format!(
        "{POLICIES}\n@id(\"from-x\") permit (principal == Workload::\"w\", \
         action == Action::\"connect\", resource);"
    );
    let log = town::log(&policies, &all);
    let report = surveyed(&log, &town::ground(&log));
    let (svg, dot) = (report.svg(), report.dot());
    assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script"), "{svg}");
    let escaped = "\"x\\\" -> y; <script>alert(1)</script>\\\\\"";
    assert!(dot.contains(&format!("  {escaped} -> \"api\"")), "{dot}");
    let csv = report.csv();
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), report.cells.len());
    assert!(rows.iter().any(|row| &row[1] == name && row.iter().any(|it| it == "from-x")));
}
