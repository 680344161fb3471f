//! The settings that can alter a decision.

use super::SettingError;
use super::known;
use super::layer::Layers;
use crate::event::{DecisionSettings, PolicySettings, SessionLimits, ThrottleSettings};
use crate::model::EntityType;

/// Reads them, checked against their bounds and against each other.
/// What a login can reach is none of them: it follows from where passkeys are used.
pub(super) fn read(layers: &Layers) -> Result<DecisionSettings, SettingError> {
    let settings = DecisionSettings {
        namespace: layers.parsed(&known::NAMESPACE)?.map(|Named(name)| name),
        user_type: layers.required::<Named>(&known::USER_TYPE)?.0,
        forbid_errors_deny: layers.switch(&known::FORBID_ERRORS_DENY)?,
        session: SessionLimits {
            aal1_absolute_s: layers.number(&known::AAL1_ABSOLUTE_S)?,
            aal1_idle_s: layers.number(&known::AAL1_IDLE_S)?,
            aal2_absolute_s: layers.number(&known::AAL2_ABSOLUTE_S)?,
            aal2_idle_s: layers.number(&known::AAL2_IDLE_S)?,
            aal3_absolute_s: layers.number(&known::AAL3_ABSOLUTE_S)?,
            aal3_idle_s: layers.number(&known::AAL3_IDLE_S)?,
            ticket_s: layers.number(&known::TICKET_S)?,
            mfa_pending_s: layers.number(&known::MFA_PENDING_S)?,
        },
        throttle: ThrottleSettings {
            failures_free: layers.number(&known::FAILURES_FREE)?,
            delay_base_s: layers.number(&known::DELAY_BASE_S)?,
            delay_max_s: layers.number(&known::DELAY_MAX_S)?,
            failures_max_password: layers.number(&known::FAILURES_MAX_PASSWORD)?,
            failures_max_totp: layers.number(&known::FAILURES_MAX_TOTP)?,
        },
        policies: PolicySettings { four_eyes: layers.switch(&known::FOUR_EYES)? },
        ..DecisionSettings::default()
    };
    keeps_clear_of_administration(&settings)?;
    in_order(&settings)?;
    Ok(settings)
}

/// An entity type as written in a setting.
struct Named(EntityType);

impl std::str::FromStr for Named {
    type Err = crate::model::NotAUid;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        EntityType::new(text).map(Self)
    }
}

/// A caller's bare `Node` must never come to mean Countersign's own.
fn keeps_clear_of_administration(settings: &DecisionSettings) -> Result<(), SettingError> {
    let named = [
        (known::NAMESPACE.name, settings.namespace.as_ref()),
        (known::USER_TYPE.name, Some(&settings.user_type)),
    ];
    for (name, kind) in named {
        if let Some(kind) = kind.filter(|kind| kind.is_reserved()) {
            return Err(SettingError::Reserved { name, found: kind.to_string() });
        }
    }
    Ok(())
}

fn in_order(settings: &DecisionSettings) -> Result<(), SettingError> {
    let DecisionSettings { session, throttle, .. } = settings;
    let pairs = [
        (
            (known::AAL1_IDLE_S.name, session.aal1_idle_s),
            (known::AAL1_ABSOLUTE_S.name, session.aal1_absolute_s),
        ),
        (
            (known::AAL2_IDLE_S.name, session.aal2_idle_s),
            (known::AAL2_ABSOLUTE_S.name, session.aal2_absolute_s),
        ),
        (
            (known::AAL3_IDLE_S.name, session.aal3_idle_s),
            (known::AAL3_ABSOLUTE_S.name, session.aal3_absolute_s),
        ),
        (
            (known::DELAY_BASE_S.name, throttle.delay_base_s),
            (known::DELAY_MAX_S.name, throttle.delay_max_s),
        ),
    ];
    for ((less, lesser), (more, greater)) in pairs {
        if lesser > greater {
            return Err(SettingError::Order { less, lesser, more, greater });
        }
    }
    Ok(())
}
