//! From a file of Cedar policies to single sources, each under its own name.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use cedar_policy::ffi::DetailedError;
use cedar_policy_core::ast::{PolicyID, Template};
use cedar_policy_core::parser;

use super::excerpt::{Span, locate};
use super::fault::in_order;
use super::scan::{self, Grammar};
use super::stack::on_large_stack;
use super::{Fault, Limits, codes, diagnosis, syntax_advice};
use crate::model::{PolicyBody, PolicyId, PolicySource};

/// Reads a file of Cedar policies and templates into single sources, in the order of the
/// file; `file` is its name for messages. Each is named by its `@id`. A policy's text
/// begins with the comment lines directly above it and ends with its `;`.
///
/// Linear; about 50 µs a policy. The file may be empty.
///
/// # Errors
/// All faults of the file, by place: what is not Cedar, a missing, unusable or repeated
/// `@id`, what exceeds the limits.
pub fn read_policies(
    file: &str,
    text: &str,
    limits: &Limits,
) -> Result<Vec<PolicySource>, Vec<Fault>> {
    read(file, text, limits, Naming::ById)
}

/// Reads a file as [`read_policies`] does, but names the policies `policy0`, `policy1`,
/// … in the order of the file, whatever their `@id`: as Cedar's own test vectors want it.
/// Publishing never uses it: there a policy without `@id` is refused.
///
/// # Errors
/// As [`read_policies`], but for `@id`.
pub fn read_policies_named_in_order(
    file: &str,
    text: &str,
    limits: &Limits,
) -> Result<Vec<PolicySource>, Vec<Fault>> {
    read(file, text, limits, Naming::InOrder)
}

#[derive(Clone, Copy)]
enum Naming {
    ById,
    InOrder,
}

fn read(
    file: &str,
    text: &str,
    limits: &Limits,
    naming: Naming,
) -> Result<Vec<PolicySource>, Vec<Fault>> {
    if text.len() > limits.file_bytes {
        let (found, most) = (text.len(), limits.file_bytes);
        let message = format!("the file has {found} bytes; at most {most} are read");
        let fault = Fault::new(codes::POLICY_TOO_LARGE, message);
        return Err(vec![fault.with_help("write several files").in_file(file, text, 0)]);
    }
    let pieces = scan::policies(text)
        .map_err(|flaw| diagnosis::flawed(Grammar::Policy, flaw, limits.nesting, text))
        .map_err(|fault| vec![fault.in_file(file, text, 0)])?;
    on_large_stack(|| read_pieces(file, text, &pieces, limits, naming))
        .unwrap_or_else(|fault| Err(vec![fault.in_file(file, text, 0)]))
}

fn read_pieces(
    file: &str,
    text: &str,
    pieces: &[Range<usize>],
    limits: &Limits,
    naming: Naming,
) -> Result<Vec<PolicySource>, Vec<Fault>> {
    let (mut sources, mut faults) = (Vec::new(), Vec::new());
    let mut seen = BTreeMap::new();
    for (number, place) in pieces.iter().enumerate() {
        let piece = text.get(place.clone()).unwrap_or_default();
        let read = read_one(piece, number, limits, naming).and_then(|(source, span)| {
            match seen.insert(source.id.clone(), span.after(place.start)) {
                None => Ok(source),
                Some(first) => {
                    Err(vec![repeated(&source.id, locate(text, first).line).at(piece, span)])
                }
            }
        });
        match read {
            Ok(source) => sources.push(source),
            Err(found) => {
                faults.extend(found.into_iter().map(|f| f.in_file(file, text, place.start)));
            }
        }
        // Finding a place costs a walk through the file.
        if faults.len() > limits.faults {
            break;
        }
    }
    if faults.is_empty() { Ok(sources) } else { Err(in_order(faults, limits.faults)) }
}

fn repeated(id: &PolicyId, line: u32) -> Fault {
    let message = format!("the policy on line {line} has the same id");
    let fault = Fault::new(codes::POLICY_ID_DUPLICATE, message).about(id);
    fault.with_help("give each policy an `@id` of its own")
}

/// One policy, and where its `@id` stands.
fn read_one(
    piece: &str,
    number: usize,
    limits: &Limits,
    naming: Naming,
) -> Result<(PolicySource, Span), Vec<Fault>> {
    let numbered = || format!("policy{number}").parse::<PolicyId>().ok();
    // A number is no name that an author knows.
    let written = scan::written_id(piece).and_then(|id| id.parse().ok());
    let named = |fault: Fault| match &written {
        Some(id) => fault.about(id),
        None => fault,
    };
    let template =
        parse(piece, limits).map_err(|faults| faults.into_iter().map(named).collect::<Vec<_>>())?;
    let (id, span) = match naming {
        Naming::ById => id_of(&template, piece).map_err(|fault| vec![fault])?,
        Naming::InOrder => (numbered().ok_or_else(Vec::new)?, Span::new(0, 0)),
    };
    let text = Arc::from(piece);
    let body = match template.slots().next() {
        None => PolicyBody::Static { text },
        Some(_) => PolicyBody::Template { text },
    };
    Ok((PolicySource { id, body }, span))
}

/// Parses one policy or template after it has been looked over. To be called on a large
/// stack.
pub(super) fn parse(piece: &str, limits: &Limits) -> Result<Template, Vec<Fault>> {
    if piece.len() > limits.policy_bytes {
        let (found, most) = (piece.len(), limits.policy_bytes);
        let message = format!("the policy has {found} bytes; at most {most} are read");
        let fault = Fault::new(codes::POLICY_TOO_LARGE, message);
        let fault = fault.with_help("split it into several policies");
        return Err(vec![mark(fault, piece)]);
    }
    scan::check(piece, Grammar::Policy, limits.nesting)
        .map_err(|flaw| diagnosis::flawed(Grammar::Policy, flaw, limits.nesting, piece))
        .map_err(|fault| vec![fault])?;
    parser::parse_policy_or_template(Some(PolicyID::from_string("policy")), piece).map_err(
        |errors| {
            let errors = DetailedError::from(&errors);
            let faults = diagnosis::faults(codes::POLICY_SYNTAX, &errors, piece);
            syntax_advice::all_advised(faults, piece)
        },
    )
}

/// The fault, at the first word of the policy.
fn mark(fault: Fault, piece: &str) -> Fault {
    match scan::first_token(piece) {
        Some(span) => fault.at(piece, span),
        None => fault,
    }
}

fn id_of(template: &Template, piece: &str) -> Result<(PolicyId, Span), Fault> {
    let written = template.annotations().find(|(key, _)| key.as_ref() == "id");
    let Some((_, written)) = written else {
        let fault = Fault::new(codes::POLICY_ID_MISSING, "the policy has no id");
        let help = "write one above it, unique in the set, such as `@id(\"readers-may-view\")`";
        return Err(mark(fault.with_help(help), piece));
    };
    let loc = written.loc.as_ref();
    let span = loc.map_or(Span::new(0, 0), |loc| Span::new(loc.start(), loc.end()));
    let id = written.as_ref().parse().map_err(|error: crate::model::NotAName| {
        Fault::new(codes::POLICY_ID_INVALID, format!("not an id: {error}"))
            .with_help("write `@id(\"…\")` with 1 to 128 characters, none of them a line break")
            .at(piece, span)
    })?;
    Ok((id, span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<Fault> {
        read_policies("p.cedar", text, &Limits::default()).unwrap_err()
    }

    #[test]
    fn policies_and_templates_are_told_apart_and_named() {
        let text = "// about a\n@id(\"a\")\npermit (principal, action, resource);\n\n\
                    @id(\"b\") forbid (principal == ?principal, action, resource);\n";
        let sources = read_policies("p.cedar", text, &Limits::default()).unwrap();
        let [a, b] = sources.as_slice() else { panic!("{sources:?}") };
        assert_eq!((a.id.as_str(), b.id.as_str()), ("a", "b"));
        assert!(matches!(&a.body, PolicyBody::Static { text } if text.starts_with("// about a")));
        assert!(matches!(&b.body, PolicyBody::Template { text } if text.ends_with(';')));
        assert_eq!(read_policies("e.cedar", "// none\n", &Limits::default()), Ok(Vec::new()));
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = "permit (principal, action, resource);\n\
                    @id(\"a\") permit (principal, action, resource);\n\
                    @id(\"c\") permit (principal, action);\n\
                    @id(\"a\") forbid (principal, action, resource);\n\
                    @id(\"\") forbid (principal, action, resource);\n";
        let found = faults(text);
        let told: Vec<_> = found.iter().map(|fault| (fault.code, fault.line.unwrap())).collect();
        let expected = [
            (codes::POLICY_ID_MISSING, 1),
            (codes::POLICY_SYNTAX, 3),
            (codes::POLICY_ID_DUPLICATE, 4),
            (codes::POLICY_ID_INVALID, 5),
        ];
        assert_eq!(told, expected);
        assert!(found[0].help.as_ref().unwrap().contains("@id("));
        assert_eq!(found[1].policy.as_ref().unwrap().as_str(), "c");
        assert!(found[2].message.contains("line 2"));
    }

    #[test]
    fn what_would_overflow_the_stack_is_refused_before_cedar_sees_it() {
        let bombs = [
            format!("{}true{}", "(".repeat(2_000), ")".repeat(2_000)),
            format!("{}true{}", "!(".repeat(2_000), ")".repeat(2_000)),
            format!("{}1{} == 1", "-(".repeat(2_000), ")".repeat(2_000)),
            format!("{}1{} == 1", "[".repeat(2_000), "]".repeat(2_000)),
            format!("{}1{} == 1", "{a:".repeat(2_000), "}".repeat(2_000)),
            format!("{}true", "if true then true else ".repeat(400)),
            format!("{}true then true else true", "if ".repeat(2_000)),
        ];
        for bomb in bombs {
            let text =
                format!("@id(\"x\") permit (principal, action, resource) when {{ {bomb} }};");
            let found = faults(&text);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].code, codes::POLICY_NESTING, "{}", found[0]);
        }
        let not = "!".repeat(9_000);
        let text = format!("@id(\"x\") permit (principal, action, resource) when {{ {not}true }};");
        assert_eq!(faults(&text)[0].code, codes::POLICY_SYNTAX);
    }

    #[test]
    fn what_is_within_the_limits_is_parsed_however_awkward() {
        let around = |open: &str, close: &str| format!("{}1{}", open.repeat(62), close.repeat(62));
        for body in [
            around("(", ")"),
            around("[", "]"),
            around("!!!!(", ")"),
            around("{a:", "}"),
            around("a.b(", ")"),
            format!("{}1", "if 1 then 1 else ".repeat(60)),
            format!("a{}", ".a".repeat(4_900)),
            format!("a has a{}", ".a".repeat(4_900)),
            format!("1{}", "+1".repeat(4_900)),
            format!("1{}", "*1".repeat(4_900)),
            format!("1{}", "&&1".repeat(3_250)),
            format!("1{}", "||1".repeat(3_250)),
            format!("a{}", "(1)[\"a\"]".repeat(1_000)),
            format!("a is {}a", "a::".repeat(3_250)),
            format!("[{}]", "1,".repeat(4_900)),
        ] {
            let text =
                format!("@id(\"x\") permit (principal, action, resource) when {{ {body} }};");
            let read = read_policies("p", &text, &Limits::default());
            let codes = read.map_err(|faults| faults[0].code);
            assert!(matches!(codes, Ok(_) | Err(codes::POLICY_SYNTAX)), "{codes:?} {body}");
            // None of these is valid; the point is that each is refused, not fatal.
            assert!(crate::cedar::example::policies(&text).is_err());
        }
    }

    #[test]
    fn sizes_have_limits() {
        let long = format!(
            "// short\n@id(\"x\") permit (principal, action, resource) when {{ \"{}\" == \"\" }};",
            "x".repeat(10_000)
        );
        let found = faults(&long);
        assert_eq!((found[0].code, found[0].line), (codes::POLICY_TOO_LARGE, Some(2)));
        let limits = Limits { file_bytes: 10, ..Limits::default() };
        let found = read_policies("p.cedar", "permit (principal);", &limits).unwrap_err();
        assert_eq!(found[0].code, codes::POLICY_TOO_LARGE);
    }

    #[test]
    fn an_open_string_is_found_where_it_begins() {
        let found = faults("@id(\"x\")\npermit (principal, action, resource)\nwhen { a == \"b };");
        assert_eq!((found[0].line, found[0].column), (Some(3), Some(13)));
        assert_eq!(&*found[0].message, "this string is not closed");
    }
}
