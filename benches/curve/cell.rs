//! One cell of the curve: so many policies, so many entities.

use std::hint::black_box;
use std::time::{Duration, Instant};

use countersign::cedar::{Evaluation, Question};
use countersign::event::{Presented, Verdict};
use countersign::model::{AccessRequest, Moment, Uid};
use countersign::pdp::{self, Ask};
use countersign::projection::{Compiled, DirectoryView, World};
use serde_json::{Value, json};

use crate::ground::compiled;
use crate::samples::{Samples, timed};
use crate::scope::Scopes;
use crate::workload::{Asked, Organisation, Rule};

/// How many requests are drawn for a cell.
const DRAWN: usize = 2_000;
/// How many are compared with Cedar's own authorizer at least, while one takes up to
/// [`SLOW`]; of slower ones, so many.
const COMPARED: usize = 200;
const COMPARED_SLOW: usize = 24;
const SLOW: Duration = Duration::from_millis(50);

/// A World, the rules that its policies hold, and what admitting them took.
pub struct Ruled {
    pub world: World,
    pub rules: Vec<Rule>,
    pub admission: Duration,
}

/// What was seen of a cell.
pub struct Cell {
    pub policies: usize,
    pub entities: usize,
    /// What admitting the set of policies took.
    pub admission: Duration,
    /// Policies in scope of a request, on average.
    pub in_scope: f64,
    /// Requests answered both ways, each time the same.
    pub compared: usize,
    /// How many of a hundred requests were allowed.
    pub allowed: usize,
    pub decide: Samples,
    /// The same requests under the fewest policies, in alternating rounds.
    pub beside: Samples,
    pub evaluate: Samples,
    /// Cedar's own authorizer.
    pub each: Samples,
}

/// How long each kind of call is measured.
#[derive(Clone, Copy)]
pub struct Effort {
    pub time: Duration,
    pub drawn: usize,
}

impl Effort {
    pub const FULL: Self = Self { time: Duration::from_millis(400), drawn: DRAWN };
    pub const TRIED: Self = Self { time: Duration::from_millis(5), drawn: COMPARED };
}

/// A request as the PDP is asked it and as the policies are.
struct Drawn {
    ask: Ask,
    question: Question,
}

/// Checks a World's answers, then times them, beside the same directory under the fewest
/// policies.
///
/// # Panics
/// If ours differ from Cedar's, or if what is drawn would show too little: no allow, no
/// deny, no forbid that decides.
pub fn measured(ruled: &Ruled, beside: &World, organisation: &Organisation, how: Effort) -> Cell {
    let Ruled { world, rules, admission } = ruled;
    let asked = organisation.requests(rules, how.drawn);
    let compiled = compiled(world);
    let drawn: Vec<_> = asked.iter().map(|one| Drawn::of(one, organisation, compiled)).collect();
    let scopes = Scopes::of(organisation.workload, rules);
    let counts = asked.iter().take(COMPARED).map(|one| scopes.count(one, &world.directory));
    let in_scope = counts.sum::<usize>() as f64 / COMPARED as f64;
    let (allowed, by_forbid) = decided_alike(world, compiled, &drawn);
    assert!(allowed > 0 && allowed < drawn.len(), "{allowed} allowed of {}", drawn.len());
    assert!(by_forbid > 0, "no forbid has decided");
    let each = compared(world, compiled, &drawn);
    let view = view(world, compiled);
    let [decide, beside] = alternating(how, &drawn, &[world, beside], |world, one| {
        pdp::decide(world, &one.ask, Moment::EPOCH)
    });
    let [evaluate] = alternating(how, &drawn, &[&view], |view, one| {
        compiled.policies.evaluate(&one.question, *view)
    });
    Cell {
        policies: compiled.policies.len(),
        entities: world.directory.len(),
        admission: *admission,
        in_scope,
        compared: each.len(),
        allowed: allowed * 100 / drawn.len(),
        decide,
        beside,
        evaluate,
        each,
    }
}

impl Drawn {
    fn of(asked: &Asked, organisation: &Organisation, compiled: &Compiled) -> Self {
        let [principal, resource] = asked.names(organisation.workload);
        let named = |uid: &Uid| json!({"type": uid.kind().as_str(), "id": uid.id()});
        let context = json!({"mfa": asked.mfa, "office": asked.office});
        let body = json!({
            "subject": named(&principal),
            "action": {"name": asked.action},
            "resource": named(&resource),
            "context": context,
        });
        let action = Uid::parse("Action", asked.action).unwrap();
        let Value::Object(said) = &context else { unreachable!() };
        let shaped = compiled.schema.shape_context(&action, said);
        assert!(shaped.missing.is_empty() && shaped.pruned.is_empty());
        let ask =
            Ask::access(AccessRequest::from_json(&body).unwrap(), Presented::Nothing, "bench");
        Self { ask, question: Question { principal, action, resource, context: shaped.value } }
    }
}

fn view<'a>(world: &'a World, compiled: &'a Compiled) -> DirectoryView<'a> {
    DirectoryView { directory: &world.directory, schema: &compiled.schema }
}

/// How many are allowed, and how many a forbid denies; the whole decision must be that
/// of the policies.
fn decided_alike(world: &World, compiled: &Compiled, drawn: &[Drawn]) -> (usize, usize) {
    let view = view(world, compiled);
    let (mut allowed, mut by_forbid) = (0, 0);
    for one in drawn {
        let decided = pdp::decide(world, &one.ask, Moment::EPOCH);
        let evaluated = compiled.policies.evaluate(&one.question, &view);
        assert_eq!(decided.decision == Verdict::Allow, evaluated.allowed, "{decided:?}");
        assert_eq!((&decided.note, decided.omitted), (&None, 0), "{decided:?}");
        assert_eq!(decided.determining, evaluated.determining, "{decided:?}");
        assert_eq!(evaluated.errors, [], "{decided:?}");
        allowed += usize::from(evaluated.allowed);
        by_forbid += usize::from(!evaluated.allowed && !evaluated.determining.is_empty());
    }
    (allowed, by_forbid)
}

/// The times of Cedar's own authorizer, whose every answer must be ours.
fn compared(world: &World, compiled: &Compiled, drawn: &[Drawn]) -> Samples {
    let view = view(world, compiled);
    let (mut times, mut different) = (Vec::new(), Vec::new());
    let mut fastest = Duration::MAX;
    for one in drawn {
        let question = &one.question;
        let (theirs, time): (Evaluation, _) =
            timed(|| compiled.policies.evaluate_each(black_box(question), &view));
        let ours = compiled.policies.evaluate(question, &view);
        if ours != theirs {
            different.push((question.clone(), ours, theirs));
        }
        times.push(time);
        fastest = fastest.min(time);
        let enough = if fastest > SLOW { COMPARED_SLOW } else { COMPARED };
        if times.len() >= enough {
            break;
        }
    }
    let count = different.len();
    assert_eq!(count, 0, "{count} of {} differ, the first {:?}", times.len(), different.first());
    Samples::of(times)
}

/// All requests to each of some sides, round after round, each call timed by itself.
fn alternating<S, T, const SIDES: usize>(
    how: Effort,
    drawn: &[Drawn],
    sides: &[S; SIDES],
    call: impl Fn(&S, &Drawn) -> T,
) -> [Samples; SIDES] {
    let begun = Instant::now();
    let mut times = sides.each_ref().map(|_| Vec::new());
    while begun.elapsed() < how.time {
        for (side, times) in sides.iter().zip(&mut times) {
            for one in drawn {
                let begun = Instant::now();
                let given = call(side, black_box(one));
                times.push(begun.elapsed());
                drop(black_box(given));
            }
        }
    }
    times.map(Samples::of)
}
