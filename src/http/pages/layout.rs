//! The frame of every page, and the parts that pages are made of.

use maud::{DOCTYPE, Markup, Render, html};

use super::assets::{SCRIPT, STYLE};
use super::form::FormTag;
use super::visitor::Visitor;

/// What stands around a page.
pub enum Frame<'a> {
    /// Nothing that depends on who is there.
    Nobody,
    /// The visitor's name, and the way out.
    Visitor(&'a Visitor),
    /// The same around a page of one form, on the way to the others.
    Step(&'a Visitor),
}

/// A whole page.
pub fn document(title: &str, frame: &Frame<'_>, main: &Markup) -> Markup {
    let narrow = (!matches!(frame, Frame::Visitor(_))).then_some("narrow");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Countersign" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(STYLE.url());
                script src=(SCRIPT.url()) defer {}
            }
            body class=[narrow] {
                a.skip href="#main" { "Skip to the content" }
                header.top { (top(frame)) }
                main #main { (main) }
                footer.foot { p { "Every sign-in is recorded in a signed log." } }
            }
        }
    }
}

fn top(frame: &Frame<'_>) -> Markup {
    html! {
        a.mark href="/account" { "Countersign" }
        @if let Frame::Visitor(visitor) | Frame::Step(visitor) = frame {
            div.who {
                span.name { (visitor.name) }
                form method="post" action="/sign-out" {
                    (visitor.tag)
                    button.plain type="submit" { "Sign out" }
                }
            }
        }
    }
}

/// One line to type into, with its label, its hint and what is wrong with it.
#[derive(Clone, Copy, Default)]
pub struct Field<'a> {
    /// What it is called in the form; also its id, unless that is another.
    pub name: &'a str,
    /// Its id, where the page has another field of this name.
    pub id: Option<&'a str>,
    /// What it is called on the page.
    pub label: &'a str,
    /// `text`, `password`.
    pub kind: &'a str,
    /// What a browser may fill in.
    pub autocomplete: &'a str,
    /// What it holds already.
    pub value: &'a str,
    /// What to know before typing.
    pub hint: Option<&'a str>,
    /// What is wrong with what was typed.
    pub error: Option<&'a str>,
    /// Whether typing begins here.
    pub focus: bool,
    /// Whether it takes digits alone.
    pub digits: bool,
    /// Whether it may stay empty.
    pub optional: bool,
}

impl Render for Field<'_> {
    fn render(&self) -> Markup {
        let Self {
            name,
            id,
            label,
            kind,
            autocomplete,
            value,
            hint,
            error,
            focus,
            digits,
            optional,
        } = self;
        let id = id.unwrap_or(name);
        let (hint_id, error_id) = (format!("{id}-hint"), format!("{id}-error"));
        let about = [hint.map(|_| hint_id.as_str()), error.map(|_| error_id.as_str())];
        let about = about.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let about = (!about.is_empty()).then_some(about);
        html! {
            div.field {
                label for=(id) { (label) }
                @if let Some(hint) = hint { p.hint id=(hint_id) { (hint) } }
                @if let Some(error) = error { p.error id=(error_id) { (error) } }
                input id=(id) name=(name) type=(kind) class=[digits.then_some("digits")]
                    autocomplete=(autocomplete) value=[(!value.is_empty()).then_some(value)]
                    inputmode=[digits.then_some("numeric")]
                    aria-describedby=[about] aria-invalid=[error.map(|_| "true")]
                    autocapitalize="none" spellcheck="false"
                    autofocus=[focus.then_some("")] required=[(!optional).then_some("")];
            }
        }
    }
}

/// What is wrong with a form, before it, with the way to where it is put right.
pub fn summary(errors: &[(&str, &str)]) -> Markup {
    html! {
        @if !errors.is_empty() {
            div.summary role="alert" {
                h2 { "There is a problem" }
                ul {
                    @for (field, error) in errors { li { a href={ "#" (field) } { (error) } } }
                }
            }
        }
    }
}

/// What has just been done.
pub fn notice(text: Option<&str>) -> Markup {
    html! { @if let Some(text) = text { p.notice role="status" { (text) } } }
}

/// A form that is one button.
pub fn button(action: &str, tag: FormTag, class: &str, label: &Markup) -> Markup {
    html! {
        form method="post" action=(action) {
            (tag)
            button class=(class) type="submit" { (label) }
        }
    }
}

/// A section of a page: what it is about on one side, what there is on the other.
pub fn section(id: &str, title: &str, about: &Markup, content: &Markup) -> Markup {
    html! {
        section aria-labelledby=(id) {
            div.about { h2 id=(id) { (title) } (about) }
            div.content { (content) }
        }
    }
}
