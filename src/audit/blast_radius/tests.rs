//! The spread against brute force, and the report on a small organisation.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::choke::choke;
use super::spread::Spread;
use super::{BlastRadius, NoRadius};
use crate::audit::sample::{Log, uid};
use crate::audit::town::{self, POLICIES, ask, entities};
use crate::audit::{Assurance, Ground};
use crate::cedar::{Limits, on_large_stack};
use crate::event::{SessionFacts, Verdict};
use crate::model::{Acr, GoOn, Moment, PolicyId, SetKind, Uid};
use crate::pap;
use crate::pdp::{decide_as_of, decide_if};
use crate::projection::World;

fn surveyed(log: &Log, ground: &Ground, who: &Uid, most: Assurance, hops: u32) -> BlastRadius {
    let look = |see: &mut dyn FnMut(&crate::event::Envelope)| {
        log.entries.iter().for_each(see);
        Ok::<_, NoRadius>(())
    };
    let survey = || BlastRadius::survey(ground, (who, most), hops, Moment::EPOCH, look);
    on_large_stack(survey).unwrap().unwrap()
}

/// Goal: whoever has alice's password gets to the crown jewel in three hops, and the report
/// names the way.
#[test]
fn a_crown_jewel_is_reached_by_the_shortest_way() {
    let mut log = town::log(POLICIES, &entities());
    let (alice, shop) = (uid("User", "alice"), uid("Service", "shop"));
    log.ask(&ask(&alice, "connect", &shop));
    let report = surveyed(&log, &town::ground(&log), &alice, Assurance::Password, 3);
    assert_eq!((report.within.as_slice(), report.estate), ([1, 2, 3].as_slice(), 3));
    let [jewel] = report.jewels.as_slice() else { panic!("{:?}", report.jewels) };
    assert_eq!((&jewel.uid, jewel.hop), (&uid("Service", "orders-db"), 3));
    let way: Vec<_> =
        jewel.path.iter().map(|step| (step.hop, step.from.id(), step.to.id())).collect();
    let expected =
        [(1, "alice", "shop"), (2, "storefront", "orders-api"), (3, "orders", "orders-db")];
    assert_eq!(way, expected);
    assert_eq!(report.steps[0].used.count, 1);
    assert_eq!(report.steps[0].onward, Some(uid("Workload", "storefront")));
    let choke = report.choke.unwrap();
    assert_eq!((choke.policy.as_str(), choke.left, choke.jewels_cut), ("road-people-web", 0, 1));
}

/// Goal: nobody is told that no permit cuts more where some were not weighed.
#[test]
fn how_many_permits_were_not_weighed_is_said() {
    let log = town::log(POLICIES, &entities());
    let (alice, ground) = (uid("User", "alice"), town::ground(&log));
    let Some(Ok(compiled)) = ground.world.set(SetKind::Application).compiled() else { panic!() };
    let (then, assurance, go_on) = (ground.as_of.time, Assurance::Password, GoOn::default());
    let weighed = |most| {
        let from = (&alice, assurance);
        let spread = Spread::of(&ground.world, &compiled.schema, then, from, 3, &go_on);
        choke(&ground.world, then, &spread, assurance, most, &go_on)
    };
    let (all, none) = on_large_stack(|| (weighed(500), weighed(0))).unwrap();
    assert_eq!((all.0.unwrap().policy.as_str(), all.1), ("road-people-web", 0));
    assert_eq!(none, (None, 3));
}

#[test]
fn fewer_hops_reach_less() {
    let log = town::log(POLICIES, &entities());
    let alice = uid("User", "alice");
    let report = surveyed(&log, &town::ground(&log), &alice, Assurance::Password, 2);
    assert_eq!((report.within, report.jewels.len()), (vec![1, 2], 0));
    assert_eq!(report.jewels_there_are, 1);
}

/// Goal: the report shows what a second factor is worth.
#[test]
fn a_stolen_password_alone_reaches_nothing_that_takes_two_factors() {
    let log = town::log(POLICIES, &entities());
    let (ground, dave) = (town::ground(&log), uid("User", "dave"));
    let password = surveyed(&log, &ground, &dave, Assurance::Password, 3);
    assert_eq!((password.reached(), password.choke), (0, None));
    let both = surveyed(&log, &ground, &dave, Assurance::Mfa, 3);
    assert_eq!(both.reached(), 3);
    let need = both.steps[0].need.as_ref().unwrap().to_string();
    assert_eq!(need, "two factors, shown within the last 15 minutes");
}

#[test]
fn a_workload_has_no_session_whatever_is_said() {
    let log = town::log(POLICIES, &entities());
    let ground = town::ground(&log);
    let orders = uid("Workload", "orders");
    let report = surveyed(&log, &ground, &orders, Assurance::Hardware, 1);
    assert!(!report.taken.is_person);
    assert_eq!(report.steps.iter().map(|it| it.to.id()).collect::<Vec<_>>(), ["orders-db"]);
}

#[test]
fn a_draft_is_told_by_what_it_puts_out_of_reach() {
    let log = town::log(POLICIES, &entities());
    let draft =
        POLICIES.replace("principal in Segment::\"api\", ", "principal == Workload::\"x\", ");
    let ground = town::ground(&log);
    let ground = on_large_stack(|| ground.supposing(&town::draft(None, &draft))).unwrap().unwrap();
    let report = surveyed(&log, &ground, &uid("User", "alice"), Assurance::Password, 3);
    let found = report.difference.unwrap();
    assert_eq!((found.reached, found.jewels, found.gained.len()), (3, 1, 0));
    assert_eq!(found.lost, [uid("Service", "orders-db")]);
    assert_eq!(report.jewels.len(), 0);
}

/// Goal: what was not decided is not called out of reach.
#[test]
fn a_report_that_leaves_something_out_says_so_and_why() {
    let mut policies = POLICIES.to_owned();
    for n in 0..20 {
        let _ = writeln!(
            policies,
            "@id(\"posture-{n}\") permit (principal in Role::\"operator\", \
             action == Action::\"connect\", resource) when {{ principal has posture && \
             principal.posture == \"v{n}\" && principal in Role::\"nobody\" }};"
        );
    }
    let mut all = entities();
    all.push(town::entity("Role", "nobody", &[], &json!({})));
    let log = town::log(&policies, &all);
    let ground = town::ground(&log);
    let report = surveyed(&log, &ground, &uid("User", "dave"), Assurance::Password, 1);
    assert_eq!((report.reached(), report.complete, report.choke), (0, false, None));
    let [why] = report.left_out.as_slice() else { panic!("{:?}", report.left_out) };
    assert!(why.starts_with("whether 6 things can be done is not known: an application"), "{why}");

    // Whatever else is said of alice, no permit is about her and the rest.
    let whole = surveyed(&log, &ground, &uid("User", "alice"), Assurance::Password, 1);
    assert_eq!((whole.reached(), whole.complete, whole.left_out.len()), (1, true, 0));
    let log = town::log(POLICIES, &entities());
    let whole = surveyed(&log, &town::ground(&log), &uid("User", "dave"), Assurance::Password, 1);
    assert!(whole.complete && whole.left_out.is_empty());
}

/// Goal: one who can do much does not take longer than everybody together may.
#[test]
fn decisions_are_bounded_within_what_one_can_do() {
    let log = town::log(POLICIES, &entities());
    let (world, then) = (&log.world, town::ground(&log).as_of.time);
    let orders = uid("Workload", "orders");
    let Some(Ok(compiled)) = world.application.compiled() else { panic!("nothing in force") };
    let of = |most| {
        let from = ((&orders, Assurance::None), 3);
        let (schema, always) = (&compiled.schema, GoOn::ALWAYS);
        on_large_stack(|| Spread::within(most, world, schema, then, from, &always)).unwrap()
    };
    let (two, all) = (of(2), of(1_000));
    assert_eq!((two.decisions, two.cut_short, two.is_whole()), (2, true, false));
    assert!(two.left_out()[0].starts_with("after 2 decisions there was more to decide"));
    assert!(all.is_whole() && all.decisions > 2);
}

#[test]
fn a_spread_stops_when_nobody_waits_for_it() {
    let log = town::log(POLICIES, &entities());
    let ground = town::ground(&log).heeding(GoOn::while_so(|| false));
    let look = |_: &mut dyn FnMut(&crate::event::Envelope)| Ok::<_, NoRadius>(());
    let (alice, then) = (uid("User", "alice"), Moment::EPOCH);
    let survey = || BlastRadius::survey(&ground, (&alice, Assurance::Password), 3, then, look);
    assert_eq!(on_large_stack(survey).unwrap().unwrap_err(), NoRadius::Stopped);
}

#[test]
fn nobody_and_no_hops_are_refused() {
    let log = town::log(POLICIES, &entities());
    let ground = town::ground(&log);
    let asked = |who: &Uid, hops| {
        let look = |_: &mut dyn FnMut(&crate::event::Envelope)| Ok::<_, NoRadius>(());
        let from = (who, Assurance::None);
        on_large_stack(|| BlastRadius::survey(&ground, from, hops, Moment::EPOCH, look)).unwrap()
    };
    let nobody = uid("User", "nobody");
    assert_eq!(asked(&nobody, 3).unwrap_err(), NoRadius::Unknown(nobody));
    let service = uid("Service", "shop");
    let never = NoRadius::NeverActs(service.kind().clone());
    assert_eq!(asked(&service, 3).unwrap_err(), never, "it is no comfort that it reaches nothing");
    assert_eq!(asked(&uid("User", "alice"), 0).unwrap_err(), NoRadius::Hops);
    assert_eq!(asked(&uid("User", "alice"), 11).unwrap_err(), NoRadius::Hops);
}

/// Roads and walls between four segments, and what runs where.
#[derive(Clone, Debug)]
struct Drawn {
    policies: String,
    entities: Vec<Value>,
}

const SEGMENTS: [&str; 4] = ["s0", "s1", "s2", "s3"];

fn drawn() -> impl Strategy<Value = Drawn> {
    let road = (0_usize..5, 0_usize..4, any::<bool>(), any::<bool>());
    let service = (0_usize..4, 0_usize..4, any::<bool>());
    let roads = prop::collection::vec(road, 1..7);
    let walls = prop::collection::vec((0_usize..4, 0_usize..4), 0..3);
    let services = prop::collection::vec(service, 1..8);
    (roads, walls, services).prop_map(|(roads, walls, services)| {
        let mut policies = String::new();
        for (n, (from, to, factors, fresh)) in roads.into_iter().enumerate() {
            let who = SEGMENTS.get(from).map_or("principal is User".to_owned(), |segment| {
                format!("principal in Segment::\"{segment}\"")
            });
            let when = match (from, factors, fresh) {
                (4, true, true) => "when { context has session && context.session.aal >= 2 }",
                (4, true, false) => "when { !(context has session) }",
                _ => "",
            };
            let to = SEGMENTS[to];
            let _ = writeln!(
                policies,
                "@id(\"road-{n}\") permit ({who}, action == Action::\"connect\", \
                 resource in Segment::\"{to}\") {when};"
            );
        }
        for (n, (around, but)) in walls.into_iter().enumerate() {
            let (around, but) = (SEGMENTS[around], SEGMENTS[but]);
            let _ = writeln!(
                policies,
                "@id(\"wall-{n}\") forbid (principal, action, resource in Segment::\"{around}\") \
                 unless {{ principal in Segment::\"{but}\" || principal is User }};"
            );
        }
        let none = json!({});
        let mut entities = vec![town::entity("User", "u", &[], &none)];
        for (n, segment) in SEGMENTS.iter().enumerate() {
            entities.push(town::entity("Segment", segment, &[], &none));
            entities.push(town::entity("Workload", &n.to_string(), &[("Segment", segment)], &none));
        }
        for (n, (at, on, jewel)) in services.into_iter().enumerate() {
            entities.push(town::service(&n.to_string(), SEGMENTS[at], &on.to_string(), jewel));
        }
        Drawn { policies, entities }
    })
}

/// What is reached, layer by layer, by asking for everything each time.
fn by_brute_force(world: &World, then: Moment, most: Assurance, hops: u32) -> BTreeSet<Uid> {
    let services: Vec<_> = world
        .directory
        .iter()
        .map(|node| &node.document)
        .filter(|document| document.uid.kind().as_str() == "Service")
        .collect();
    let allowed = |from: &Uid, to: &Uid, first: bool| {
        let ask = ask(from, "connect", to);
        let without = decide_as_of(world, &ask, then).decided.decision == Verdict::Allow;
        let levels = if most == Assurance::Mfa { vec![Acr::Aal1, Acr::Aal2] } else { Vec::new() };
        let with = levels.into_iter().any(|acr| {
            let facts = SessionFacts {
                id: uuid::Uuid::nil(),
                aal: acr.aal().get(),
                methods: acr.methods().0,
                authenticated_at: then,
                source: "countersign".to_owned(),
            };
            decide_if(world, &ask, then, &facts).decided.decision == Verdict::Allow
        });
        without || first && with
    };
    let (mut actors, mut reached) = (BTreeSet::from([uid("User", "u")]), BTreeSet::new());
    for hop in 0..hops {
        let mut next = actors.clone();
        for actor in &actors {
            for service in &services {
                if allowed(actor, &service.uid, hop == 0 || actor.kind().as_str() == "User") {
                    reached.insert(service.uid.clone());
                    let on = &service.attrs["runs_on"]["id"];
                    next.insert(uid("Workload", on.as_str().unwrap()));
                }
            }
        }
        actors = next;
    }
    reached
}

/// The World with a policy fewer.
fn without(world: &World, policies: &str, id: &PolicyId) -> World {
    let kept: String = policies
        .lines()
        .filter(|line| !line.contains(&format!("@id(\"{id}\")")))
        .map(|line| format!("{line}\n"))
        .collect();
    let draft = town::draft(None, &kept);
    world.supposing(pap::supposed(world, &draft, &Limits::default()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Law: what the report says is reached is what asking for everything reaches; and no
    /// permit, really left out, cuts more than the one it names.
    #[test]
    fn the_report_is_brute_force(drawn in drawn(), hops in 1_u32..4, two in any::<bool>()) {
        let most = if two { Assurance::Mfa } else { Assurance::None };
        let log = town::log(&drawn.policies, &drawn.entities);
        let (ground, user) = (town::ground(&log), uid("User", "u"));
        let report = surveyed(&log, &ground, &user, most, hops);
        let then = ground.as_of.time;
        on_large_stack(|| {
            let expected = by_brute_force(&ground.world, then, most, hops);
            let found: BTreeSet<_> = report.steps.iter().map(|step| step.to.clone()).collect();
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(report.reached(), expected.len() as u64);
            let sources = ground.world.application.sources();
            let left = sources.map(|source| {
                let world = without(&ground.world, &drawn.policies, &source.id);
                by_brute_force(&world, then, most, hops).len() as u64
            });
            let least = left.min().unwrap_or(0);
            let named = report.choke.as_ref().map_or(report.reached(), |choke| choke.left);
            prop_assert_eq!(named, least.min(report.reached()));
            Ok(())
        }).unwrap()?;
    }
}
