//! How strongly a person has authenticated (NIST SP 800-63B-4, RFC 8176).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An authentication method, by its RFC 8176 §2 name. `mfa` is not stored: it
/// follows from the others.
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
}

impl Method {
    /// Its RFC 8176 name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Otp => "otp",
            Self::Pwd => "pwd",
            Self::Pop => "pop",
            Self::Hwk => "hwk",
            Self::Swk => "swk",
            Self::User => "user",
        }
    }
}

/// The methods used in one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Methods(pub BTreeSet<Method>);

impl Methods {
    /// The assurance that these methods give together; a single factor is AAL1
    /// (SP 800-63B-4 §2.1, §2.2). Nothing at all gives nothing.
    #[must_use]
    pub fn aal(&self) -> Option<Aal> {
        let known = self.0.contains(&Method::Pwd);
        let had = self.0.iter().any(|method| matches!(method, Method::Otp | Method::Pop));
        match (known, had) {
            (true, true) => Some(Aal::TWO),
            (true, false) | (false, true) => Some(Aal::ONE),
            (false, false) => None,
        }
    }

    /// True if no method used can be phished (a key bound to its verifier).
    #[must_use]
    pub fn phishing_resistant(&self) -> bool {
        self.0.contains(&Method::Pop)
    }

    /// The names for `amr`, with `mfa` where two factors were used.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&'static str> {
        let mut names: BTreeSet<_> = self.0.iter().map(|method| method.as_str()).collect();
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

    #[test]
    fn assurance_follows_from_the_methods_alone() {
        use Method::{Hwk, Otp, Pop, Pwd, User};
        let table: [(&[Method], Option<u8>); 8] = [
            (&[], None),
            (&[User], None),
            (&[Hwk], None),
            (&[Pwd], Some(1)),
            (&[Otp], Some(1)),
            (&[Pop], Some(1)),
            (&[Pwd, Otp], Some(2)),
            (&[Pwd, Pop, User], Some(2)),
        ];
        for (methods, level) in table {
            let methods: Methods = methods.iter().copied().collect();
            assert_eq!(methods.aal().map(Aal::get), level, "{methods:?}");
        }
    }
}
