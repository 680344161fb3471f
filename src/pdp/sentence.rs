//! An explanation in words, for somebody who reads no policies.

use super::explain::{PolicyExplained, Role};
use crate::cedar::{ClauseWeighed, Effect, Outcome, Part, Piece, Seen, Truth};
use crate::event::{AccessDecided, Note, SessionFacts, SessionUsed, StepUp, Verdict};
use crate::model::{Acr, Methods, Moment, SetKind, Uid};

/// How many conditions one sentence names, and how many policies a list of them.
const CONDITIONS_MAX: usize = 3;
const NAMES_MAX: usize = 3;

/// What there is to be said.
pub(super) struct Words<'a> {
    pub(super) decided: &'a AccessDecided,
    pub(super) policies: &'a [PolicyExplained],
    /// What kept the question from being asked of policies.
    pub(super) obstacle: Option<&'a str>,
    /// The subject and the resource, as far as the directory does not hold them.
    pub(super) strangers: &'a [&'a Uid],
    /// Whether something personal that counts cannot be seen any more.
    pub(super) unseen: bool,
}

impl<'a> Words<'a> {
    /// Why, in one sentence.
    pub(super) fn sentence(&self) -> String {
        if let Some(note) = self.decided.note {
            return self.note(note);
        }
        let first = self.of(Role::Determined).next();
        match (self.decided.decision, first) {
            (Verdict::Allow, Some(policy)) => {
                format!("Allowed{}.", self.with_others(&purpose(policy)))
            }
            (Verdict::Allow, None) => "Allowed.".to_owned(),
            (Verdict::Deny, Some(policy)) => {
                let why = facts(&reasons(policy));
                format!("Denied{}{}.", purpose(policy), behind("; ", &why))
            }
            (Verdict::Deny, None) => format!("Denied: {}.", self.by_default()),
        }
    }

    /// What else there is to know.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.unseen {
            remarks.push(
                "Something personal that may have counted has been erased or is sealed, so nobody \
                 can say for certain that this is why."
                    .to_owned(),
            );
        }
        if self.decided.decision == Verdict::Deny && self.decided.set == SetKind::Application {
            let unknown = |uid: &&Uid| format!("The directory holds no {uid}.");
            remarks.extend(self.strangers.iter().map(unknown));
        }
        remarks.extend(self.also_denied());
        remarks.extend(self.erred());
        remarks.extend(self.otherwise());
        remarks.extend(self.session());
        remarks.extend(self.decided.step_up.as_ref().and_then(login));
        remarks.extend(self.left_out());
        remarks.extend(self.staged());
        remarks
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &'a PolicyExplained> {
        self.policies.iter().filter(move |policy| policy.role == role)
    }

    fn with_others(&self, purpose: &str) -> String {
        match self.decided.determining.len().saturating_sub(1) {
            0 => purpose.to_owned(),
            1 => format!("{purpose}, and one more policy allows it"),
            more => format!("{purpose}, and {more} more policies allow it"),
        }
    }

    fn note(&self, note: Note) -> String {
        let obstacle = self.obstacle;
        let known = |what: &str| obstacle.map_or_else(|| what.to_owned(), str::to_owned);
        match note {
            Note::NoPolicies => "Denied: no policies are in force that could allow anything; \
                                 without them everything is denied."
                .to_owned(),
            Note::UnknownType => {
                let what = known("the subject or the resource is of no type that can be one");
                format!("Denied: {what}, so no policy was asked.")
            }
            Note::UnknownAction => {
                let what = known("the name of the action is none");
                format!("Denied: {what}, so no policy was asked.")
            }
            Note::DoesNotApply => {
                let what = known("the action is not for such a subject or resource");
                format!("Denied: {what}, so no policy was asked.")
            }
            Note::ContextIncomplete => {
                let what = obstacle.map_or_else(String::new, |paths| format!(": `{paths}`"));
                format!(
                    "Denied: the request's context lacks what the schema requires for this \
                     action{what}; no policy was asked."
                )
            }
            Note::ForbidErred => self.forbid_erred(),
            Note::Reserved => "Denied: the request names something in `Countersign::`, which is \
                               for Countersign's own administration."
                .to_owned(),
            Note::KeyMissing => "Denied: the key of a personal value that may have decided is \
                                 missing in the vault; restore it, or erase its subject."
                .to_owned(),
        }
    }

    fn forbid_erred(&self) -> String {
        let forbid = self.of(Role::Erred).find(|it| it.weighed.effect == Effect::Forbid);
        let which = forbid.map_or_else(|| "a policy".to_owned(), told);
        let why = forbid.map_or("", message);
        format!(
            "Denied: {which} forbids under some conditions, and whether they held could not be \
             found out{}; by the settings that denies.",
            behind(": ", why)
        )
    }

    fn by_default(&self) -> String {
        match self.of(Role::Nearest).next() {
            None => "no policy permits it, and none comes near".to_owned(),
            Some(nearest) => {
                format!("no policy permits it; the nearest is {}", near(nearest))
            }
        }
    }

    /// The other policies that deny: to deal with the first is not enough.
    fn also_denied(&self) -> Vec<String> {
        if self.decided.decision == Verdict::Allow {
            return Vec::new();
        }
        let all: Vec<_> = self.of(Role::Determined).skip(1).collect();
        let mut told: Vec<_> = all
            .iter()
            .take(NAMES_MAX)
            .map(|policy| {
                let why = facts(&reasons(policy));
                format!("It is also denied{}{}.", purpose(policy), behind("; ", &why))
            })
            .collect();
        let more = all.len().saturating_sub(NAMES_MAX);
        if more > 0 {
            told.push(format!("And by {more} more."));
        }
        told
    }

    fn erred(&self) -> Vec<String> {
        let shown = |policy: &PolicyExplained| {
            let effect = match policy.weighed.effect {
                Effect::Permit => "permit",
                Effect::Forbid => "forbid",
            };
            format!(
                "The {effect} {} could not be evaluated and did not count{}.",
                told(policy),
                behind(": ", message(policy))
            )
        };
        let said = self.decided.note == Some(Note::ForbidErred);
        let forbid = |it: &&PolicyExplained| it.weighed.effect == Effect::Forbid;
        self.of(Role::Erred).filter(|it| !(said && forbid(it))).take(NAMES_MAX).map(shown).collect()
    }

    /// What would have come of it without those that forbid.
    fn otherwise(&self) -> Option<String> {
        let mut overruled = self.of(Role::Overruled);
        let forbidding = self.of(Role::Determined).count();
        let forbidden = forbidding > 0;
        let that = if forbidding > 1 { "those" } else { "that" };
        match (overruled.next(), self.of(Role::Nearest).next()) {
            (Some(policy), _) => {
                Some(format!("But for {that} it would be allowed{}.", purpose(policy)))
            }
            (None, Some(nearest)) if forbidden => Some(format!(
                "Even without {that} no policy would permit it; the nearest is {}.",
                near(nearest)
            )),
            (None, None) if forbidden && self.decided.decision == Verdict::Deny => {
                Some(format!("Even without {that} no policy would permit it."))
            }
            _ => None,
        }
    }

    fn session(&self) -> Option<String> {
        let told = match self.decided.session.as_ref() {
            Some(SessionUsed::InForce(facts)) => return Some(in_force(facts, self.decided.now)),
            Some(SessionUsed::Unknown) => "The session presented is none that is known here",
            Some(SessionUsed::Over { .. }) => "The session presented had ended or lapsed",
            Some(SessionUsed::Restricted { .. }) => {
                "The session presented was only for setting a password or an authenticator"
            }
            Some(SessionUsed::OtherSubject { user, .. }) => {
                return Some(format!(
                    "The session presented is that of {user}, not of the subject asked about, so \
                     it did not count."
                ));
            }
            None => {
                return self.asks_for_session().then(|| {
                    "No session was presented with the request, so nothing is known of how the \
                 subject signed in."
                        .to_owned()
                });
            }
        };
        Some(format!("{told}, so it did not count."))
    }

    /// True if any clause told of looks at the session.
    fn asks_for_session(&self) -> bool {
        let clauses = self.policies.iter().flat_map(|policy| &policy.weighed.clauses);
        clauses.filter(|it| !it.clause.part.is_scope()).any(|it| {
            it.clause.text.contains("context has session")
                || it.clause.text.contains("context.session")
        })
    }

    /// What the staged policies would answer, if they would answer otherwise.
    fn staged(&self) -> Option<String> {
        let shadow = self.decided.shadow.as_ref()?;
        let otherwise = shadow.decision != self.decided.decision;
        otherwise.then(|| format!("The staged policies would {} it.", shadow.decision.as_str()))
    }

    fn left_out(&self) -> Option<String> {
        let pruned = &self.decided.pruned;
        (!pruned.is_empty()).then(|| {
            let names = listed(pruned.iter().map(|path| format!("`{path}`")));
            format!("Not declared by the schema or not of its type, and so left out: {names}.")
        })
    }
}

/// The policy's purpose and name, as what follows "allowed" or "denied".
fn purpose(policy: &PolicyExplained) -> String {
    let forbids = policy.weighed.effect == Effect::Forbid;
    let words = policy.deny_message.as_ref().filter(|_| forbids).or(policy.description.as_ref());
    match words {
        Some(words) => {
            format!(": {} (policy `{}`)", words.trim_end_matches('.'), policy.weighed.policy)
        }
        None => format!(" by policy `{}`", policy.weighed.policy),
    }
}

/// The policy's name, and its purpose if it has one.
fn told(policy: &PolicyExplained) -> String {
    match &policy.description {
        Some(words) => {
            format!("policy `{}` ({})", policy.weighed.policy, words.trim_end_matches('.'))
        }
        None => format!("policy `{}`", policy.weighed.policy),
    }
}

fn message(policy: &PolicyExplained) -> &str {
    match &policy.weighed.outcome {
        Outcome::Erred { message } => message,
        Outcome::Applies | Outcome::DoesNotApply => "",
    }
}

/// The nearest permit, and what keeps it from applying.
fn near(policy: &PolicyExplained) -> String {
    let failing: Vec<_> = policy.weighed.clauses.iter().filter(|clause| clause.fails()).collect();
    let scope: Vec<_> = failing.iter().filter(|it| it.clause.part.is_scope()).copied().collect();
    let whom = scope.first().map(|clause| {
        let seen = clause.values.first().map(ToString::to_string).unwrap_or_default();
        format!(", which is for `{}` only{}", clause.clause.text, behind(": ", &seen))
    });
    let conditions = failing.iter().filter(|it| !it.clause.part.is_scope());
    let unmet: Vec<Fact<'_>> = conditions.flat_map(|clause| leaves(clause)).collect();
    let unmet = facts(&unmet);
    match whom {
        None => format!("{}{}", told(policy), behind(", but ", &unmet)),
        Some(whom) => format!("{}{whom}{}", told(policy), behind("; and ", &unmet)),
    }
}

/// One condition, what it was, and what it found.
struct Fact<'a> {
    text: &'a str,
    truth: bool,
    values: &'a [Seen],
}

/// The conditions because of which a policy applies: if it has exceptions, that none was
/// met; else what it asks for.
fn reasons(policy: &PolicyExplained) -> Vec<Fact<'_>> {
    let of = |part: Part| {
        let clauses = policy.weighed.clauses.iter().filter(move |it| it.clause.part == part);
        clauses.flat_map(leaves).collect::<Vec<_>>()
    };
    let exceptions = of(Part::Unless);
    if exceptions.is_empty() { of(Part::When) } else { exceptions }
}

/// The innermost conditions that made a clause what it was.
fn leaves(clause: &ClauseWeighed) -> Vec<Fact<'_>> {
    let mut found = Vec::new();
    let ClauseWeighed { clause, truth, values, pieces } = clause;
    gather(&clause.text, truth, values, pieces, &mut found);
    found
}

fn gather<'a>(
    text: &'a str,
    truth: &Truth,
    values: &'a [Seen],
    pieces: &'a [Piece],
    found: &mut Vec<Fact<'a>>,
) {
    let Some(truth) = was(truth) else { return };
    // What `&&` and `||` come to is what one of their operands is; what `!` comes to is not.
    let same = |piece: &&Piece| was(&piece.truth) == Some(truth);
    let some = pieces.iter().any(|piece| same(&piece));
    let telling = pieces.iter().filter(|piece| !some || same(piece));
    let before = found.len();
    for piece in telling {
        gather(&piece.text, &piece.truth, &piece.values, &piece.pieces, found);
    }
    if found.len() == before {
        found.push(Fact { text, truth, values });
    }
}

fn was(truth: &Truth) -> Option<bool> {
    match truth {
        Truth::NotReached { alone } => *alone,
        other => other.known(),
    }
}

/// Conditions in words: "`a` was false: `b` was 1".
fn facts(all: &[Fact<'_>]) -> String {
    let mut told = Vec::new();
    for of_a_kind in all.chunk_by(|one, next| one.truth == next.truth).take(2) {
        if let [Fact { text, truth: false, .. }] = of_a_kind
            && let Some((of, name)) = member(text)
        {
            told.push(format!("there was no `{of}.{name}`"));
            continue;
        }
        // That something was there goes without saying where it is told what it was.
        let mut telling: Vec<_> = of_a_kind.iter().filter(|it| member(it.text).is_none()).collect();
        if telling.is_empty() || of_a_kind.iter().any(|it| !it.truth) {
            telling = of_a_kind.iter().collect();
        }
        let texts = telling.iter().take(CONDITIONS_MAX).map(|fact| format!("`{}`", fact.text));
        let verb = if telling.len() > 1 { "were" } else { "was" };
        let truth = of_a_kind.first().is_some_and(|fact| fact.truth);
        let mut seen: Vec<String> = Vec::new();
        for value in telling.iter().take(CONDITIONS_MAX).flat_map(|fact| fact.values) {
            let words = value.to_string();
            if !seen.contains(&words) {
                seen.push(words);
            }
        }
        told.push(format!("{} {verb} {truth}{}", listed(texts), behind(": ", &seen.join(", "))));
    }
    told.join("; ")
}

/// The parts of a test for a member, such as `context has session`.
fn member(text: &str) -> Option<(&str, &str)> {
    text.split_once(" has ").filter(|(of, name)| !of.contains(' ') && !name.contains(' '))
}

fn in_force(facts: &SessionFacts, now: Moment) -> String {
    let methods = Methods(facts.methods.clone());
    let names = methods.names();
    let age = match now.seconds_since(facts.authenticated_at) {
        ..60 => "less than a minute".to_owned(),
        seconds => age(seconds),
    };
    format!(
        "The session presented was at assurance level {} ({}), authenticated {age} before.",
        facts.aal,
        names.into_iter().collect::<Vec<_>>().join(", "),
    )
}

/// A span of time, roughly.
fn age(seconds: u64) -> String {
    let (count, unit) = match seconds {
        ..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Which login would help, in words.
fn login(step_up: &StepUp) -> Option<String> {
    let what = match step_up.acr_values.first()? {
        Acr::Aal1 => "signing in",
        Acr::Aal2 => "signing in with two factors",
        Acr::PhishingResistant => "signing in with a passkey or another key that cannot be phished",
        Acr::HardwareProtected => "signing in with a key held in hardware",
    };
    let age_max = |max: u64| {
        let max = age(max);
        format!(", no more than {max} before,")
    };
    let fresh = step_up.max_age_s.map(age_max).unwrap_or_default();
    let first: String = what.chars().take(1).flat_map(char::to_uppercase).collect();
    let rest: String = what.chars().skip(1).collect();
    Some(format!("{first}{rest}{fresh} would have it allowed."))
}

/// The text behind a sign, or nothing.
fn behind(sign: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{sign}{text}") }
}

/// Names in a row, the first few.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES_MAX);
    let mut told: Vec<_> = names.take(NAMES_MAX).collect();
    if more > 0 {
        return format!("{} and {more} more", told.join(", "));
    }
    match told.pop() {
        Some(last) if !told.is_empty() => format!("{} and {last}", told.join(", ")),
        last => last.unwrap_or_default(),
    }
}
