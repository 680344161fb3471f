//! What an author most likely meant where a policy and its schema do not go together.
//!
//! Cedar's validator says what is wrong in terms of types. Here the schema is looked
//! through for what would be right, and it is said in the policy's own words.

use std::collections::BTreeSet;

use super::literal::entity_named;
use super::scan::tokens;
use super::types::{Record, Tables};
use super::{CompiledSchema, Fault};
use crate::model::EntityType;

/// The same fault, saying what to write where that can be told.
pub(super) fn advised(fault: Fault, text: &str, schema: &CompiledSchema) -> Fault {
    let fault = plainly(fault);
    let marked = fault.marked(text).to_owned();
    let case = Case { fault: &fault, marked: &marked, text, tables: schema.tables() };
    let rules: [fn(&Case<'_>) -> Option<Advice>; 8] =
        [optional, missing, unexpected, incompatible, entity_type, action, inapplicable, argument];
    match rules.iter().find_map(|rule| rule(&case)) {
        Some((message, help)) => {
            let fault = fault.with_help(help);
            if message.is_empty() { fault } else { fault.saying(message) }
        }
        None => fault,
    }
}

/// A message, or nothing to leave Cedar's, and what to write.
type Advice = (String, String);

struct Case<'a> {
    fault: &'a Fault,
    /// The part of the policy that it is about.
    marked: &'a str,
    text: &'a str,
    tables: &'a Tables,
}

/// Leaves out what only repeats: that a policy cannot apply, where it is said why, and of
/// the two sides of an `in` the one that says less.
pub(super) fn said_once(faults: &[Fault]) -> Vec<Fault> {
    let about = |beginning: &str, fault: &Fault| {
        let it = fault.message.starts_with(beginning);
        it.then(|| (fault.policy.clone(), fault.line))
    };
    let never: BTreeSet<_> = faults.iter().filter_map(|it| about(NEVER_APPLIES, it)).collect();
    let better = |fault: &&Fault| fault.help.as_ref().is_some_and(|it| it.starts_with(IN_A_SET));
    let sets = faults.iter().filter(better);
    let sets: BTreeSet<_> = sets.filter_map(|it| about(NOT_IN, it)).collect();
    let kept = |fault: &Fault| {
        let impossible = about("policy is impossible", fault);
        let worse = about(NOT_IN, fault).filter(|_| !better(&fault));
        impossible.is_none_or(|it| !never.contains(&it))
            && worse.is_none_or(|it| !sets.contains(&it))
    };
    let mut kept: Vec<_> = faults.iter().filter(|fault| kept(fault)).cloned().collect();
    // Cedar finds them in no order.
    kept.sort_by(|one, other| one.order().cmp(&other.order()));
    let mut said = BTreeSet::new();
    let whole = |it: &Fault| (it.policy.clone(), it.line, it.message.clone(), it.help.clone());
    kept.retain(|fault| said.insert(whole(fault)));
    kept
}

const NEVER_APPLIES: &str = "it can never apply";
const NOT_IN: &str = "`in` asks what an entity belongs to";
const IN_A_SET: &str = "to look into a set";

/// Cedar's words without its internal names and without the policy's name, which is said.
fn plainly(fault: Fault) -> Fault {
    let plain = |text: &str| {
        let text = text
            .replace("Set<__cedar::internal::AnyEntity>", "a set of entities")
            .replace("__cedar::internal::AnyEntity", "an entity")
            .replace("Set<__cedar::internal::Any>", "a set")
            .replace("__cedar::internal::", "")
            .replace("error during extension function argument validation: ", "");
        let rest = text.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, "));
        rest.map_or_else(|| text.clone(), |(_, rest)| rest.to_owned())
    };
    let message = plain(&fault.message);
    let help = fault.help.as_ref().map(|help| plain(help));
    let fault = fault.saying(message);
    match help {
        Some(help) => fault.with_help(help),
        None => fault,
    }
}

/// What stands in back quotes, in order.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

impl Case<'_> {
    /// What an attribute is taken from, as it is written: of `principal.office.city` and
    /// `city`, `principal.office`.
    fn base(&self, attribute: &str) -> Option<&str> {
        let path = attribute.split('.').next_back()?;
        let at = self.marked.find(&format!(".{path}"))?;
        let base = self.marked.get(..at)?;
        let from = base.rfind(|c: char| c.is_whitespace() || "(!&|".contains(c));
        base.get(from.map_or(0, |at| at + 1)..)
    }

    fn is_forbid(&self) -> bool {
        tokens(self.text).iter().any(|(token, _)| *token == "forbid")
    }
}

/// An attribute that may be absent.
fn optional(case: &Case<'_>) -> Option<Advice> {
    if !case.fault.message.contains("access to optional attribute") {
        return None;
    }
    let attribute = *quoted(&case.fault.message).first()?;
    let base = case.base(attribute)?;
    let name = attribute.split('.').next_back()?;
    let mut help = format!("ask first whether it is there: `{base} has {name} && …`");
    if case.is_forbid() {
        help += "; a `forbid` that cannot be evaluated does not forbid";
    }
    Some((format!("`{base}.{name}` may be absent"), help))
}

/// An attribute that is not declared.
fn missing(case: &Case<'_>) -> Option<Advice> {
    let message = &*case.fault.message;
    if !message.starts_with("attribute ") || !message.ends_with("not found") {
        return None;
    }
    let quoted = quoted(message);
    let (attribute, owner) = (*quoted.first()?, quoted.get(1).copied());
    let kind = owner.and_then(|name| EntityType::new(name).ok())?;
    let own = &case.tables.entities.get(&kind)?.attributes;
    let base = case.base(attribute)?;
    if let Some(meant) = nearest(attribute, own.members.keys().map(AsRef::as_ref)) {
        return Some((String::new(), format!("did you mean `{base}.{meant}`?")));
    }
    let has = |record: &Record| record.members.contains_key(attribute);
    let others = case.tables.entities.iter().filter(|(_, table)| has(&table.attributes));
    let others: BTreeSet<_> = others.map(|(kind, _)| kind).collect();
    let theirs: Vec<_> = others.iter().take(3).map(|kind| format!("`{kind}`")).collect();
    let other = match base {
        "principal" => Some("resource"),
        "resource" => Some("principal"),
        _ => None,
    };
    Some((
        String::new(),
        match (theirs.as_slice(), other) {
            ([], _) => format!("`{kind}` has {}", listed(own)),
            (_, Some(other)) if can_be(case.tables, other, &others) => format!(
                "{} has one of that name: did you mean `{other}.{attribute}`?",
                theirs.join(", ")
            ),
            _ => format!("`{kind}` has {}; {} has `{attribute}`", listed(own), theirs.join(", ")),
        },
    ))
}

/// True if some action is for principals, or resources, of one of these types.
fn can_be(tables: &Tables, variable: &str, kinds: &BTreeSet<&EntityType>) -> bool {
    let found = tables.actions.values().flat_map(|action| {
        if variable == "principal" { &action.principals } else { &action.resources }
    });
    found.into_iter().any(|kind| kinds.contains(kind))
}

/// The most names that are listed.
const LISTED_MAX: usize = 12;

fn listed(record: &Record) -> String {
    let names: Vec<_> = record.members.keys().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "no attributes".to_owned(),
        many if many > LISTED_MAX => {
            let shown = names.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>();
            format!("{} and {} more", shown.join(", "), many - LISTED_MAX)
        }
        _ => names.join(", "),
    }
}

/// A value of another type than its place wants.
fn unexpected(case: &Case<'_>) -> Option<Advice> {
    let rest = case.fault.message.strip_prefix("unexpected type: expected ")?;
    let (wanted, found) = rest.split_once(" but saw ")?;
    let marked = case.marked;
    let message = format!("this is {}, and {} belongs here", article(found), article(wanted));
    if wanted.contains("an entity") {
        let (left, right) = operands(case.text, marked, "in")?;
        let right_is_set = right.starts_with('[') || found.starts_with("Set<");
        let help = if right_is_set || found.starts_with("Set<") {
            format!("{IN_A_SET}, write `{right}.contains({left})`")
        } else {
            format!("`in` is for entities and their groups; write `{left} == {right}`")
        };
        return Some((format!("{NOT_IN}, not what a set holds"), help));
    }
    if wanted == "a set" && found == "String" {
        let (base, rest) = marked.split_once(".contains")?;
        let text = rest.trim().trim_matches(['(', ')']).trim_matches('"');
        let help = format!("to look into a text, write `{base} like \"*{text}*\"`");
        return Some((message, help));
    }
    if wanted == "Long" && found == "String" && marked.starts_with('"') {
        let number = marked.trim_matches('"');
        if number.parse::<i64>().is_ok() {
            return Some((message, format!("write `{number}`, without quotes")));
        }
    }
    let sample = sample(wanted)?;
    // Cedar's own hint is about what is done here, and better than a sample of what is not.
    let help = case.fault.help.as_deref().map(str::to_owned);
    Some((message, help.unwrap_or_else(|| format!("write {sample}"))))
}

/// Both sides of an operator that one of them is marked of.
fn operands<'a>(text: &'a str, marked: &str, operator: &str) -> Option<(&'a str, &'a str)> {
    let at = text.find(marked)?;
    let line_start = text.get(..at)?.rfind(['{', ';']).map_or(0, |open| open + 1);
    let rest = text.get(line_start..)?;
    let end = rest.find(['}', ';']).unwrap_or(rest.len());
    let clause = rest.get(..end)?;
    let part = clause.split("&&").flat_map(|part| part.split("||")).find(|it| it.contains(marked));
    let (left, right) = part?.split_once(&format!(" {operator} "))?;
    Some((left.trim(), right.trim()))
}

fn article(kind: &str) -> String {
    match kind {
        "Long" => "a number".to_owned(),
        "String" => "text".to_owned(),
        "Bool" | "True" | "False" => "a truth value".to_owned(),
        set if set.starts_with("Set<") => format!("a set (`{set}`)"),
        kind if kind.starts_with("a ") || kind.starts_with("an ") => kind.to_owned(),
        "decimal" | "ipaddr" | "datetime" | "duration" => format!("a value of `{kind}`"),
        kind => format!("an entity or a value of `{kind}`"),
    }
}

/// How a value of a type is written.
fn sample(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Long" => "a whole number, such as `3`",
        "String" => "text in quotes, such as `\"public\"`",
        "Bool" => "what is true or false, such as `context.mfa` or `a == b`",
        "decimal" => "`decimal(\"1.50\")`",
        "ipaddr" => "`ip(\"10.0.0.0/8\")`",
        "datetime" => "`datetime(\"2026-01-01T00:00:00Z\")`",
        "duration" => "`duration(\"1h30m\")`",
        "a set" => "a set, such as `[\"public\", \"internal\"]`",
        _ => return None,
    })
}

/// Values of different types that are compared or collected.
fn incompatible(case: &Case<'_>) -> Option<Advice> {
    let rest = case.fault.message.strip_prefix("the types ")?;
    let (one, other) = rest.strip_suffix(" are not compatible")?.split_once(" and ")?;
    let kind = [one, other].into_iter().find(|name| {
        EntityType::new(name).is_ok_and(|kind| case.tables.entities.contains_key(&kind))
    });
    let marked = case.marked;
    let comparison = ["==", "!="].into_iter().find(|operator| marked.contains(operator));
    if let (Some(kind), Some(operator)) = (kind, comparison)
        && [one, other].contains(&"String")
    {
        let (left, right) = marked.split_once(operator)?;
        let id = [left.trim(), right.trim()].into_iter().find(|side| side.starts_with('"'));
        let help = match id {
            Some(id) => format!("write the type in front of the id: `{kind}::{id}`"),
            None => format!("an entity is never a text: compare two of `{kind}`, or two texts"),
        };
        let message = format!("{} is compared with {}", entity(kind), article("String"));
        return Some((message, help));
    }
    if marked.starts_with('[') {
        let message = format!("this set has {} and {} in it", article(one), article(other));
        return Some((message, "everything in a set is of one type: write two sets".to_owned()));
    }
    if comparison.is_some() {
        let message = format!("{} is compared with {}", article(one), article(other));
        let help = "both sides must be of one type: they could never be equal";
        return Some((message, help.to_owned()));
    }
    None
}

fn entity(kind: &str) -> String {
    format!("an entity of type `{kind}`")
}

/// An entity type that is not declared.
fn entity_type(case: &Case<'_>) -> Option<Advice> {
    let named = case.fault.message.strip_prefix("unrecognized entity type `")?.strip_suffix('`')?;
    let kinds: BTreeSet<_> = case.tables.entities.keys().map(EntityType::as_str).collect();
    let last = |kind: &str| kind.rsplit("::").next().map(str::to_owned);
    let help = match kinds.iter().find(|kind| last(kind) == last(named)) {
        Some(same) => format!("a type's name is whole: write `{same}`"),
        None => meant_or(nearest(named, kinds.iter().copied()), kinds.iter().copied()),
    };
    Some((format!("there is no entity type `{named}`"), help))
}

/// The name that was probably meant, or those that there are.
fn meant_or<'a>(meant: Option<&str>, all: impl Iterator<Item = &'a str>) -> String {
    if let Some(meant) = meant {
        return format!("did you mean `{meant}`?");
    }
    let shown: Vec<_> = all.take(LISTED_MAX).map(|name| format!("`{name}`")).collect();
    format!("the schema declares {}", shown.join(", "))
}

/// An action that is not declared.
fn action(case: &Case<'_>) -> Option<Advice> {
    let named = case.fault.message.strip_prefix("unrecognized action `")?.strip_suffix('`')?;
    let uid = entity_named(named)?;
    let actions: BTreeSet<_> = case.tables.actions.keys().collect();
    if let Some(same) = actions.iter().find(|other| other.id() == uid.id()) {
        let message = format!("there is no action `{named}`");
        return Some((message, format!("an action's name is whole: write `{same}`")));
    }
    let ids = actions.iter().filter(|other| other.kind() == uid.kind()).map(|other| other.id());
    let shown: Vec<_> = ids.clone().map(|id| format!("{}::\"{id}\"", uid.kind())).collect();
    let meant = nearest(uid.id(), ids).map(|id| format!("{}::\"{id}\"", uid.kind()));
    let help = meant_or(meant.as_deref(), shown.iter().map(String::as_str));
    Some((format!("there is no action `{named}`"), help))
}

/// A scope that no action of the schema fits.
fn inapplicable(case: &Case<'_>) -> Option<Advice> {
    if !case.fault.message.starts_with("unable to find an applicable action") {
        return None;
    }
    let [principal, resource] =
        ["principal", "resource"].map(|variable| scope_type(case.text, variable));
    let action = scope_part(case.text, "action").and_then(|part| entity_named(&part));
    let table = action.as_ref().and_then(|action| case.tables.actions.get(action));
    let (Some(action), Some(table)) = (action, table) else {
        return Some(nowhere(case.tables, principal.as_ref(), resource.as_ref()));
    };
    let is_in = |kind: &Option<EntityType>, kinds: &BTreeSet<EntityType>| {
        kind.as_ref().is_some_and(|kind| kinds.contains(kind))
    };
    let swapped = is_in(&principal, &table.resources) && is_in(&resource, &table.principals);
    let mut help = format!(
        "`{action}` is for principals of type {} and resources of type {}",
        types(&table.principals),
        types(&table.resources)
    );
    if swapped {
        help += "; `principal` and `resource` look swapped";
    }
    let message = format!("{NEVER_APPLIES}: the action is not for these types");
    Some((message, help))
}

/// What to say where no action at all is for these types.
fn nowhere(
    tables: &Tables,
    principal: Option<&EntityType>,
    resource: Option<&EntityType>,
) -> Advice {
    let principals: BTreeSet<_> =
        tables.actions.values().flat_map(|action| action.principals.iter().cloned()).collect();
    let resources: BTreeSet<_> =
        tables.actions.values().flat_map(|action| action.resources.iter().cloned()).collect();
    for (kind, known, word) in
        [(principal, &principals, "principal"), (resource, &resources, "resource")]
    {
        if let Some(kind) = kind.filter(|kind| !known.contains(*kind)) {
            let message = format!("{NEVER_APPLIES}: no {word} is of type `{kind}`");
            return (message, format!("in this schema a {word} is of type {}", types(known)));
        }
    }
    let help = "look up in the schema which principals and resources each action is for";
    (format!("{NEVER_APPLIES}: no action is for these types together"), help.to_owned())
}

fn types(kinds: &BTreeSet<EntityType>) -> String {
    let shown: Vec<_> = kinds.iter().take(LISTED_MAX).map(|kind| format!("`{kind}`")).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

/// The type that a scope asks of its principal or resource, with `is` or `==`.
fn scope_type(text: &str, variable: &str) -> Option<EntityType> {
    let part = scope_part(text, variable)?;
    let kind = part.rsplit_once("::\"").map_or(part.as_str(), |(kind, _)| kind);
    EntityType::new(kind).ok()
}

/// What a scope compares one of its variables with, without spaces.
fn scope_part(text: &str, variable: &str) -> Option<String> {
    let tokens = tokens(text);
    let mut tokens = tokens.iter().map(|(token, _)| *token).skip_while(|it| *it != variable);
    let (_variable, operator) = (tokens.next()?, tokens.next()?);
    let rest = match operator {
        "is" => tokens.take_while(|it| ![",", ")", "in"].contains(it)).collect(),
        "=" => tokens.skip(1).take_while(|it| ![",", ")"].contains(it)).collect(),
        _ => String::new(),
    };
    Some(rest).filter(|part| !part.is_empty())
}

/// A text that an extension type cannot be made of.
fn argument(case: &Case<'_>) -> Option<Advice> {
    let message = &*case.fault.message;
    if message.starts_with("failed to parse as a decimal value") {
        let help = "write at least one digit and at most four behind the point, such as \
                    `decimal(\"1.50\")`";
        return Some((message.to_owned(), help.to_owned()));
    }
    if message.starts_with("failed to parse as IP address") {
        let help = "write an address or a range, such as `ip(\"10.0.0.1\")` or \
                    `ip(\"10.0.0.0/8\")`";
        return Some((message.to_owned(), help.to_owned()));
    }
    if message.starts_with("extension constructors may not be called with") {
        let help = "write the text itself, in quotes: a value known only later cannot be checked";
        return Some((message.to_owned(), help.to_owned()));
    }
    None
}

/// The name among these that is nearly the one written, if there is one.
pub(super) fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (written.chars().count() / 3).max(1);
    let near = names.map(|name| (distance(written, name), name));
    near.filter(|(distance, _)| *distance <= most).min().map(|(_, name)| name)
}

/// How many letters must be put in, left out, changed or swapped with the next to make one
/// name of the other.
///
/// # Source
/// Optimal string alignment distance, by the textbook's table.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (mut before, mut row) = (Vec::new(), (0..=other.len()).collect::<Vec<_>>());
    for (i, letter) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, opposite) in other.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let changed = at(&row, j) + usize::from(letter != opposite);
            let mut least = changed.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0
                && j > 0
                && one.get(i - 1) == Some(opposite)
                && other.get(j - 1) == Some(letter);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            next.push(least);
        }
        (before, row) = (row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_one_letter_away() {
        assert_eq!(distance("office", "office"), 0);
        assert_eq!(distance("offcie", "office"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("levle", ["level", "limit"].into_iter()), Some("level"));
        assert_eq!(nearest("classification", ["limit", "level"].into_iter()), None);
    }
}
