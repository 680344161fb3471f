//! The settings that can alter a decision. A changed value is itself an event,
//! so that a replay decides under the values of its time.

use serde::{Deserialize, Serialize};

use crate::model::{Aal, Acr, EntityType};

/// Settings that belong to the World (`countersign.settings.adopted.v1`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionSettings {
    /// Put before a type or action named without `::`; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<EntityType>,
    /// The entity type of the persons who log in here.
    pub user_type: EntityType,
    /// Whether a `forbid` whose evaluation errs denies (it is skipped by Cedar).
    pub forbid_errors_deny: bool,
    /// How long sessions last.
    pub session: SessionLimits,
    /// How failed attempts slow down the next.
    pub throttle: ThrottleSettings,
    /// The highest class that a login here can reach: without a place for passkeys, none
    /// that takes a key; without a list of attested hardware, none that takes that. Not
    /// written if it is the highest of all, as builds without it did not.
    #[serde(skip_serializing_if = "is_highest")]
    pub login_max: Acr,
    /// How policies come in force; older builds did not say.
    #[serde(skip_serializing_if = "PolicySettings::is_default")]
    pub policies: PolicySettings,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_highest(it: &Acr) -> bool {
    matches!(it, Acr::HardwareProtected)
}

/// The absolute limit at AAL3 unless another is set. Not written then, as builds without it
/// did not.
const AAL3_ABSOLUTE_S: u64 = 43_200;
/// The idle limit at AAL3 unless another is set.
const AAL3_IDLE_S: u64 = 900;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_aal3_absolute(it: &u64) -> bool {
    *it == AAL3_ABSOLUTE_S
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_aal3_idle(it: &u64) -> bool {
    *it == AAL3_IDLE_S
}

/// How long a session is in force, in seconds (SP 800-63B-4 §2.1.3, §2.2.3, §2.3.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionLimits {
    /// From the last authentication, at AAL1.
    pub aal1_absolute_s: u64,
    /// Without a decision or a call of its own, at AAL1.
    pub aal1_idle_s: u64,
    /// From the last authentication, at AAL2.
    pub aal2_absolute_s: u64,
    /// Without a decision or a call of its own, at AAL2.
    pub aal2_idle_s: u64,
    /// From the last authentication, at AAL3.
    #[serde(skip_serializing_if = "is_aal3_absolute")]
    pub aal3_absolute_s: u64,
    /// Without a decision or a call of its own, at AAL3.
    #[serde(skip_serializing_if = "is_aal3_idle")]
    pub aal3_idle_s: u64,
    /// How long an enrolment ticket may be used.
    pub ticket_s: u64,
    /// How long an authenticator being set up waits for its first right code.
    pub mfa_pending_s: u64,
}

impl SessionLimits {
    /// The absolute limit at a level, in seconds.
    #[must_use]
    pub fn absolute_s(&self, aal: Aal) -> u64 {
        match aal {
            Aal::ONE => self.aal1_absolute_s,
            Aal::TWO => self.aal2_absolute_s,
            // A stronger session lasts no longer than a weaker one.
            _ => self.aal3_absolute_s.min(self.aal2_absolute_s),
        }
    }

    /// The idle limit at a level, in seconds.
    #[must_use]
    pub fn idle_s(&self, aal: Aal) -> u64 {
        match aal {
            Aal::ONE => self.aal1_idle_s,
            Aal::TWO => self.aal2_idle_s,
            _ => self.aal3_idle_s.min(self.aal2_idle_s),
        }
    }
}

/// How failed attempts slow down the next (SP 800-63B-4 §3.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThrottleSettings {
    /// Consecutive failures without a delay.
    pub failures_free: u32,
    /// The first delay, in seconds; each further failure doubles it.
    pub delay_base_s: u64,
    /// The longest delay, in seconds.
    pub delay_max_s: u64,
    /// Consecutive failures that disable a password, or a set of recovery codes.
    pub failures_max_password: u32,
    /// Consecutive failures that disable a TOTP authenticator.
    pub failures_max_totp: u32,
}

impl ThrottleSettings {
    /// Seconds to wait after so many consecutive failures.
    #[must_use]
    pub fn delay_s(&self, failures: u32) -> u64 {
        let Some(doublings) = failures.checked_sub(self.failures_free.max(1)) else { return 0 };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        self.delay_base_s.saturating_mul(factor).min(self.delay_max_s)
    }
}

/// How the owner's policies come in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// Whether a version comes in force only after somebody other than its author has
    /// approved it.
    pub four_eyes: bool,
}

impl PolicySettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for DecisionSettings {
    fn default() -> Self {
        Self {
            namespace: None,
            user_type: EntityType::user(),
            forbid_errors_deny: true,
            session: SessionLimits::default(),
            throttle: ThrottleSettings::default(),
            login_max: Acr::HardwareProtected,
            policies: PolicySettings::default(),
        }
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            aal1_absolute_s: 86_400,
            aal1_idle_s: 3_600,
            aal2_absolute_s: 43_200,
            aal2_idle_s: 3_600,
            aal3_absolute_s: AAL3_ABSOLUTE_S,
            aal3_idle_s: AAL3_IDLE_S,
            ticket_s: 86_400,
            mfa_pending_s: 600,
        }
    }
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        Self {
            failures_free: 3,
            delay_base_s: 1,
            delay_max_s: 900,
            failures_max_password: 100,
            failures_max_totp: 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_their_limit() {
        let throttle = ThrottleSettings::default();
        let delays: Vec<_> = (0..8).map(|failures| throttle.delay_s(failures)).collect();
        assert_eq!(delays, [0, 0, 0, 1, 2, 4, 8, 16]);
        assert_eq!(throttle.delay_s(u32::MAX), 900);
    }

    #[test]
    fn a_session_lasts_as_its_level_says_and_a_stronger_one_no_longer() {
        let limits = SessionLimits::default();
        let lasting = |limits: &SessionLimits| {
            [Aal::ONE, Aal::TWO, Aal::THREE].map(|aal| (limits.absolute_s(aal), limits.idle_s(aal)))
        };
        assert_eq!(lasting(&limits), [(86_400, 3_600), (43_200, 3_600), (43_200, 900)]);
        let brief = SessionLimits { aal2_absolute_s: 600, aal2_idle_s: 60, ..limits };
        assert_eq!(lasting(&brief)[2], (600, 60));
    }

    /// Goal: the settings of older builds are adopted as what they were.
    #[test]
    fn what_older_builds_did_not_write_is_written_only_if_it_differs() {
        let written = |limits: &SessionLimits| serde_json::to_string(limits).unwrap();
        let limits = SessionLimits::default();
        assert!(!written(&limits).contains("aal3"));
        let other = SessionLimits { aal3_idle_s: 60, ..limits };
        assert!(written(&other).contains("\"aal3_idle_s\":60"));
        assert_eq!(serde_json::from_str(&written(&other)).ok(), Some(other));
    }

    #[test]
    fn what_is_absent_is_the_default() {
        assert_eq!(serde_json::from_str("{}").ok(), Some(DecisionSettings::default()));
        assert!(serde_json::from_str::<DecisionSettings>(r#"{"colour":1}"#).is_err());
    }
}
