//! From each room's refusals to what a caller hears.

use actix_web::http::StatusCode;
use serde_json::json;

use super::Problem;
use crate::cedar::Fault;
use crate::node::NodeError;
use crate::{authn, pap, pip};

impl From<authn::Refusal> for Problem {
    fn from(refusal: authn::Refusal) -> Self {
        let problem = Self::new(of_person(&refusal), refusal.code(), refusal.to_string());
        match refusal {
            authn::Refusal::Throttled { retry_after_s } => problem.retry_after(retry_after_s),
            _ => problem,
        }
    }
}

/// Without a wildcard, here and below: a new refusal says what it means to a caller.
const fn of_person(refusal: &authn::Refusal) -> StatusCode {
    use authn::Refusal;
    match refusal {
        Refusal::LoginFailed
        | Refusal::MfaFailed
        | Refusal::PasskeyFailed
        | Refusal::RecoveryFailed
        | Refusal::TicketInvalid
        | Refusal::SessionOver => StatusCode::UNAUTHORIZED,
        Refusal::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::AssuranceTooLow { .. }
        | Refusal::ReauthenticationRequired { .. }
        | Refusal::NotYours { .. }
        | Refusal::PersonRequired
        | Refusal::PasswordChangeRequired
        | Refusal::RecoveryOnly => StatusCode::FORBIDDEN,
        Refusal::PersonUnknown { .. }
        | Refusal::ServiceUnknown { .. }
        | Refusal::SessionUnknown { .. }
        | Refusal::AuthenticatorUnknown { .. } => StatusCode::NOT_FOUND,
        Refusal::PasskeyNotSetUp
        | Refusal::PasskeyExists
        | Refusal::PasskeysFull
        | Refusal::PersonExists { .. }
        | Refusal::LastAdministrator { .. }
        | Refusal::MfaNotSetUp
        | Refusal::MfaDisabled
        | Refusal::PasswordNotInUse
        | Refusal::RoleUnchanged { .. }
        | Refusal::PersonDisabled { .. }
        | Refusal::PersonErased { .. }
        | Refusal::ServiceExists
        | Refusal::TooManyAuthenticators { .. }
        | Refusal::PasswordRequired
        | Refusal::PasswordTooShortAlone => StatusCode::CONFLICT,
        Refusal::NotNamed
        | Refusal::RoleUnknown { .. }
        | Refusal::ScopeRequired
        | Refusal::BindingRequired
        | Refusal::BindingUnexpected
        | Refusal::BindingInvalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<pap::Refusal> for Problem {
    fn from(refusal: pap::Refusal) -> Self {
        let problem = Self::new(of_policies(&refusal), refusal.code(), refusal.to_string());
        problem.with_faults(refusal.faults())
    }
}

const fn of_policies(refusal: &pap::Refusal) -> StatusCode {
    use pap::Refusal;
    match refusal {
        Refusal::NoSuchVersion(_) => StatusCode::NOT_FOUND,
        Refusal::ApprovalRequired(_) | Refusal::ApproverIsAuthor | Refusal::ApproverIsNoPerson => {
            StatusCode::FORBIDDEN
        }
        Refusal::VersionConflict { .. }
        | Refusal::Conflict { .. }
        | Refusal::Unchanged
        | Refusal::WriterUnknown
        | Refusal::VersionExists { .. }
        | Refusal::WrongStage { .. }
        | Refusal::BaseMoved(_)
        | Refusal::AnotherStaged(_)
        | Refusal::ApprovedAlready
        | Refusal::NothingBefore => StatusCode::CONFLICT,
        Refusal::SchemaInvalid(_)
        | Refusal::PolicyInvalid(_)
        | Refusal::NoSchema
        | Refusal::NotOneVersion(_)
        | Refusal::NotWhole
        | Refusal::TestsFailed(_)
        | Refusal::TestsTooLarge { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<pip::Refusal> for Problem {
    fn from(refusal: pip::Refusal) -> Self {
        let problem = Self::new(of_directory(&refusal), refusal.code(), refusal.to_string());
        problem.with_faults(refusal.faults())
    }
}

const fn of_directory(refusal: &pip::Refusal) -> StatusCode {
    use pip::Refusal;
    match refusal {
        Refusal::VersionConflict { .. } | Refusal::Conflict { .. } | Refusal::Unchanged => {
            StatusCode::CONFLICT
        }
        Refusal::Empty
        | Refusal::TooMany { .. }
        | Refusal::NoSchema
        | Refusal::Faults(_)
        | Refusal::Hierarchy(_) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl Problem {
    /// The same problem with each thing for an author to put right.
    fn with_faults(self, faults: &[Fault]) -> Self {
        if faults.is_empty() { self } else { self.with("faults", json!(faults)) }
    }
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

    /// Goal: a refusal is told by the status that its own description says.
    #[test]
    fn a_refusal_has_the_status_that_it_is_described_with() {
        let told = |it: Problem| (it.status_code().as_u16(), it.code());
        let unknown = told(pap::Refusal::WriterUnknown.into());
        assert_eq!(unknown, (409, "writer_unknown"));
        assert_eq!(told(pap::Refusal::NotWhole.into()), (422, "not_whole"));
        assert_eq!(told(pip::Refusal::Unchanged.into()), (409, "unchanged"));
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
