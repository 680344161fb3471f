//! Policies as Cedar's own formatter writes them.
//!
//! One at a time: given a whole file, the formatter takes out the blank lines around
//! comments, so that one that heads a section sticks to the policy below it, whose text it
//! then belongs to.

use cedar_policy_formatter::{Config, policies_str_to_pretty};

use super::stack::on_large_stack;
use super::{Fault, Limits, codes, read_policies_named_in_order, scan};

/// The width of a line and of an indent, in characters: those of `cedar format`.
const CONFIG: Config = Config { line_width: 80, indent_width: 2 };

/// A file of policies, each as Cedar's formatter writes it, and what stands between them as
/// it is; `file` is its name for messages. Linear; some 200 µs a policy.
///
/// # Errors
/// The faults of [`read_policies`](super::read_policies), but for ids: what is not Cedar
/// cannot be formatted. [`codes::INTERNAL`] if the formatter would change what a policy says.
pub fn formatted(file: &str, text: &str, limits: &Limits) -> Result<String, Vec<Fault>> {
    read_policies_named_in_order(file, text, limits)?;
    // It has just been cut in the same way.
    let pieces = scan::policies(text).unwrap_or_default();
    let pretty = || {
        let (mut whole, mut done) = (String::new(), 0);
        for place in pieces {
            whole += text.get(done..place.start).unwrap_or_default();
            whole += one(text.get(place.clone()).unwrap_or_default())?.trim_end();
            done = place.end;
        }
        Ok(whole + text.get(done..).unwrap_or_default())
    };
    let formatted = on_large_stack(pretty).unwrap_or_else(Err);
    formatted.map_err(|fault| vec![fault.in_file(file, text, 0)])
}

fn one(policy: &str) -> Result<String, Fault> {
    policies_str_to_pretty(policy, &CONFIG).map_err(|error| {
        Fault::new(codes::INTERNAL, format!("Cedar's formatter cannot write it: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pretty(text: &str) -> Result<String, Vec<Fault>> {
        formatted("p.cedar", text, &Limits::default())
    }

    #[test]
    fn comments_are_kept_and_a_second_time_changes_nothing() {
        let text = "// head\n\n// about a\n@id(\"a\")permit(principal,action,resource)when{true};\
                    // end\n";
        let once = pretty(text).unwrap();
        assert_eq!(
            once,
            "// head\n\n// about a\n@id(\"a\")\npermit (principal, action, resource)\n\
             when { true };// end\n"
        );
        assert_eq!(pretty(&once).unwrap(), once);
        assert_eq!(pretty("// nothing\n").unwrap(), "// nothing\n");
    }

    #[test]
    fn what_is_not_cedar_is_not_formatted() {
        let found = pretty("permit (principal, action);").unwrap_err();
        assert_eq!(found[0].code, codes::POLICY_SYNTAX);
        assert_eq!(found[0].file.as_deref(), Some("p.cedar"));
        assert_eq!(found[0].policy, None, "a number is nobody's name");
        let named = pretty("@id(\"a\") permit (principal, action);").unwrap_err();
        assert_eq!(named[0].policy, "a".parse().ok());
    }
}
