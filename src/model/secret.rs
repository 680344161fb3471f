//! Secrets on their way through. None has `Debug`; all are wiped when dropped.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Digest;

/// Why a text is not a secret of the kind asked for; never says what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotASecret {
    /// More than can be accepted, refused before anything is computed with it.
    #[error("a password has at most {max} characters", max = Password::CHARS_MAX)]
    PasswordTooLong,
    /// Nothing typed.
    #[error("a password must not be empty")]
    PasswordEmpty,
    /// Not six digits.
    #[error("a code is six digits")]
    TotpCode,
    /// Not six groups of four letters and digits.
    #[error("a recovery code is six groups of four letters and digits")]
    RecoveryCode,
    /// Not a token of ours.
    #[error("not a token")]
    Token,
}

/// A password as typed, in NFC (SP 800-63B-4 §3.1.1.2), at most 128 characters.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// The longest password, in Unicode code points.
    pub const CHARS_MAX: usize = 128;
    /// The longest password, in bytes.
    pub const BYTES_MAX: usize = 512;

    /// The text, for hashing only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its length in Unicode code points.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }
}

impl FromStr for Password {
    type Err = NotASecret;
    fn from_str(text: &str) -> Result<Self, NotASecret> {
        if text.len() > Self::BYTES_MAX {
            return Err(NotASecret::PasswordTooLong);
        }
        let password = Self(text.nfc().collect());
        match password.chars() {
            0 => Err(NotASecret::PasswordEmpty),
            1..=Self::CHARS_MAX if password.0.len() <= Self::BYTES_MAX => Ok(password),
            _ => Err(NotASecret::PasswordTooLong),
        }
    }
}

/// Six decimal digits as typed by a person.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TotpCode([u8; 6]);

impl TotpCode {
    /// The digits, for checking only.
    #[must_use]
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for TotpCode {
    type Err = NotASecret;
    fn from_str(text: &str) -> Result<Self, NotASecret> {
        match <[u8; 6]>::try_from(text.as_bytes()) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            _ => Err(NotASecret::TotpCode),
        }
    }
}

/// An opaque 256-bit secret of ours: a session's or service's token, or a
/// ticket. Written `cs_<kind>_<43 characters of base64url>`, so that a secret
/// scanner can find one that leaked. Only [`SecretToken::digest`] is kept.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SecretToken(String);

impl SecretToken {
    /// Writes 32 random bytes as a token of a kind, such as `session`.
    #[must_use]
    pub fn new(kind: &'static str, random: &[u8; 32]) -> Self {
        let body = Zeroizing::new(URL_SAFE_NO_PAD.encode(random));
        Self(format!("cs_{kind}_{}", body.as_str()))
    }

    /// True if it is written as ours of a kind are. Whatever else was typed may be a password,
    /// and not even its hash is to be kept.
    #[must_use]
    pub fn is_written_as(&self, kind: &str) -> bool {
        let body = self.0.strip_prefix("cs_").and_then(|rest| rest.strip_prefix(kind));
        body.and_then(|rest| rest.strip_prefix('_'))
            .is_some_and(|body| URL_SAFE_NO_PAD.decode(body).is_ok_and(|bytes| bytes.len() == 32))
    }

    /// A token that nobody holds: what stands for a text that cannot be one.
    #[must_use]
    pub fn nobodys() -> Self {
        Self(String::new())
    }

    /// The text, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up: SHA-256 of the text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl FromStr for SecretToken {
    type Err = NotASecret;
    /// Reads anything that may be a token, ours or an identity provider's:
    /// 16 to 4,096 visible ASCII characters.
    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let fits = (16..=4_096).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASecret::Token)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_normalised_and_bounded() {
        let typed: Password = "e\u{301}".parse().ok().unwrap();
        assert_eq!(typed.expose(), "\u{e9}");
        let refusal = |text: &str| text.parse::<Password>().err();
        assert_eq!(refusal(""), Some(NotASecret::PasswordEmpty));
        assert_eq!(refusal(&"x".repeat(129)), Some(NotASecret::PasswordTooLong));
        assert_eq!(refusal(&"\u{1f600}".repeat(128)), None);
    }

    #[test]
    fn a_token_of_ours_is_known_by_its_form() {
        let ticket = SecretToken::new("ticket", &[7; 32]);
        assert!(ticket.is_written_as("ticket"));
        assert!(!ticket.is_written_as("token"));
        for other in ["correct-horse-battery", "cs_ticket_battery-horse-staple", "cs_ticket_"] {
            assert!(!SecretToken(other.to_owned()).is_written_as("ticket"), "{other}");
        }
    }

    #[test]
    fn a_code_is_six_digits() {
        assert!("123456".parse::<TotpCode>().is_ok());
        for bad in ["", "12345", "1234567", "12345a", "１２３４５６", " 12345"] {
            assert!(bad.parse::<TotpCode>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_recognisable_and_read_back() {
        let token = SecretToken::new("session", &[7; 32]);
        assert!(token.expose().starts_with("cs_session_"));
        let again: SecretToken = token.expose().parse().ok().unwrap();
        assert_eq!(again.digest(), token.digest());
        assert!("a b c d e f g h i".parse::<SecretToken>().is_err());
    }
}
