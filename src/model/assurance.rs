//! How strongly a person has authenticated (NIST SP 800-63B-4, RFC 8176).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a person has shown: an authentication method by its RFC 8176 §2 name, or what is
/// known of the key they used. `mfa` is not stored: it follows from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A one-time code.
    Otp,
    /// A password.
    Pwd,
    /// Proof of possession of a key, such as a passkey.
    Pop,
    /// A hardware-protected key.
    Hwk,
    /// A software-protected key.
    Swk,
    /// A test of the user's presence.
    User,
    /// The key's authenticator has verified its user, by PIN or biometric: which, nobody
    /// but the authenticator knows, so it has no RFC 8176 name (`WebAuthn` §6.1, flag UV).
    Uv,
    /// The key may be copied to other devices (`WebAuthn` §6.1, flag BE). It bounds what
    /// the key can give, and has no RFC 8176 name.
    Be,
}

impl Method {
    /// Its RFC 8176 name, if it has one.
    #[must_use]
    pub const fn rfc8176(self) -> Option<&'static str> {
        match self {
            Self::Otp => Some("otp"),
            Self::Pwd => Some("pwd"),
            Self::Pop => Some("pop"),
            Self::Hwk => Some("hwk"),
            Self::Swk => Some("swk"),
            Self::User => Some("user"),
            Self::Uv | Self::Be => None,
        }
    }
}

/// The methods used in one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Methods(pub BTreeSet<Method>);

impl Methods {
    /// The assurance that these methods give together. Nothing at all gives nothing.
    ///
    /// A single factor is AAL1; two are AAL2: a password beside something had, or a key
    /// that has verified its user. AAL3 takes such a key, attested to be held in hardware
    /// (`hwk`), that cannot be copied.
    ///
    /// # Source
    /// SP 800-63B-4 §2.1.1, §2.2.1, §2.3.1; §3.1.7.2 (what UV says counts); appendix B
    /// (a key that can be copied is not for AAL3).
    #[must_use]
    pub fn aal(&self) -> Option<Aal> {
        let shown = |method| self.0.contains(&method);
        let (password, key) = (shown(Method::Pwd), shown(Method::Pop));
        let activated = key && shown(Method::Uv);
        let had = key || shown(Method::Otp);
        if activated && shown(Method::Hwk) && !shown(Method::Be) {
            Some(Aal::THREE)
        } else if activated || (password && had) {
            Some(Aal::TWO)
        } else if password || had {
            Some(Aal::ONE)
        } else {
            None
        }
    }

    /// True if a key bound to its verifier was used, which cannot be phished
    /// (SP 800-63B-4 §3.2.5).
    #[must_use]
    pub fn phishing_resistant(&self) -> bool {
        self.0.contains(&Method::Pop)
    }

    /// The names for `amr`, with `mfa` where two factors were used.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&'static str> {
        let mut names: BTreeSet<_> = self.0.iter().filter_map(|it| it.rfc8176()).collect();
        if self.aal() >= Some(Aal::TWO) {
            names.insert("mfa");
        }
        names
    }

    /// These and one more.
    #[must_use]
    pub fn with(mut self, method: Method) -> Self {
        self.0.insert(method);
        self
    }
}

impl FromIterator<Method> for Methods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        Self(methods.into_iter().collect())
    }
}

/// An authenticator assurance level, 1 to 3 (SP 800-63B-4 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Aal(u8);

impl Aal {
    /// One factor.
    pub const ONE: Self = Self(1);
    /// Two factors.
    pub const TWO: Self = Self(2);
    /// Two factors, one of them a non-exportable phishing-resistant key.
    pub const THREE: Self = Self(3);

    /// The level as a number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Aal {
    type Error = String;
    fn try_from(level: u8) -> Result<Self, String> {
        match level {
            1..=3 => Ok(Self(level)),
            _ => Err(format!("an assurance level is 1, 2 or 3, not {level}")),
        }
    }
}

impl From<Aal> for u8 {
    fn from(aal: Aal) -> Self {
        aal.0
    }
}

impl fmt::Display for Aal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AAL{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every set of methods there is, against the table of the specification read aloud.
    #[test]
    fn assurance_follows_from_the_methods_alone() {
        use Method::{Be, Hwk, Otp, Pop, Pwd, Swk, User, Uv};
        let all = [Otp, Pwd, Pop, Hwk, Swk, User, Uv, Be];
        let mut seen = [0; 4];
        for bits in 0_u32..1 << all.len() {
            let chosen = all.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1);
            let methods: Methods = chosen.map(|(_, method)| *method).collect();
            let has = |method| methods.0.contains(&method);
            let level = match (has(Pwd), has(Otp), has(Pop), has(Uv)) {
                (false, false, false, _) => 0,
                (_, _, true, true) if has(Hwk) && !has(Be) => 3,
                (_, _, true, true) | (true, _, true, false) | (true, true, false, _) => 2,
                (true, false, false, _) | (false, true, false, _) | (false, _, true, false) => 1,
            };
            assert_eq!(methods.aal().map_or(0, Aal::get), level, "{methods:?}");
            assert_eq!(methods.phishing_resistant(), has(Pop));
            assert_eq!(methods.names().contains("mfa"), level >= 2);
            seen[usize::from(level)] += 1;
        }
        // Of 2^8 sets: 2^5 without a factor; AAL3 takes three flags set and one clear.
        assert_eq!(seen, [32, 96, 112, 16]);
    }

    #[test]
    fn what_is_known_of_a_key_is_not_named_as_a_method() {
        let methods: Methods = [Method::Pop, Method::Uv, Method::Be].into_iter().collect();
        assert_eq!(methods.names(), ["mfa", "pop"].into());
    }
}
