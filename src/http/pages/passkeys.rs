//! Passkeys on the pages: what the script makes of them is asked of the API.

use maud::{Markup, html};

use super::authenticators::place;
use super::layout::{Field, section};
use super::visitor::{ACCOUNT, Visitor};
use super::words;
use crate::model::Aal;
use crate::projection::Passkey;

/// A session of one factor is not enough any more once there is a passkey: so it is used
/// at once.
const USED_AT_ONCE: &str = "/sign-in/code?done=passkey";

/// A block that the script shows where passkeys can be used, and nobody else sees.
struct Block<'a> {
    /// `get` or `create`.
    what: &'a str,
    /// Where the challenge comes from.
    options: &'a str,
    /// Where the answer goes.
    answer: &'a str,
    /// What of the page goes with the question.
    with: &'a str,
    /// The page after it.
    then: &'a str,
    /// Where a sign-in too long ago is made up for.
    again: &'a str,
    /// What stands in it.
    inside: &'a Markup,
}

impl Block<'_> {
    fn markup(&self) -> Markup {
        html! {
            div.passkey hidden data-passkey=(self.what) data-options=(self.options)
                data-answer=(self.answer) data-with=(self.with) data-then=(self.then)
                data-again=(self.again) {
                (self.inside)
                p.error role="alert" {}
            }
        }
    }
}

/// Beside the name and the password.
pub fn sign_in() -> Markup {
    let inside = html! {
        p.or { "or" }
        button type="button" { "Use a passkey" }
    };
    let block = Block {
        what: "get",
        options: "/auth/v1/login/passkey/options",
        answer: "/auth/v1/login/passkey",
        with: "username",
        then: ACCOUNT,
        again: "/sign-in?done=again",
        inside: &inside,
    };
    block.markup()
}

/// As a second factor, or to show once more who one is.
pub fn verify(beside_a_code: bool) -> Markup {
    let inside = html! {
        @if beside_a_code { p.or { "or" } }
        @else { p.lead { "Show a passkey of yours to go on." } }
        button class=[(!beside_a_code).then_some("primary")] type="button" { "Use a passkey" }
    };
    let block = Block {
        what: "get",
        options: "/auth/v1/verify-passkey/options",
        answer: "/auth/v1/verify-passkey",
        with: "",
        then: ACCOUNT,
        again: "/sign-in?done=again",
        inside: &inside,
    };
    html! {
        (block.markup())
        noscript { p.quiet { "To use a passkey, let this page run its script." } }
    }
}

/// The passkeys of a visitor, and where another is made.
pub fn list(visitor: &Visitor) -> Markup {
    let about = html! {
        p { "A key on a device of yours, for this site alone: nothing to type, and nothing that \
             could be typed on a false site." }
    };
    let content = html! {
        @if visitor.person.passkeys.is_empty() {
            p { "None yet." }
        } @else {
            ul.rows { @for one in &visitor.person.passkeys { (row(one)) } }
        }
        (making(visitor))
        noscript { p.quiet { "To add a passkey, let this page run its script." } }
    };
    section("passkeys", "Passkeys", &about, &content)
}

fn making(visitor: &Visitor) -> Markup {
    let label = Field {
        name: "label",
        id: Some("passkey-label"),
        label: "Name (if you like)",
        kind: "text",
        autocomplete: "off",
        optional: true,
        ..Field::default()
    };
    let inside = html! {
        div.inline { (label) button type="button" { "Add a passkey" } }
    };
    let block = Block {
        what: "create",
        options: "/auth/v1/passkeys/options",
        answer: "/auth/v1/passkeys",
        with: "label",
        then: if visitor.session.aal < Aal::TWO { USED_AT_ONCE } else { "/account?done=passkey" },
        again: visitor.again(),
        inside: &inside,
    };
    block.markup()
}

fn row(one: &Passkey) -> Markup {
    let name = called(one);
    html! {
        li {
            div {
                strong { (name) } " "
                @if one.credential.disabled { span.badge.bad { "Disabled" } }
                p.quiet { (kind(one)) }
                p.quiet {
                    "Added " (words::moment(one.registered_at))
                    @if let Some(used) = one.used_at { ", last used " (words::moment(used)) }
                }
            }
            a href=(place(one.credential.id)) { "Change" span.unseen { " " (name) } }
        }
    }
}

fn called(one: &Passkey) -> &str {
    match one.label.as_str() {
        "" if one.user_verifying => "Passkey",
        "" => "Security key",
        label => label,
    }
}

/// What it can give, as far as that is known of it (SP 800-63B-4 §2.3.2, appendix B).
fn kind(one: &Passkey) -> &'static str {
    match (one.user_verifying, one.backup_eligible, one.attested.is_some()) {
        (false, ..) => "Beside your password: it does not check who uses it",
        (true, true, _) => "Signs in by itself, up to AAL2: it may be copied between devices",
        (true, false, true) => "Signs in by itself, up to AAL3: in attested hardware",
        (true, false, false) => "Signs in by itself, up to AAL2: it stays on its device",
    }
}
