//! From each room's refusals to what a caller hears.

use actix_web::http::StatusCode;
use serde_json::json;

use super::Problem;
use crate::cedar::Fault;
use crate::node::NodeError;
use crate::{authn, pap, pip};

impl From<authn::Refusal> for Problem {
    fn from(refusal: authn::Refusal) -> Self {
        let status = match refusal.code() {
            "login_failed" | "mfa_failed" | "passkey_failed" | "recovery_failed"
            | "ticket_invalid" | "session_over" => StatusCode::UNAUTHORIZED,
            "throttled" => StatusCode::TOO_MANY_REQUESTS,
            "assurance_too_low"
            | "reauthentication_required"
            | "not_yours"
            | "person_required"
            | "password_change_required"
            | "recovery_only" => StatusCode::FORBIDDEN,
            "person_unknown" | "service_unknown" | "session_unknown" | "authenticator_unknown" => {
                StatusCode::NOT_FOUND
            }
            "passkey_not_set_up"
            | "passkey_exists"
            | "passkeys_full"
            | "person_exists"
            | "last_administrator"
            | "mfa_not_set_up"
            | "mfa_disabled"
            | "password_not_in_use"
            | "role_unchanged"
            | "person_disabled"
            | "person_erased"
            | "service_exists"
            | "too_many_authenticators"
            | "password_required"
            | "password_too_short_alone" => StatusCode::CONFLICT,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Self::new(status, refusal.code(), refusal.to_string());
        match refusal {
            authn::Refusal::Throttled { retry_after_s } => problem.retry_after(retry_after_s),
            _ => problem,
        }
    }
}

impl From<pap::Refusal> for Problem {
    fn from(refusal: pap::Refusal) -> Self {
        authored(refusal.code(), refusal.to_string(), refusal.faults())
    }
}

impl From<pip::Refusal> for Problem {
    fn from(refusal: pip::Refusal) -> Self {
        authored(refusal.code(), refusal.to_string(), refusal.faults())
    }
}

/// What an author hears, with each thing to put right.
fn authored(code: &'static str, detail: String, faults: &[Fault]) -> Problem {
    let status = match code {
        "version_unknown" => StatusCode::NOT_FOUND,
        "approval_required" | "approver_is_author" | "approver_is_no_person" => {
            StatusCode::FORBIDDEN
        }
        "version_conflict" | "conflict" | "unchanged" | "version_exists" | "wrong_stage"
        | "base_moved" | "another_staged" | "approved_already" | "nothing_before" => {
            StatusCode::CONFLICT
        }
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let problem = Problem::new(status, code, detail);
    if faults.is_empty() { problem } else { problem.with("faults", json!(faults)) }
}

impl From<NodeError> for Problem {
    fn from(error: NodeError) -> Self {
        if let Some(problem) = super::keys::problem(&error) {
            return problem;
        }
        match error {
            NodeError::Policies(refusal) => refusal.into(),
            NodeError::Entities(refusal) => refusal.into(),
            NodeError::Persons(refusal) => refusal.into(),
            NodeError::NothingSupposed => Self::bad("bad_request", error.to_string()),
            NodeError::NotResumable(_) => {
                Self::new(StatusCode::CONFLICT, "not_resumable", error.to_string())
            }
            NodeError::NothingPersonal(_) => {
                Self::new(StatusCode::NOT_FOUND, "nothing_personal", error.to_string())
            }
            NodeError::Entropy(error) => error.into(),
            NodeError::Vault(error) => error.into(),
            NodeError::NotRecorded(error) => error.into(),
            other => Self::defect(&other),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;

    use super::*;
    use crate::model::{StreamName, Version};
    use crate::sequencer::CommitError;

    /// Why anything is not recorded, each reason once.
    fn unrecorded<E>() -> [CommitError<E>; 9] {
        let (stream, expected, found) = (StreamName::single("policies"), Version(1), Version(2));
        [
            CommitError::Conflict { stream, expected, found },
            CommitError::Withdrawn,
            CommitError::TokenOver,
            CommitError::TooLarge { bytes: 1 },
            CommitError::Overloaded,
            CommitError::ClockBehind,
            CommitError::NoRoom,
            CommitError::Unavailable,
            CommitError::Defect,
        ]
    }

    /// Goal: what became of a command is told by one code and one status, whichever command
    /// it was.
    #[test]
    fn what_is_not_recorded_is_told_alike_whatever_it_was() {
        let (direct, through) = (unrecorded::<authn::Refusal>(), unrecorded::<pap::Refusal>());
        for (direct, through) in direct.into_iter().zip(through) {
            let direct = Problem::from(direct);
            let through = Problem::from(NodeError::from(through));
            let told =
                |it: &Problem| (it.status_code().as_u16(), it.code(), it.detail().to_owned());
            assert_eq!(told(&through), told(&direct));
        }
        let defect = Problem::from(NodeError::Defect("a thread has ended"));
        assert_eq!((defect.status_code().as_u16(), defect.code()), (500, "defect"));
    }
}
