//! Policies as Cedar's own formatter writes them.

use cedar_policy_formatter::{Config, policies_str_to_pretty};

use super::stack::on_large_stack;
use super::{Fault, Limits, codes, read_policies_named_in_order};

/// The width of a line and of an indent, in characters: those of `cedar format`.
const CONFIG: Config = Config { line_width: 80, indent_width: 2 };

/// A file of policies as Cedar's formatter writes it, comments kept; `file` is its name for
/// messages. A file without policies comes back as it is. Linear; some 200 µs a policy.
///
/// # Errors
/// The faults of [`read_policies`](super::read_policies), but for ids: what is not Cedar
/// cannot be formatted. [`codes::INTERNAL`] if the formatter would change what a policy says.
pub fn formatted(file: &str, text: &str, limits: &Limits) -> Result<String, Vec<Fault>> {
    if read_policies_named_in_order(file, text, limits)?.is_empty() {
        return Ok(text.to_owned());
    }
    let pretty = || {
        policies_str_to_pretty(text, &CONFIG).map_err(|error| {
            Fault::new(codes::INTERNAL, format!("Cedar's formatter cannot write it: {error}"))
        })
    };
    let formatted = on_large_stack(pretty).unwrap_or_else(Err);
    formatted.map_err(|fault| vec![fault.in_file(file, text, 0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pretty(text: &str) -> Result<String, Vec<Fault>> {
        formatted("p.cedar", text, &Limits::default())
    }

    #[test]
    fn comments_are_kept_and_a_second_time_changes_nothing() {
        let text = "// about a\n@id(\"a\")permit(principal,action,resource)when{true};// end\n";
        let once = pretty(text).unwrap();
        assert!(once.contains("// about a\n") && once.contains("// end"), "{once}");
        assert!(once.contains("permit (principal, action, resource)\nwhen { true };"), "{once}");
        assert_eq!(pretty(&once).unwrap(), once);
        assert_eq!(pretty("// nothing\n").unwrap(), "// nothing\n");
    }

    #[test]
    fn what_is_not_cedar_is_not_formatted() {
        let found = pretty("permit (principal, action);").unwrap_err();
        assert_eq!(found[0].code, codes::POLICY_SYNTAX);
        assert_eq!(found[0].file.as_deref(), Some("p.cedar"));
    }
}
