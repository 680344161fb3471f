//! Time-based one-time passwords (RFC 6238): SHA-1, six digits, 30 seconds, seeds
//! of 160 bits, which is what every authenticator app understands.
//!
//! Whether a step was used before is not asked here: the caller keeps the last
//! one accepted and takes only a later one (RFC 6238 §5.2, SP 800-63B-4 §3.1.4.2).

use totp_rs::{Builder, Secret, Totp, TotpError};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::model::{Moment, TotpCode, Username};

/// Bytes that are not a seed. They are not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a TOTP seed has {bytes} bytes, this has {0}", bytes = TotpSeed::BYTES)]
pub struct NotASeed(usize);

/// What server and authenticator app share: 160 random bits (RFC 4226 §4, R6).
/// No `Debug`, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TotpSeed([u8; Self::BYTES]);

impl TotpSeed {
    /// Its length, in bytes.
    pub const BYTES: usize = 20;

    /// The bytes, for sealing only.
    #[must_use]
    pub const fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Without names: enough to make and check codes.
    fn totp(&self) -> Totp {
        // "Noncompliant" checks nothing; sizes and numbers are constants that comply.
        self.parameters().build_noncompliant()
    }

    fn parameters(&self) -> Builder {
        // Skew 0: which steps count is decided by `matching_step`.
        Builder::new()
            .with_secret(Secret::new_stack(self.0))
            .with_step_duration(STEP_SECONDS)
            .with_skew(0)
    }
}

impl From<[u8; TotpSeed::BYTES]> for TotpSeed {
    /// From fresh random bytes.
    fn from(random: [u8; Self::BYTES]) -> Self {
        Self(random)
    }
}

impl TryFrom<&[u8]> for TotpSeed {
    type Error = NotASeed;
    /// From what was sealed.
    fn try_from(bytes: &[u8]) -> Result<Self, NotASeed> {
        bytes.try_into().map(Self).map_err(|_| NotASeed(bytes.len()))
    }
}

/// How long a code is shown, in seconds.
const STEP_SECONDS: u64 = 30;

/// The step whose code this is, of the current one and the one before: a person
/// needs time to type, but nobody has tomorrow's code honestly. The current one
/// if both have the same code. Codes are compared in constant time.
///
/// A step is a count of 30 seconds since 1970.
///
/// # Source
/// RFC 6238 §4.2, §5.2: at most one step for the delay. ASVS 6.5.5 allows 30 s of
/// life in all; a code lives up to 60 s here.
#[must_use]
pub fn matching_step(seed: &TotpSeed, code: &TotpCode, now: Moment) -> Option<u64> {
    let totp = seed.totp();
    let now = now.seconds();
    let current = totp.check(code.expose(), now);
    let previous = now.checked_sub(STEP_SECONDS).and_then(|then| totp.check(code.expose(), then));
    current.or(previous)
}

/// The code that an authenticator app shows at a moment: the client's side, for
/// rehearsals and tests. The server never needs it.
#[must_use]
pub fn code_at(seed: &TotpSeed, now: Moment) -> Zeroizing<String> {
    Zeroizing::new(seed.totp().generate(now.seconds()).to_string())
}

/// What a person needs to set up an authenticator app; shown once. No `Debug`.
pub struct Provisioning {
    /// The URI in the QR code, `otpauth://totp/…?secret=…&issuer=…`.
    pub otpauth_uri: Zeroizing<String>,
    /// The seed for typing: 32 characters of base32.
    pub secret_base32: Zeroizing<String>,
    /// The QR code as a PNG image. Drawn here: the seed goes to nobody else.
    pub qr_png: Zeroizing<Vec<u8>>,
}

/// The issuer's and the user's name together are too long for a QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the issuer and the user name do not fit into a QR code: choose a shorter issuer")]
pub struct DoesNotFit;

/// Writes the set-up of a seed for a user at an issuer, such as `Example Inc`.
/// Colons in either are written as `-`, for a colon separates them in the label.
///
/// # Errors
/// [`DoesNotFit`] above 2,331 bytes of URI, names percent-encoded.
///
/// # Source
/// Key URI Format of Google Authenticator; ISO/IEC 18004, level M.
pub fn provisioning(
    seed: &TotpSeed,
    user: &Username,
    issuer: &str,
) -> Result<Provisioning, DoesNotFit> {
    let issuer = Some(label(issuer)).filter(|issuer| !issuer.is_empty());
    let named = seed.parameters().with_account_name(label(user.as_str())).with_issuer(issuer);
    let totp = named.build().map_err(does_not_fit)?;
    Ok(Provisioning {
        otpauth_uri: Zeroizing::new(totp.to_url().map_err(does_not_fit)?),
        secret_base32: Zeroizing::new(totp.secret().to_base32()),
        qr_png: Zeroizing::new(totp.to_qr_png().map_err(does_not_fit)?),
    })
}

fn label(name: &str) -> String {
    name.trim().replace(':', "-")
}

/// All else that can be wrong was made right before; the crate's own errors are
/// not passed on, for some repeat the URI.
fn does_not_fit(_: TotpError) -> DoesNotFit {
    DoesNotFit
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The seed of RFC 6238 appendix B.
    fn seed() -> TotpSeed {
        TotpSeed::from(*b"12345678901234567890")
    }

    fn at(seconds: u64) -> Moment {
        Moment::EPOCH.plus_seconds(seconds)
    }

    fn code(text: &str) -> TotpCode {
        text.parse().ok().unwrap()
    }

    fn set_up(user: &str, issuer: &str) -> Result<Provisioning, DoesNotFit> {
        provisioning(&seed(), &user.parse().unwrap(), issuer)
    }

    /// RFC 6238 appendix B, SHA-1; the last six of its eight digits.
    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        for (seconds, digits) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let (_, six) = digits.split_at(2);
            assert_eq!(*code_at(&seed(), at(seconds)), six);
            assert_eq!(matching_step(&seed(), &code(six), at(seconds)), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_is_good_for_its_step_and_the_next_and_never_before() {
        let shown_at = 1_111_111_110; // the first second of a step
        let typed = code(&code_at(&seed(), at(shown_at)));
        let step = Some(shown_at / 30);
        let matched = |seconds| matching_step(&seed(), &typed, at(seconds));
        assert_eq!(matched(shown_at - 31), None);
        assert_eq!(matched(shown_at - 1), None, "the next step's code is not accepted");
        assert_eq!(matched(shown_at), step);
        assert_eq!(matched(shown_at + 29), step);
        assert_eq!(matched(shown_at + 30), step);
        assert_eq!(matched(shown_at + 59), step);
        assert_eq!(matched(shown_at + 60), None, "two steps ago is too late");
    }

    #[test]
    fn the_first_minute_of_1970_and_the_last_of_9999_are_moments_like_others() {
        assert_eq!(matching_step(&seed(), &code("755224"), Moment::EPOCH), Some(0)); // RFC 4226
        assert_eq!(matching_step(&seed(), &code("755224"), at(29)), Some(0));
        assert_eq!(matching_step(&seed(), &code("755224"), at(59)), Some(0));
        assert_eq!(matching_step(&seed(), &code("755224"), at(60)), None);
        let last = Moment::from_micros(i64::MAX);
        let typed = code(&code_at(&seed(), last));
        assert_eq!(matching_step(&seed(), &typed, last), Some(last.seconds() / 30));
    }

    proptest! {
        /// Law: of all codes, only the current and the previous step's match, and
        /// the step that is returned is the one whose code it is.
        #[test]
        fn only_two_codes_match_at_any_moment(
            random in any::<[u8; 20]>(),
            seconds in 30..200_000_000_000_u64,
            guess in 0..1_000_000_u32,
        ) {
            let seed = TotpSeed::from(random);
            let (current, previous) =
                (code_at(&seed, at(seconds)), code_at(&seed, at(seconds - 30)));
            for typed in [format!("{guess:06}"), current.to_string(), previous.to_string()] {
                let expected = if typed == *current {
                    Some(seconds / 30)
                } else if typed == *previous {
                    Some(seconds / 30 - 1)
                } else {
                    None
                };
                prop_assert_eq!(matching_step(&seed, &code(&typed), at(seconds)), expected);
            }
        }
    }

    #[test]
    fn the_uri_is_what_authenticator_apps_expect() {
        let set_up = set_up("alice@example.com", "Example Inc").unwrap();
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(*set_up.secret_base32, secret);
        assert_eq!(
            *set_up.otpauth_uri,
            format!(
                "otpauth://totp/Example%20Inc:alice%40example.com\
                 ?secret={secret}&issuer=Example%20Inc"
            )
        );
    }

    #[test]
    fn a_colon_or_an_empty_name_does_not_break_the_label() {
        let uri = |user, issuer| set_up(user, issuer).unwrap().otpauth_uri.to_string();
        let rest = "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(
            uri("urn:x:alice", "Example: Inc"),
            format!("otpauth://totp/Example-%20Inc:urn-x-alice{rest}&issuer=Example-%20Inc")
        );
        assert_eq!(uri("alice", " "), format!("otpauth://totp/alice{rest}"));
        assert_eq!(
            uri("\u{e9}va&secret=x", "A?B"),
            format!("otpauth://totp/A%3FB:%C3%A9va%26secret%3Dx{rest}&issuer=A%3FB")
        );
    }

    /// Another program decodes it in the end-to-end tests.
    #[test]
    fn the_qr_code_is_a_square_png_of_its_own() {
        let alice = set_up("alice", "Example Inc").unwrap();
        assert!(alice.qr_png.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"));
        let side = |at: usize| u32::from_be_bytes(alice.qr_png[at..at + 4].try_into().unwrap());
        assert_eq!(side(16), side(20));
        // 17 + 4 × version modules of 8 pixels, and 4 modules of margin on each side.
        let version = (side(16) / 8 - 8 - 17) / 4;
        assert_eq!(side(16), (17 + 4 * version + 8) * 8);
        assert!((5..=10).contains(&version), "{version}");
        assert_ne!(*alice.qr_png, *set_up("bob", "Example Inc").unwrap().qr_png);
    }

    #[test]
    fn names_too_long_for_a_qr_code_are_refused_without_repeating_them() {
        let longest = "\u{1f600}".repeat(Username::CHARS_MAX);
        assert!(set_up(&longest, "Example Inc").is_ok());
        assert_eq!(set_up(&longest, &"\u{1f600}".repeat(128)).err(), Some(DoesNotFit));
    }

    #[test]
    fn only_twenty_bytes_are_a_seed() {
        let again = TotpSeed::try_from(seed().expose().as_slice()).ok().unwrap();
        assert_eq!(again.expose(), seed().expose());
        assert_eq!(TotpSeed::try_from([0; 19].as_slice()).err(), Some(NotASeed(19)));
        assert_eq!(NotASeed(19).to_string(), "a TOTP seed has 20 bytes, this has 19");
    }
}
