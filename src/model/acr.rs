//! Authentication context classes: what a person can be asked to reach (RFC 9470 §3).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Aal, Method, Methods};

/// A class that an application can ask a person to reach, cheapest first.
///
/// `phr` and `phrh` are registered (OpenID Connect EAP ACR Values 1.0 §2); for the levels
/// of SP 800-63B-4 there are no registered names, so those are Countersign's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Acr {
    /// One factor.
    #[serde(rename = "urn:countersign:aal1")]
    Aal1,
    /// Two factors.
    #[serde(rename = "urn:countersign:aal2")]
    Aal2,
    /// Two factors, one of them a key that cannot be phished.
    #[serde(rename = "phr")]
    PhishingResistant,
    /// The same, the key held in hardware that does not give it away.
    #[serde(rename = "phrh")]
    HardwareProtected,
}

impl Acr {
    /// All of them, cheapest first.
    pub const ALL: [Self; 4] =
        [Self::Aal1, Self::Aal2, Self::PhishingResistant, Self::HardwareProtected];

    /// Its name in `acr_values`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "urn:countersign:aal1",
            Self::Aal2 => "urn:countersign:aal2",
            Self::PhishingResistant => "phr",
            Self::HardwareProtected => "phrh",
        }
    }

    /// The level it stands for.
    #[must_use]
    pub const fn aal(self) -> Aal {
        match self {
            Self::Aal1 => Aal::ONE,
            Self::Aal2 | Self::PhishingResistant => Aal::TWO,
            Self::HardwareProtected => Aal::THREE,
        }
    }

    /// The fewest methods of a login that reaches it.
    #[must_use]
    pub fn methods(self) -> Methods {
        let shown: &[Method] = match self {
            Self::Aal1 => &[Method::Pwd],
            Self::Aal2 => &[Method::Otp, Method::Pwd],
            Self::PhishingResistant => &[Method::Pop, Method::User, Method::Uv],
            Self::HardwareProtected => &[Method::Hwk, Method::Pop, Method::User, Method::Uv],
        };
        shown.iter().copied().collect()
    }

    /// The highest that methods reach under a bound on their level; none for no method.
    #[must_use]
    pub fn of(methods: &Methods, aal_max: Aal) -> Option<Self> {
        let aal = methods.aal()?.min(aal_max);
        Some(match (aal >= Aal::THREE, aal >= Aal::TWO, methods.phishing_resistant()) {
            (true, ..) => Self::HardwareProtected,
            (_, true, true) => Self::PhishingResistant,
            (_, true, false) => Self::Aal2,
            (_, false, _) => Self::Aal1,
        })
    }
}

impl fmt::Display for Acr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_reached_by_its_own_methods_and_no_higher_one_is() {
        for acr in Acr::ALL {
            assert_eq!(Acr::of(&acr.methods(), Aal::THREE), Some(acr));
            assert_eq!(acr.methods().aal(), Some(acr.aal()));
            assert_eq!(serde_json::to_value(acr).unwrap(), acr.as_str());
        }
        assert!(Acr::ALL.is_sorted());
        assert_eq!(Acr::of(&Methods::default(), Aal::THREE), None);
    }

    #[test]
    fn a_bound_on_the_level_bounds_the_class() {
        let best = Acr::HardwareProtected.methods();
        assert_eq!(Acr::of(&best, Aal::TWO), Some(Acr::PhishingResistant));
        assert_eq!(Acr::of(&best, Aal::ONE), Some(Acr::Aal1));
    }
}
