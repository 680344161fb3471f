//! What the solver says against what trying everything says, in a world small enough to
//! try everything in. Cedar's own authorizer is the oracle.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId as CedarId, PolicySet,
    Request, Schema,
};
use serde_json::json;

use super::*;
use crate::cedar::{CompiledPolicies, CompiledSchema, Effect, Limits, read_policies};
use crate::model::SetKind;

const SCHEMA: &str = r#"
entity G;
entity Colour enum ["red", "green"];
entity U in [G] = { a: Bool, n: Long };
entity R = { colour: Colour, open: Bool };
action act appliesTo { principal: [U], resource: [R], context: { m: Bool, o?: Bool } };
"#;

/// Each is true, false or in error of everything that [`world`] holds one of.
const ATOMS: [&str; 8] = [
    "principal.a",
    "context.m",
    "(context has o && context.o)",
    "context has o",
    "principal in G::\"g\"",
    "resource.colour == Colour::\"red\"",
    "resource.open",
    "principal.n + 9223372036854775807 > 0",
];
const SCOPES: [&str; 4] =
    ["principal", "principal", "principal == U::\"u\"", "principal in G::\"g\""];

/// A stream of numbers that is the same for the same seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, many: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % many).unwrap()
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64)]
    }

    fn condition(&mut self) -> String {
        let mut text = String::new();
        for at in 0..=self.below(3) {
            let join = if at == 0 { "" } else { self.one_of(&[" && ", " && ", " || "]) };
            let not = self.one_of(&["", "", "!"]);
            let atom = self.one_of(&ATOMS);
            write!(text, "{join}{not}({atom})").unwrap();
        }
        text
    }

    /// A policy without its id.
    fn policy(&mut self) -> String {
        let effect = self.one_of(&["permit", "permit", "forbid"]);
        let scope = self.one_of(&SCOPES);
        let condition = self.condition();
        format!("{effect} ({scope}, action, resource) when {{ {condition} }};")
    }

    fn set(&mut self) -> Vec<String> {
        (0..=self.below(4)).map(|_| self.policy()).collect()
    }

    /// The same set with one policy more, less or changed; or all as it was.
    fn changed(&mut self, set: &[String]) -> Vec<String> {
        let mut set = set.to_vec();
        let at = self.below(set.len() as u64);
        match self.below(5) {
            0 => set.push(self.policy()),
            1 => drop(set.remove(at)),
            2 => set[at] = set[at].replacen(" when {", " when { context.m &&", 1),
            3 => set[at] = self.policy(),
            _ => set.push(set[at].clone()),
        }
        set
    }
}

/// A set under its ids, `p0` first.
fn named(set: &[String]) -> String {
    set.iter().enumerate().map(|(at, text)| format!("@id(\"p{at}\") {text}\n")).collect()
}

/// All requests that the atoms can tell apart, with their entities.
fn world(schema: &Schema) -> Vec<(Request, Entities)> {
    let action: EntityUid = "Action::\"act\"".parse().unwrap();
    let resource: EntityUid = "R::\"r\"".parse().unwrap();
    let flags = [false, true];
    let mut all = Vec::new();
    for (id, a, is_in) in each(["u", "v"], flags, flags) {
        for (colour, open, m) in each(["red", "green"], flags, flags) {
            for (o, n) in [None, Some(false), Some(true)]
                .into_iter()
                .flat_map(|o| [i64::MIN, 0, 1].map(|n| (o, n)))
            {
                let mut context = json!({"m": m});
                if let Some(o) = o {
                    context["o"] = json!(o);
                }
                let parents = if is_in { json!([{"type": "G", "id": "g"}]) } else { json!([]) };
                let entities = json!([
                    {"uid": {"type": "G", "id": "g"}, "attrs": {}, "parents": []},
                    {"uid": {"type": "U", "id": id}, "attrs": {"a": a, "n": n}, "parents": parents},
                    {"uid": {"type": "R", "id": "r"}, "parents": [], "attrs": {
                        "open": open, "colour": {"__entity": {"type": "Colour", "id": colour}}}},
                ]);
                let context = Context::from_json_value(context, Some((schema, &action))).unwrap();
                let principal =
                    EntityUid::from_type_name_and_id("U".parse().unwrap(), id.parse().unwrap());
                let request = Request::new(
                    principal,
                    action.clone(),
                    resource.clone(),
                    context,
                    Some(schema),
                );
                let entities = Entities::from_json_value(entities, Some(schema)).unwrap();
                all.push((request.unwrap(), entities));
            }
        }
    }
    all
}

fn each<A: Copy, B: Copy, C: Copy>(a: [A; 2], b: [B; 2], c: [C; 2]) -> Vec<(A, B, C)> {
    let pairs = a.into_iter().flat_map(|a| b.map(|b| (a, b)));
    pairs.flat_map(|(a, b)| c.map(|c| (a, b, c))).collect()
}

/// A set as Cedar itself has it.
fn in_cedar(set: &[String]) -> PolicySet {
    let policy = |(at, text): (usize, &String)| {
        Policy::parse(Some(CedarId::new(format!("p{at}"))), text).unwrap()
    };
    PolicySet::from_policies(set.iter().enumerate().map(policy)).unwrap()
}

/// What each policy says of a request by itself.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    Yes,
    No,
    Error,
}

/// All that trying everything tells of a set.
struct Tried {
    effects: Vec<Effect>,
    /// For each request, what each policy says.
    says: Vec<Vec<Says>>,
    /// For each request, what is decided.
    allowed: Vec<bool>,
    deny_errors: bool,
}

impl Tried {
    fn of(set: &[String], world: &[(Request, Entities)], deny_errors: bool) -> Self {
        let effect = |text: &String| {
            if text.starts_with("permit") { Effect::Permit } else { Effect::Forbid }
        };
        let effects: Vec<_> = set.iter().map(effect).collect();
        let whole = in_cedar(set);
        let alone: Vec<_> = set.iter().map(|text| in_cedar(std::slice::from_ref(text))).collect();
        let (mut says, mut allowed) = (Vec::new(), Vec::new());
        for (request, entities) in world {
            let ask = |set: &PolicySet| Authorizer::new().is_authorized(request, set, entities);
            let said: Vec<_> = alone
                .iter()
                .map(|set| {
                    let answer = ask(set);
                    match answer.diagnostics() {
                        it if it.errors().count() > 0 => Says::Error,
                        it if it.reason().count() > 0 => Says::Yes,
                        _ => Says::No,
                    }
                })
                .collect();
            let failed =
                said.iter().zip(&effects).any(|pair| pair == (&Says::Error, &Effect::Forbid));
            let decided = ask(&whole).decision() == Decision::Allow;
            allowed.push(decided && !(failed && deny_errors));
            says.push(said);
        }
        Self { effects, says, allowed, deny_errors }
    }

    /// True if a forbid denies the request.
    fn forbidden(&self, said: &[Says]) -> bool {
        said.iter().zip(&self.effects).any(|(said, effect)| {
            let counts = *said == Says::Yes || (*said == Says::Error && self.deny_errors);
            *effect == Effect::Forbid && counts
        })
    }

    /// What there is to find of each policy, and by which others.
    fn findings(&self) -> Vec<(String, String, Vec<String>)> {
        let mut found = Vec::new();
        for (at, effect) in self.effects.iter().enumerate() {
            let applying: Vec<_> = self.says.iter().filter(|said| said[at] == Says::Yes).collect();
            let id = format!("p{at}");
            // The others of a kind, all of which of these requests are theirs, too.
            let covering = |kind: Effect, requests: &[&Vec<Says>]| {
                let covers = |other: usize| requests.iter().all(|said| said[other] == Says::Yes);
                let others = 0..self.effects.len();
                let of_kind = others.filter(|other| *other != at && self.effects[*other] == kind);
                of_kind.filter(|other| covers(*other)).map(|other| format!("p{other}")).collect()
            };
            let others = |said: &[Says], kind: Effect| {
                let mut each = said.iter().zip(&self.effects).enumerate();
                each.any(|(other, (said, of))| other != at && *of == kind && *said == Says::Yes)
            };
            let free: Vec<_> =
                applying.iter().copied().filter(|said| !self.forbidden(said)).collect();
            let finding: Option<(&str, Vec<String>)> = if applying.is_empty() {
                Some(("never_applies", Vec::new()))
            } else if *effect == Effect::Forbid {
                let shadowed = applying.iter().all(|said| others(said, Effect::Forbid));
                shadowed.then(|| ("shadowed", covering(Effect::Forbid, &applying)))
            } else if free.is_empty() {
                Some(("overridden", covering(Effect::Forbid, &applying)))
            } else {
                let redundant = free.iter().all(|said| others(said, Effect::Permit));
                redundant.then(|| ("redundant", covering(Effect::Permit, &free)))
            };
            found.extend(finding.map(|(kind, by)| (id.clone(), kind.to_owned(), by)));
            if self.says.iter().any(|said| said[at] == Says::Error) {
                found.push((id, "may_err".to_owned(), Vec::new()));
            }
        }
        found
    }
}

fn told(report: &Report) -> Vec<(String, String, Vec<String>)> {
    let of = |finding: &Finding| {
        let kind = serde_json::to_value(finding.kind).unwrap();
        let by = finding.by.iter().map(ToString::to_string).collect();
        (finding.policy.to_string(), kind.as_str().unwrap().to_owned(), by)
    };
    report.findings.iter().map(of).collect()
}

fn compiled(set: &[String], schema: &CompiledSchema) -> CompiledPolicies {
    let limits = Limits::default();
    let sources = read_policies("p.cedar", &named(set), &limits).unwrap();
    CompiledPolicies::compile(&sources, schema, SetKind::Application, &limits).unwrap()
}

fn schema() -> CompiledSchema {
    CompiledSchema::compile(SCHEMA, SetKind::Application, &Limits::default()).unwrap()
}

/// The solver, or a word that this test is skipped.
fn solver() -> Option<Solver> {
    Solver::find().map_err(|why| println!("SKIPPED: {why}")).ok()
}

#[test]
fn the_solver_says_what_trying_everything_says() {
    let Some(solver) = solver() else { return };
    let (schema, cedar) = (schema(), Schema::from_cedarschema_str(SCHEMA).unwrap().0);
    let (world, mut dice) = (world(&cedar), Dice(0x5eed_c0de));
    let mut verdicts: BTreeMap<String, usize> = BTreeMap::new();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..32 {
        let old = dice.set();
        let new = dice.changed(&old);
        let deny_errors = round % 2 == 0;
        let [tried_new, tried_old] = [&new, &old].map(|set| Tried::of(set, &world, deny_errors));
        let both = || tried_new.allowed.iter().zip(&tried_old.allowed);
        let expected = match (
            both().any(|it| it == (&true, &false)),
            both().any(|it| it == (&false, &true)),
        ) {
            (false, false) => Verdict::Equivalent,
            (false, true) => Verdict::Stricter,
            (true, false) => Verdict::MorePermissive,
            (true, true) => Verdict::Incomparable,
        };
        let always = match (tried_new.allowed.contains(&true), tried_new.allowed.contains(&false)) {
            (true, false) => Some(Always::Allowed),
            (false, true) => Some(Always::Denied),
            _ => None,
        };
        let analysis = Analysis {
            new: &compiled(&new, &schema),
            old: Some(&compiled(&old, &schema)),
            forbid_errors_deny: deny_errors,
            bounds: Bounds::default(),
        };
        let report = analyse(&solver, &analysis, &mut |_, _| {}).unwrap();
        let shown = format!("round {round}\nold\n{}new\n{}{report:#?}", named(&old), named(&new));
        assert!(report.undecided.is_empty(), "{shown}");
        assert_eq!(report.verdict, Some(expected), "{shown}");
        assert_eq!(report.environments[0].always, always, "{shown}");
        assert_eq!(told(&report), tried_new.findings(), "{shown}");
        assert!(report.examples().all(|example| example.confirmed), "{shown}");
        *verdicts.entry(format!("{expected:?}")).or_default() += 1;
        told(&report).into_iter().for_each(|(_, kind, _)| *kinds.entry(kind).or_default() += 1);
    }
    println!("{verdicts:?} {kinds:?}");
    assert_eq!((verdicts.len(), kinds.len()), (4, 5), "the dice show too little");
}

/// The report on a set by itself.
fn alone(policies: &CompiledPolicies, bounds: Bounds) -> Option<Report> {
    let analysis = Analysis { new: policies, old: None, forbid_errors_deny: true, bounds };
    Some(analyse(&solver()?, &analysis, &mut |_, _| {}).unwrap())
}

/// Goal: what ships is an example to follow: nothing in it is dead, doubled or may err.
#[test]
fn every_policy_that_ships_is_needed_and_none_may_err() {
    let limits = Limits::default();
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    for (folder, schema, kind) in [
        ("policies/cloud", "schemas/cloud.cedarschema", SetKind::Application),
        ("policies/system", "schemas/system.cedarschema", SetKind::System),
    ] {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|it| it == "cedar"));
        let texts: Vec<_> = files.map(|path| read(path.to_str().unwrap())).collect();
        let sources = texts.iter().flat_map(|text| read_policies("p", text, &limits).unwrap());
        let schema = CompiledSchema::compile(&read(schema), kind, &limits).unwrap();
        let sources: Vec<_> = sources.collect();
        let policies = CompiledPolicies::compile(&sources, &schema, kind, &limits).unwrap();
        let Some(report) = alone(&policies, Bounds::default()) else { return };
        assert_eq!(told(&report), [], "{folder}: {report:#?}");
        assert!(!report.has_findings(), "{folder}: {report:#?}");
        assert!(report.environments.len() > 5 && report.questions > 20, "{folder}: {report:#?}");
    }
}

/// Goal: what could not be looked at is never taken for harmless.
#[test]
fn beyond_its_bounds_an_analysis_says_what_it_left_out() {
    let set = ["permit (principal, action, resource) when { principal.a };".to_owned()];
    let twice = [set.clone(), set].concat();
    let policies = compiled(&twice, &schema());
    let of = |bounds| alone(&policies, bounds);
    let Some(whole) = of(Bounds::default()) else { return };
    assert_eq!(told(&whole).len(), 2);
    let none = of(Bounds { environments: 0, ..Bounds::default() }).unwrap();
    assert_eq!((none.left_out, none.environments.len(), none.findings.len()), (1, 0, 0));
    let few = of(Bounds { policies: 1, ..Bounds::default() }).unwrap();
    assert!(few.findings.is_empty() && few.undecided.len() == 1, "{few:#?}");
    assert!(few.undecided[0].why.contains("at most 1 are looked at"), "{few:#?}");
    let no_time = of(Bounds { whole: std::time::Duration::ZERO, ..Bounds::default() }).unwrap();
    assert!(no_time.findings.is_empty() && !no_time.undecided.is_empty(), "{no_time:#?}");
    assert!([none, few, no_time].iter().all(Report::has_findings));
}
