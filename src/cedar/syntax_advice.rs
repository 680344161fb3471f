//! What an author most likely meant where a text is not Cedar.
//!
//! Cedar's parser says which tokens it would have taken. An author who comes from another
//! language, or has slipped, wants to hear what to write instead. Each rule here looks at
//! the tokens around the place; where none fits, Cedar's own words stay.

use std::collections::BTreeSet;

use super::Fault;
use super::around::Around;
use super::excerpt::Span;

/// The same faults, in words that say what to write, where that can be told; none twice.
pub(super) fn all_advised(faults: Vec<Fault>, text: &str) -> Vec<Fault> {
    let mut said = BTreeSet::new();
    let mut faults: Vec<_> = faults.into_iter().map(|fault| advised(fault, text)).collect();
    faults.retain(|fault| said.insert((fault.message.clone(), fault.line)));
    faults
}

fn advised(fault: Fault, text: &str) -> Fault {
    let around = Around::of(text, fault.span());
    let rules: [fn(&Fault, &Around<'_>) -> Option<Advice>; 7] =
        [separator, operator, bracket, scope, annotation, wording, name];
    let advice = rules.iter().find_map(|rule| rule(&fault, &around));
    match advice {
        Some(Advice { message, help, at }) => {
            let fault = fault.with_help(help);
            let fault = if message.is_empty() { fault } else { fault.saying(message) };
            match at {
                Some(span) => fault.at(text, span),
                None => fault,
            }
        }
        None => shortened(fault),
    }
}

/// What to say instead.
struct Advice {
    /// Empty to leave Cedar's.
    message: String,
    help: String,
    /// Another place than Cedar's.
    at: Option<Span>,
}

impl Advice {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into(), at: None }
    }

    /// The same about another place.
    fn at(self, span: Span) -> Self {
        Self { at: Some(span), ..self }
    }
}

fn expects(fault: &Fault, what: &str) -> bool {
    fault.help.as_ref().is_some_and(|help| help.starts_with("expected") && help.contains(what))
}

fn is_unexpected(fault: &Fault) -> bool {
    fault.message.starts_with("unexpected ") || fault.message.starts_with("invalid token")
}

/// A policy that does not end, and parts that are not set apart.
fn separator(fault: &Fault, around: &Around<'_>) -> Option<Advice> {
    const END_EACH: &str = "end every policy with `;`, behind its scope or its last `}`";
    if !is_unexpected(fault) {
        return None;
    }
    let here = around.token(0);
    if here.is_empty() && matches!(around.token(-1), ")" | "}") && expects(fault, "`;`") {
        let advice = Advice::new("a `;` is missing at the end of the last policy", END_EACH);
        return around.span(-1).map(|last| advice.at(last));
    }
    let next_policy = matches!(here, "@" | "permit" | "forbid") && expects(fault, "`;`");
    if next_policy {
        return Some(if leads_to_a_policy(around) {
            let last = around.span(-1);
            let advice = Advice::new("a `;` is missing before the next policy", END_EACH);
            last.map_or(Advice::new("", ""), |last| advice.at(last))
        } else {
            Advice::new(
                "an annotation stands behind the scope",
                "move it above `permit` or `forbid`",
            )
        });
    }
    let variable = matches!(here, "principal" | "action" | "resource");
    if variable && around.in_scope() && expects(fault, "`,`") {
        let message = format!("a `,` is missing before `{here}`");
        let help = "set the three parts of a scope apart: `(principal, action, resource)`";
        return Some(Advice::new(message, help));
    }
    None
}

/// True if annotations stand here, if any, and a policy behind them.
fn leads_to_a_policy(around: &Around<'_>) -> bool {
    let mut tokens = around.after();
    loop {
        match tokens.next() {
            Some("permit" | "forbid") => return true,
            Some("@") => {
                let (_name, mut next) = (tokens.next(), tokens.next());
                while next.is_some_and(|token| token != ")") {
                    next = tokens.next();
                }
            }
            _ => return false,
        }
    }
}

/// Operators of other languages.
fn operator(fault: &Fault, around: &Around<'_>) -> Option<Advice> {
    if fault.message.starts_with("'=' is not a valid operator") {
        return Some(Advice::new("`=` is no operator", "write `==` to compare"));
    }
    if !is_unexpected(fault) {
        return None;
    }
    let (before, here, next) = (around.token(-1), around.token(0), around.token(1));
    let instead = |wrong: &str, right: &str| {
        Advice::new(format!("`{wrong}` is no operator"), format!("write `{right}`"))
    };
    let word = here.to_ascii_lowercase();
    Some(match (before, word.as_str(), next) {
        (_, "and", _) => instead(here, "&&"),
        (_, "or", _) => instead(here, "||"),
        (_, "&", _) => instead("&", "&&"),
        (_, "|", _) => instead("|", "||"),
        ("not", ..) => {
            let help =
                format!("write `!{}`, with brackets around what has operators", around.word());
            let advice = Advice::new("`not` is no operator", help);
            around.span(-1).map_or(Advice::new("", ""), |not| advice.at(not))
        }
        ("=", ">", _) => instead("=>", ">="),
        ("=", "<", _) => instead("=<", "<="),
        ("<", ">", _) => instead("<>", "!="),
        ("=", "=", _) => instead("===", "=="),
        (_, "'", _) => {
            let text = around.text.get(around.span(0)?.end()..)?.split('\'').next()?;
            let help = format!("write text in double quotes: `\"{text}\"`");
            Advice::new("text does not stand in single quotes", help)
        }
        (_, "#", _) | (_, "/", "*") => Advice::new(
            "this begins no comment",
            "a comment begins with `//`, on each of its lines",
        ),
        (".", number, _) if number.starts_with(|first: char| first.is_ascii_digit()) => {
            let whole = around.number()?;
            let help = format!("numbers are whole; write `decimal(\"{whole}\")`");
            Advice::new(format!("`{whole}` is no number"), help)
        }
        _ => return None,
    })
}

/// Brackets that do not go together.
fn bracket(fault: &Fault, around: &Around<'_>) -> Option<Advice> {
    if !is_unexpected(fault) {
        return None;
    }
    if matches!(around.token(-1), "when" | "unless") && expects(fault, "`{`") {
        let word = around.token(-1);
        let help = format!("write the condition in braces: `{word} {{ … }}`");
        return Some(Advice::new(format!("`{word}` is not followed by `{{`"), help));
    }
    let mut open: Vec<(&str, Span)> = Vec::new();
    for (token, span) in &around.tokens {
        match *token {
            "(" | "[" | "{" => open.push((token, *span)),
            ")" | "]" | "}" | ";" => match open.pop() {
                Some((bracket, _)) if closing(bracket) == *token => {}
                Some((bracket, place)) => return Some(not_closed(bracket, place)),
                None if *token == ";" => {}
                None => {
                    let message = format!("this `{token}` closes nothing");
                    let help = "take it out, or open the bracket that it should close";
                    return Some(Advice::new(message, help).at(*span));
                }
            },
            _ => {}
        }
    }
    open.pop().map(|(bracket, place)| not_closed(bracket, place))
}

fn not_closed(bracket: &str, place: Span) -> Advice {
    let help = format!("end what it begins with `{}`", closing(bracket));
    Advice::new(format!("this `{bracket}` is not closed"), help).at(place)
}

fn closing(bracket: &str) -> &'static str {
    match bracket {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

/// What does not belong in a scope, and where there is none.
fn scope(fault: &Fault, around: &Around<'_>) -> Option<Advice> {
    let here = around.token(0);
    if matches!(here, "when" | "unless" | ";") && expects(fault, "`(`") {
        let help = "write who may do what to what, or all three open: \
                    `permit (principal, action, resource)`";
        return Some(Advice::new("the scope is missing", help));
    }
    if fault.message.starts_with("found the variable `")
        || fault.message.starts_with("this policy is missing the `")
    {
        let help = "name all three, in this order: `(principal, action, resource)`";
        return Some(Advice::new("the scope is not whole", help));
    }
    if !around.in_scope() {
        return None;
    }
    if here == "." && is_unexpected(fault) {
        let base = around.token(-1);
        let help = format!(
            "leave `{base}` alone in the scope, and ask behind it: \
             `when {{ {base}.{} … }}`",
            around.token(1)
        );
        return Some(Advice::new("a scope cannot look into an entity", help));
    }
    if fault.message.contains("found literal `\"") {
        let id = fault.marked(around.text);
        let (kind, what) = match around.variable() {
            Some("action") => ("Action", "an action"),
            Some("principal") => ("User", "an entity"),
            _ => ("Document", "an entity"),
        };
        let message = format!("{id} is text, not {what}");
        let help = format!("write its type in front of it, such as `{kind}::{id}`");
        return Some(Advice::new(message, help));
    }
    if fault.message.contains("found name `") {
        let (kind, id) = fault.marked(around.text).rsplit_once("::")?;
        let help = format!("put the id in quotes: `{kind}::\"{id}\"`");
        return Some(Advice::new(format!("`{kind}::{id}` is no entity"), help));
    }
    if fault.message.contains("found a `||` expression") {
        let help = match around.variable() {
            Some("action") => {
                let parts = fault.marked(around.text).split("||");
                let named = parts.map(|part| part.trim().trim_start_matches("action =="));
                let all: Vec<_> = named.map(str::trim).collect();
                format!("list them: `action in [{}]`", all.join(", "))
            }
            _ => "write a policy for each, or ask behind the scope: `when { … || … }`".to_owned(),
        };
        let message = "a scope takes one thing each for principal, action and resource";
        return Some(Advice::new(message, help));
    }
    None
}

/// Annotations without a text in quotes.
fn annotation(fault: &Fault, around: &Around<'_>) -> Option<Advice> {
    if !expects(fault, "string literal") || around.token(-3) != "@" {
        return None;
    }
    let (name, here) = (around.token(-2), around.token(0));
    let text = if here == ")" { "…" } else { here };
    let help = format!("write it in quotes: `@{name}(\"{text}\")`");
    Some(Advice::new(format!("`@{name}` wants a text"), help))
}

/// Words in the place of others.
fn wording(fault: &Fault, around: &Around<'_>) -> Option<Advice> {
    let message = &*fault.message;
    let here = around.token(0);
    let is = |words: &[&str]| words.contains(&here.to_ascii_lowercase().as_str());
    if message.starts_with("invalid policy effect") {
        let help = if is(&["allow", "grant", "accept"]) {
            "write `permit`"
        } else if is(&["deny", "block", "reject", "refuse"]) {
            "write `forbid`"
        } else {
            "a policy begins with `permit` or `forbid`"
        };
        return Some(Advice::new(format!("`{here}` begins no policy"), help));
    }
    if message.starts_with("invalid policy condition") {
        let help = "write `when { … }` for what must hold, `unless { … }` for what must not";
        return Some(Advice::new(format!("`{here}` begins no condition"), help));
    }
    if message.starts_with("invalid variable") {
        if is(&["null", "nil", "none", "undefined"]) {
            let asked = around.compared().and_then(|(compared, unequal)| {
                let (base, attribute) = compared.rsplit_once('.')?;
                let asked = format!("{base} has {attribute}");
                Some(if unequal { asked } else { format!("!({asked})") })
            });
            let asked = asked.unwrap_or_else(|| "principal has name".to_owned());
            let help = format!("what is absent has no value: to ask for it, write `{asked}`");
            return Some(Advice::new(format!("there is no `{here}`"), help));
        }
        if is(&["true", "false"]) {
            let help = format!("write `{}`", here.to_ascii_lowercase());
            return Some(Advice::new(format!("there is no `{here}`"), help));
        }
        let help = format!(
            "there are `principal`, `action`, `resource` and `context`; text stands in \
             quotes: `\"{here}\"`"
        );
        return Some(Advice::new(format!("there is no variable `{here}`"), help));
    }
    if message.starts_with("found template slot") {
        let slot = around.token(1);
        let help = format!(
            "a slot stands in the scope only, as in `{slot} == ?{slot}`; here write `{slot}` \
             itself"
        );
        return Some(Advice::new(format!("`?{slot}` stands in a condition"), help));
    }
    if message.contains("is not a valid escape") {
        let written = fault.marked(around.text).replace('\\', "\\\\");
        let help = format!("write a backslash twice: `{written}`");
        return Some(Advice::new("", help));
    }
    None
}

/// Functions and methods that Cedar does not have.
fn name(fault: &Fault, around: &Around<'_>) -> Option<Advice> {
    let quoted = |what: &str| {
        let rest = fault.message.strip_prefix('`')?;
        rest.split_once(what).map(|(name, _)| name)
    };
    if fault.message.ends_with("reserved and cannot be used: has") {
        let written = around.text.get(fault.span().end()..)?;
        let asked = written.trim_start().strip_prefix('(')?.split_once(')')?.0.trim();
        let (base, attribute) = asked.rsplit_once('.')?;
        let help = format!("write `{base} has {attribute}`");
        return Some(Advice::new("`has` is no function", help));
    }
    if let Some(name) = quoted("` is not a valid function") {
        let help = "the functions are `ip`, `decimal`, `datetime` and `duration`; text is \
                    compared as it is, with `==` or `like`";
        return Some(Advice::new(format!("there is no function `{name}`"), help));
    }
    let name = quoted("` is not a valid method")?;
    let called = fault.marked(around.text);
    let (base, rest) = called.split_once(&format!(".{name}"))?;
    let argument = rest.trim().strip_prefix('(').and_then(|it| it.strip_suffix(')'));
    let argument = argument.unwrap_or_default().trim();
    let text = argument.trim_matches('"');
    let help = match name.to_ascii_lowercase().as_str() {
        "startswith" | "hasprefix" => format!("write `{base} like \"{text}*\"`"),
        "endswith" | "hassuffix" => format!("write `{base} like \"*{text}\"`"),
        "includes" | "has" => {
            format!("of a set write `{base}.contains({argument})`, of a text `like \"*{text}*\"`")
        }
        "matches" | "match" | "test" => {
            format!("write `{base} like \"…\"`, where `*` stands for any text")
        }
        "equals" => format!("write `{base} == {argument}`"),
        "length" | "size" | "count" => "Cedar counts nothing; `isEmpty()` tells of a set whether \
            there is anything in it"
            .to_owned(),
        _ => "of sets there are `contains`, `containsAll`, `containsAny` and `isEmpty`; text is \
              compared with `==` or `like`"
            .to_owned(),
    };
    Some(Advice::new(format!("there is no method `{name}`"), help))
}

/// The fault, with a long list of what could have stood there cut to what it means.
fn shortened(fault: Fault) -> Fault {
    let Some(help) = fault.help.as_ref().filter(|it| it.starts_with("expected")) else {
        return fault;
    };
    let all = |wanted: &[&str]| wanted.iter().all(|token| help.contains(token));
    if all(&["`&&`", "`==`", "`}`"]) {
        return fault.with_help("expected an operator, such as `&&` or `==`, or the closing `}`");
    }
    if all(&["`if`", "identifier", "string literal"]) {
        return fault
            .with_help("expected a value, such as `principal`, `context.name`, `\"text\"` or `3`");
    }
    fault
}

#[cfg(test)]
mod tests {
    use crate::cedar::{Limits, read_policies};
    use proptest::prelude::*;

    const WORDS: [&str; 40] = [
        "@",
        "id",
        "(",
        ")",
        "\"a\"",
        "permit",
        "forbid",
        "principal",
        "action",
        "resource",
        ",",
        "when",
        "unless",
        "{",
        "}",
        "[",
        "]",
        ";",
        "==",
        "=",
        "=>",
        "!",
        "not",
        "and",
        "&&",
        "||",
        ".",
        "::",
        "1",
        "1.5",
        "'",
        "#",
        "has",
        "in",
        "is",
        "?principal",
        "null",
        "True",
        "é",
        "\\",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Law: however a text is broken, each fault is told, at a place in the text.
        #[test]
        fn whatever_is_wrong_is_told_at_a_place_in_the_text(
            words in prop::collection::vec(prop::sample::select(WORDS.as_slice()), 1..30),
            glue in prop::sample::select(vec!["", " ", "\n"]),
        ) {
            let text = words.join(glue);
            let lines = text.lines().count().max(1);
            for fault in read_policies("p", &text, &Limits::default()).err().unwrap_or_default() {
                let line = fault.line.map(|line| usize::try_from(line).unwrap());
                prop_assert!(line.is_some_and(|line| line <= lines), "{}", fault);
                prop_assert!(!fault.message.is_empty());
            }
        }
    }
}
