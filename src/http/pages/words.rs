//! What is known, in the words of the pages.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::super::Problem;
use crate::model::{Aal, Label, Method, Methods, Moment, NotAName};

/// A message of ours as a sentence: a capital first and a full stop.
pub fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>());
    let mut sentence = first.unwrap_or_default() + letters.as_str();
    if !sentence.ends_with(['.', '?', '!']) {
        sentence.push('.');
    }
    sentence
}

/// What somebody calls a thing of theirs.
///
/// # Errors
/// 400 if it is too long, or not text.
pub fn label(typed: &str) -> Result<Label, Problem> {
    let bad = |error: NotAName| Problem::bad("bad_label", error.to_string());
    typed.trim().parse().map_err(bad)
}

/// A moment to the minute, in UTC.
pub fn moment(moment: Moment) -> Markup {
    let time = DateTime::<Utc>::from(moment);
    html! {
        // It breaks between day and hour, and nowhere else.
        time datetime=(moment) { (time.format("%-d\u{a0}%b\u{a0}%Y, %H:%M\u{a0}UTC")) }
    }
}

/// What a level of assurance takes (SP 800-63B-4 §2).
pub fn level(aal: Aal) -> &'static str {
    if aal == Aal::THREE {
        "two factors, one of them a hardware key that cannot be copied"
    } else if aal == Aal::TWO {
        "two factors"
    } else {
        "one factor"
    }
}

/// The methods of a session, as far as they are known.
pub fn methods(methods: &Methods) -> String {
    let named = |method: &Method| match method {
        Method::Pwd => Some("password"),
        Method::Otp => Some("code from an authenticator app"),
        Method::Pop if methods.0.contains(&Method::Uv) => {
            Some("passkey, unlocked by its PIN or biometric")
        }
        Method::Pop => Some("passkey"),
        Method::Hwk | Method::Swk | Method::User | Method::Uv | Method::Be => None,
    };
    // The password comes first, as it did when signing in.
    let (first, rest): (Vec<_>, Vec<_>) = methods.0.iter().partition(|it| **it == Method::Pwd);
    first.into_iter().chain(rest).filter_map(named).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_a_sentence() {
        assert_eq!(sentence("the code is wrong"), "The code is wrong.");
        assert_eq!(sentence("Done."), "Done.");
    }

    #[test]
    fn a_moment_is_written_for_people_and_for_programs() {
        let noon: Moment = "2026-11-02T12:04:59Z".parse().unwrap();
        let written = moment(noon).0.replace('\u{a0}', "_");
        let (of_programs, of_people) = written.split_once('>').unwrap();
        assert_eq!(of_programs, "<time datetime=\"2026-11-02T12:04:59.000000Z\"");
        assert_eq!(of_people, "2_Nov_2026, 12:04_UTC</time>");
    }

    /// Goal: no biometrics are claimed that nobody has seen.
    #[test]
    fn only_what_is_known_of_a_session_is_said() {
        use Method::{Be, Hwk, Otp, Pop, Pwd, User, Uv};
        let said = |all: &[Method]| methods(&all.iter().copied().collect());
        assert_eq!(said(&[Pwd]), "password");
        assert_eq!(said(&[Otp, Pwd]), "password and code from an authenticator app");
        assert_eq!(said(&[Pop, User, Be]), "passkey");
        assert_eq!(said(&[Pop, Uv, Hwk]), "passkey, unlocked by its PIN or biometric");
    }
}
