//! The session that a test supposes its subject to have.

use serde::Deserialize;
use uuid::Uuid;

use crate::event::SessionFacts;
use crate::model::{Aal, Acr, Method, Methods, Moment};

/// Who vouches for a supposed session, unless the test says so.
const HERE: &str = "countersign";

/// A session as a test states it: how strongly its person has authenticated, and how long
/// ago. What policies see of it follows from that, as it does for a real one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct SupposedSession {
    aal: Aal,
    methods: Methods,
    age_seconds: u64,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    aal: Option<Aal>,
    acr: Option<Acr>,
    amr: Option<Vec<String>>,
    #[serde(default)]
    age_seconds: u64,
    source: Option<String>,
}

impl TryFrom<Written> for SupposedSession {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { aal, acr, amr, age_seconds, source } = written;
        let methods = match (&amr, acr, aal) {
            (Some(_), Some(_), _) => {
                return Err("session: give `acr` or `amr`, not both".to_owned());
            }
            (Some(names), None, _) => names.iter().map(|name| method(name)).collect(),
            (None, Some(acr), _) => Ok(acr.methods()),
            (None, None, Some(aal)) => Ok(fewest(aal)),
            (None, None, None) => {
                return Err("session: say how strong it is, such as `\"aal\": 2`".to_owned());
            }
        }?;
        let reached = methods.aal().ok_or("session: `amr` names no method of a login")?;
        let aal = aal.unwrap_or(reached);
        // A source may be believed less than its methods would give, never more.
        if aal > reached {
            return Err(format!("session: these methods give {reached} at most, not {aal}"));
        }
        let source = source.unwrap_or_else(|| HERE.to_owned());
        Ok(Self { aal, methods, age_seconds, source })
    }
}

/// The fewest methods of a login that reaches a level.
fn fewest(aal: Aal) -> Methods {
    let reaches = |acr: &Acr| acr.aal() == aal;
    Acr::ALL.into_iter().find(reaches).map(Acr::methods).unwrap_or_default()
}

fn method(name: &str) -> Result<Method, String> {
    if name == "mfa" {
        return Err("session: leave out `mfa`: it follows from the other methods".to_owned());
    }
    serde_json::from_value(name.into()).map_err(|_| {
        format!("session: no method `{name}`; there are otp, pwd, pop, hwk, swk, user, uv and be")
    })
}

impl SupposedSession {
    /// A session of a class, authenticated at the moment of the question.
    pub(super) fn fresh(acr: Acr) -> Self {
        let (aal, methods) = (acr.aal(), acr.methods());
        Self { aal, methods, age_seconds: 0, source: HERE.to_owned() }
    }

    /// Its level.
    pub(super) const fn aal(&self) -> Aal {
        self.aal
    }

    /// What it contributes to a decision at that moment.
    pub(super) fn facts(&self, now: Moment) -> SessionFacts {
        SessionFacts {
            id: Uuid::nil(),
            aal: self.aal.get(),
            methods: self.methods.0.clone(),
            authenticated_at: now.minus_seconds(self.age_seconds),
            source: self.source.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(json: Value) -> Result<SupposedSession, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_level_a_class_or_methods_say_how_strong_a_session_is() {
        let two = read(json!({"aal": 2, "age_seconds": 60})).unwrap();
        assert_eq!((two.aal, &two.methods), (Aal::TWO, &Acr::Aal2.methods()));
        let now = Moment::EPOCH.plus_seconds(1_000);
        assert_eq!(two.facts(now).authenticated_at, Moment::EPOCH.plus_seconds(940));
        assert_eq!(read(json!({"acr": "phr"})).unwrap().methods, Acr::PhishingResistant.methods());
        let bounded = read(json!({"aal": 1, "amr": ["pwd", "otp"]})).unwrap();
        assert_eq!((bounded.aal, bounded.methods.aal()), (Aal::ONE, Some(Aal::TWO)));
    }

    #[test]
    fn a_session_that_cannot_be_is_refused_with_a_reason() {
        for (json, says) in [
            (json!({}), "say how strong"),
            (json!({"aal": 4}), "1, 2 or 3"),
            (json!({"aal": 2, "amr": ["pwd"]}), "AAL1 at most"),
            (json!({"amr": ["mfa", "pwd"]}), "follows from"),
            (json!({"amr": ["fingerprint"]}), "no method `fingerprint`"),
            (json!({"amr": []}), "names no method"),
            (json!({"acr": "phr", "amr": ["pwd"]}), "not both"),
            (json!({"level": 2}), "unknown field `level`"),
        ] {
            let refused = read(json).unwrap_err();
            assert!(refused.contains(says), "{refused}");
        }
    }
}
