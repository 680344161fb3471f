//! Conditions told once, beneath a table, and named in its rows by a letter.

use super::super::page::Page;

/// The conditions told so far, in order.
#[derive(Default)]
pub(super) struct Conditions(Vec<String>);

impl Conditions {
    /// The mark of a condition, new or known: `(a)`.
    pub(super) fn mark(&mut self, text: String) -> String {
        let known = self.0.iter().position(|known| *known == text);
        let at = known.unwrap_or_else(|| {
            self.0.push(text);
            self.0.len() - 1
        });
        mark(at)
    }

    /// Tells what each mark stands for.
    pub(super) fn tell(&self, page: &mut Page) {
        for (at, text) in self.0.iter().enumerate() {
            page.paragraph(&format!("{} {text}", mark(at)));
        }
    }
}

/// Letters as far as they go, then numbers.
fn mark(at: usize) -> String {
    let letter = ('a'..='z').nth(at);
    letter.map_or_else(|| format!("({})", at + 1), |letter| format!("({letter})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_told_once_however_often_it_is_named() {
        let mut conditions = Conditions::default();
        let marks = ["x", "y", "x"].map(|text| conditions.mark(text.to_owned()));
        assert_eq!(marks, ["(a)", "(b)", "(a)"]);
        assert_eq!(conditions.0, ["x", "y"]);
        assert_eq!((mark(25), mark(26)), ("(z)".to_owned(), "(27)".to_owned()));
    }
}
