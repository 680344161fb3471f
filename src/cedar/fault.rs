//! What is wrong with what an author wrote, said so that it can be put right.

use std::fmt;

use serde::Serialize;

use super::excerpt::{Span, locate};
use crate::model::{PolicyBody, PolicyId, PolicySource};

/// Something wrong (or, for the codes that end in `warning`, doubtful) with what an
/// author wrote.
///
/// Displayed for people on several lines, without a final line break:
/// ```text
/// policies/cloud.cedar:12:3: policy `web-reads`: attribute `rol` for entity type `User` not found
///    12 |   principal.rol == "x"
///       |   ^^^^^^^^^^^^^
///    help: did you mean `role`?
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Stable, one of [`codes`](super::codes).
    pub code: &'static str,
    /// The file, where one was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<str>>,
    /// The policy, where its name is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// The line, from 1, in the file or else in the policy's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What is wrong, in one line or a few.
    pub message: Box<str>,
    /// The line of source with the place marked below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Box<str>>,
    /// What would be right, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<Box<str>>,
    /// Where it is in the text it was found in, if it has a line, so that the place can be
    /// told anew for the file this text came from.
    #[serde(skip)]
    span: Span,
}

impl Fault {
    /// A fault without a place.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<Box<str>>) -> Self {
        Self {
            code,
            file: None,
            policy: None,
            line: None,
            column: None,
            message: message.into(),
            excerpt: None,
            help: None,
            span: Span::default(),
        }
    }

    /// The same, saying what would be right.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<Box<str>>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, about this policy.
    #[must_use]
    pub fn about(mut self, policy: &PolicyId) -> Self {
        self.policy = Some(policy.clone());
        self
    }

    /// The same, found at this place of a text.
    pub(super) fn at(mut self, text: &str, span: Span) -> Self {
        let place = locate(text, span);
        self.line = Some(place.line);
        self.column = Some(place.column);
        self.excerpt = Some(place.excerpt.into());
        self.span = span;
        self
    }

    /// The same in other words.
    pub(super) fn saying(mut self, message: impl Into<Box<str>>) -> Self {
        self.message = message.into();
        self
    }

    /// Where it was found.
    pub(super) const fn span(&self) -> Span {
        self.span
    }

    /// What stands there in the text it was found in.
    pub(super) fn marked<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.span.start()..self.span.end()).unwrap_or_default()
    }

    /// The same, found `offset` bytes further on in the file.
    pub(super) fn in_file(mut self, file: &str, text: &str, offset: usize) -> Self {
        self.file = Some(file.into());
        let placed = self.span.after(offset);
        if self.line.is_some() { self.at(text, placed) } else { self }
    }

    /// The same with file, line and excerpt of the file from which the policy was read.
    /// Unchanged if it is about no policy, or about none that this file holds.
    #[must_use]
    pub fn placed(self, file: &str, text: &str, sources: &[PolicySource]) -> Self {
        let source = sources.iter().find(|source| Some(&source.id) == self.policy.as_ref());
        let offset = source.and_then(|source| match &source.body {
            PolicyBody::Static { text: own } | PolicyBody::Template { text: own } => {
                text.find(own.as_ref())
            }
            PolicyBody::Link { .. } => None,
        });
        match offset {
            Some(offset) => self.in_file(file, text, offset),
            None => self,
        }
    }

    /// What faults are told in order of: their places first.
    #[must_use]
    pub fn order(&self) -> impl Ord + '_ {
        (&self.file, self.line, self.column, &self.policy, self.code, &self.message)
    }
}

/// Sorts faults by place and cuts their list to the limit, saying how many are left out.
pub(super) fn in_order(mut faults: Vec<Fault>, limit: usize) -> Vec<Fault> {
    faults.sort_by(|one, other| one.order().cmp(&other.order()));
    faults.dedup();
    if let Some(left_out @ 1..) = faults.len().checked_sub(limit) {
        faults.truncate(limit);
        let message = format!("{left_out} more faults are not shown");
        faults.extend(faults.last().map(|last| Fault::new(last.code, message)));
    }
    faults
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = [self.line, self.column].into_iter().flatten();
        let place = place.map(|number| number.to_string()).collect::<Vec<_>>().join(":");
        match (&self.file, place.as_str()) {
            (Some(file), "") => write!(f, "{file}: ")?,
            (Some(file), place) => write!(f, "{file}:{place}: ")?,
            (None, "") => {}
            (None, place) => write!(f, "{place}: ")?,
        }
        if let Some(policy) = &self.policy {
            write!(f, "policy `{policy}`: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(excerpt) = &self.excerpt {
            write!(f, "\n{excerpt}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n   help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_fault_is_shown_with_its_line_and_help() {
        let text = "permit (principal, action, resource)\nwhen {\n  principal.rol == \"x\"\n};";
        let start = text.find("principal.rol").unwrap();
        let fault = Fault::new("policy_invalid", "attribute `rol` not found")
            .about(&"web-reads".parse().unwrap())
            .with_help("did you mean `role`?")
            .at(text, Span::new(start, start + 13));
        let shown = fault.clone().in_file("a.cedar", text, 0).to_string();
        let expected = "a.cedar:3:3: policy `web-reads`: attribute `rol` not found\n    \
                        3 |   principal.rol == \"x\"\n      |   ^^^^^^^^^^^^^\n   \
                        help: did you mean `role`?";
        assert_eq!(shown, expected);
        assert!(fault.to_string().starts_with("3:3: policy `web-reads`:"));
    }

    #[test]
    fn a_fault_of_a_policy_finds_its_place_in_the_file() {
        let own = "@id(\"b\")\nforbid (principal, action, resource);";
        let file = format!("@id(\"a\")\npermit (principal, action, resource);\n\n{own}\n");
        let source = PolicySource {
            id: "b".parse().unwrap(),
            body: PolicyBody::Static { text: Arc::from(own) },
        };
        let fault = Fault::new("policy_invalid", "x").about(&source.id);
        let placed = fault.at(own, Span::new(9, 15)).placed("p.cedar", &file, &[source]);
        assert_eq!((placed.line, placed.column), (Some(5), Some(1)));
        assert!(placed.excerpt.unwrap().contains("5 | forbid"));
    }

    #[test]
    fn a_long_list_of_faults_is_cut_and_says_so() {
        let faults = (0..7).map(|n| Fault::new("policy_syntax", format!("f{n}"))).collect();
        let cut = in_order(faults, 5);
        assert_eq!(cut.len(), 6);
        assert_eq!(&*cut[5].message, "2 more faults are not shown");
    }
}
