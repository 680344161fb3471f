//! One line for people for every event.

use std::fmt::Display;

use super::sign_in_row::{
    attempts_throttled, credential_disabled, credential_renamed, mfa_offered, mfa_refused,
    passkey_refused, passkey_registered, passkey_verified, password_compromised, password_enrolled,
    password_imported, password_refused, recovery_code_refused, recovery_code_used,
    recovery_codes_issued, reported, session_ended, session_raised, session_started, ticket_issued,
    ticket_refused,
};
use super::version_row;
use crate::event::{
    AccessDecided, AuthenticationSettings, CheckpointCosigned, DirectoryActivated, Envelope, Event,
    LossAccepted, NodeStarted, Note, PoliciesActivated, PolicyIndexDoubted, PolicySubmitted,
    SchemaActivated, ServiceRegistered, SubjectErased, Verdict, of_versions,
};
use crate::model::{EntityAsked, Label, PolicyBody, PolicyId};

/// Tells an event in one line of plain English, without its time and place. Text that
/// a caller chose is shown with its control characters escaped.
#[must_use]
pub fn describe(entry: &Envelope) -> String {
    match &entry.event {
        Event::LogCreated(it) => format!("log {} was created", it.log),
        Event::NodeStarted(it) => node_started(it),
        Event::SigningKeyAdopted(it) => {
            format!("key `{}` signs the log's checkpoints from here on", it.verifier_key.name())
        }
        Event::SigningKeyRetired(it) => format!("signing key {} was retired", it.credential),
        Event::LossAccepted(it) => loss_accepted(it),
        Event::WitnessKeyAdopted(it) => {
            format!("key `{}` cosigns other logs from here on", it.verifier_key.name())
        }
        Event::CheckpointCosigned(it) => checkpoint_cosigned(it),
        Event::SettingsAdopted(_) => "settings that bear on decisions were adopted".to_owned(),
        Event::SchemaSubmitted(it) => {
            format!("{} bytes of the {} schema were submitted", it.text.len(), it.set.as_str())
        }
        Event::SchemaActivated(it) => schema_activated(it),
        Event::PolicySubmitted(it) => policy_submitted(it),
        Event::PolicyWithdrawn(it) => {
            format!("{} policy `{}` was withdrawn", it.set.as_str(), it.policy)
        }
        Event::PoliciesActivated(it) => policies_activated(it),
        of_versions!() => version_row::describe(&entry.event),
        Event::PolicyIndexDoubted(it) => policy_index_doubted(it),
        Event::EntitySubmitted(it) => format!("entity {} was submitted", it.entity.uid),
        Event::EntityWithdrawn(it) => format!("entity {} was withdrawn", it.uid),
        Event::DirectoryActivated(it) => directory_activated(it),
        Event::PersonRegistered(it) => format!("{} was registered", it.person),
        Event::PersonDisabled(it) => format!("{} was disabled{}", it.person, because(&it.reason)),
        Event::PersonErased(it) => format!("{} was erased{}", it.person, because(&it.reason)),
        Event::SubjectErased(it) => subject_erased(it),
        Event::KeyRotated(_) => "the vault's keys were wrapped under a new key".to_owned(),
        Event::RoleGranted(it) => format!("{} was granted the role `{}`", it.person, it.role),
        Event::RoleRevoked(it) => format!("{} lost the role `{}`", it.person, it.role),
        Event::TicketIssued(it) => ticket_issued(it),
        Event::TicketUsed(it) => format!("{} used a ticket", it.person),
        Event::TicketRefused(it) => ticket_refused(it),
        Event::PasswordEnrolled(it) => password_enrolled(it),
        Event::PasswordVerified(it) => format!("{} gave a right password", it.person),
        Event::PasswordRefused(it) => password_refused(it),
        Event::PasswordCompromised(it) => password_compromised(it),
        Event::PasswordRehashed(it) => format!("the password of {} was hashed anew", it.person),
        Event::PasswordImported(it) => password_imported(it),
        Event::AttemptsThrottled(it) => attempts_throttled(it),
        Event::MfaOffered(it) => mfa_offered(it),
        Event::MfaEnrolled(it) => format!("{} confirmed an authenticator", it.person),
        Event::MfaVerified(it) => format!("{} gave a right code", it.person),
        Event::MfaRefused(it) => mfa_refused(it),
        Event::PasskeyRegistered(it) => passkey_registered(it),
        Event::PasskeyVerified(it) => passkey_verified(it),
        Event::PasskeyRefused(it) => passkey_refused(it),
        Event::CredentialDisabled(it) => credential_disabled(it),
        Event::CredentialRemoved(it) => format!("a credential of {} was removed", it.person),
        Event::CredentialRenamed(it) => credential_renamed(it),
        Event::RecoveryCodesIssued(it) => recovery_codes_issued(it),
        Event::RecoveryCodeUsed(it) => recovery_code_used(it),
        Event::RecoveryCodeRefused(it) => recovery_code_refused(it),
        Event::SessionStarted(it) => session_started(it),
        Event::SessionRaised(it) => session_raised(it),
        Event::SessionEnded(it) => session_ended(it),
        Event::AuthenticationReported(it) => reported(it),
        Event::ServiceRegistered(it) => service_registered(it),
        Event::ServiceRevoked(it) => format!("the token of service {} was revoked", it.service),
        Event::AccessDecided(it) => access_decided(it),
    }
}

/// A subject or resource as a caller names it, in the shape of an entity's name.
pub(super) fn named(asked: &EntityAsked) -> String {
    format!("{}::\"{}\"", shown(&asked.kind), shown(&asked.id))
}

fn node_started(it: &NodeStarted) -> String {
    let (build, cedar) = (shown(&it.build), shown(&it.cedar));
    let ways = it.authentication.as_ref().map(authentication).unwrap_or_default();
    format!("a node started: Countersign {build}, Cedar {cedar}{ways}")
}

fn authentication(it: &AuthenticationSettings) -> String {
    let passkeys = match &it.rp_id {
        Some(domain) => format!("passkeys of {}", shown(domain)),
        None => "no passkeys".to_owned(),
    };
    let list = it.attestation.map(|list| format!(", attested by the list {list}"));
    format!(
        "; argon2id of {} KiB × {} × {}; {passkeys}{}",
        it.argon2_kib,
        it.argon2_passes,
        it.argon2_lanes,
        list.unwrap_or_default()
    )
}

fn checkpoint_cosigned(it: &CheckpointCosigned) -> String {
    format!("log `{}` was cosigned at {} entries", shown(&it.origin), it.size)
}

fn loss_accepted(it: &LossAccepted) -> String {
    let (found, why) = (it.found.size, because(&it.reason));
    match &it.expected {
        Some(signed) => {
            format!("a loss was accepted: {} entries were signed, {found} found{why}", signed.size)
        }
        None => format!("a log without a checkpoint was taken up at {found} entries{why}"),
    }
}

fn schema_activated(it: &SchemaActivated) -> String {
    let (version, set, why) = (it.version, it.set.as_str(), because(&it.message));
    format!("version {version} of the {set} schema came in force{why}")
}

fn policy_submitted(it: &PolicySubmitted) -> String {
    let (set, id) = (it.set.as_str(), &it.policy.id);
    match &it.policy.body {
        PolicyBody::Static { .. } => format!("{set} policy `{id}` was submitted"),
        PolicyBody::Template { .. } => format!("{set} template `{id}` was submitted"),
        PolicyBody::Link { template, .. } => {
            format!("{set} policy `{id}`, a link of template `{template}`, was submitted")
        }
    }
}

fn policy_index_doubted(it: &PolicyIndexDoubted) -> String {
    let names: Vec<_> = it.differing.iter().map(|id| format!("`{id}`")).collect();
    let about =
        if names.is_empty() { String::new() } else { format!(" about {}", names.join(", ")) };
    format!(
        "the index of {} policies and Cedar's authorizer differed{about}: every policy is asked \
         from here on",
        it.set.as_str()
    )
}

fn policies_activated(it: &PoliciesActivated) -> String {
    let (version, set, why) = (it.version, it.set.as_str(), because(&it.message));
    format!("version {version} of the {set} policies came in force, {} in all{why}", it.count)
}

fn directory_activated(it: &DirectoryActivated) -> String {
    let (version, changed, why) = (it.version, it.changed, because(&it.message));
    let entities = if changed == 1 { "entity" } else { "entities" };
    format!("version {version} of the directory came in force, {changed} {entities} changed{why}")
}

fn subject_erased(it: &SubjectErased) -> String {
    format!("what was personal of {} was erased{}", it.subject, because(&it.reason))
}

fn service_registered(it: &ServiceRegistered) -> String {
    let made = format!("a service token `{}` was made for {}", it.label, it.scopes);
    match &it.binding {
        Some(binding) => format!("{made}, bound to {}", shown(&binding.source)),
        None => made,
    }
}

fn access_decided(it: &AccessDecided) -> String {
    let (subject, resource) = (named(&it.request.subject), named(&it.request.resource));
    let (verdict, action) = (it.decision.as_str(), shown(&it.request.action.name));
    let grounds = grounds(it);
    let staged = match &it.shadow {
        Some(shadow) if shadow.decision != it.decision => {
            format!("; staged: {}", shadow.decision.as_str())
        }
        _ => String::new(),
    };
    format!("{verdict} {subject} {action} {resource} {grounds}{staged}")
}

fn grounds(it: &AccessDecided) -> String {
    let failed: Vec<_> = it.errors.iter().map(|failure| &failure.policy).collect();
    let reason = match (it.note, it.determining.as_slice()) {
        (Some(Note::NoPolicies), _) => "because no policies are in force".to_owned(),
        (Some(Note::UnknownType), _) => "because the schema has no such type".to_owned(),
        (Some(Note::UnknownAction), _) => "because the schema has no such action".to_owned(),
        (Some(Note::DoesNotApply), _) => "because the action does not apply to these".to_owned(),
        (Some(Note::ContextIncomplete), _) => "because the context lacks something".to_owned(),
        (Some(Note::Reserved), _) => "because this is Countersign's own to decide".to_owned(),
        (Some(Note::KeyMissing), _) => "because the key of a personal value is missing".to_owned(),
        (Some(Note::ForbidErred), _) => {
            return format!("because a forbid could not be evaluated: {}", listed(&failed));
        }
        (None, []) if it.decision == Verdict::Deny => "because no policy permits it".to_owned(),
        (None, determining) => format!("by {}", listed(&determining.iter().collect::<Vec<_>>())),
    };
    if failed.is_empty() { reason } else { format!("{reason}; {} erred", listed(&failed)) }
}

fn listed(policies: &[&PolicyId]) -> String {
    let names: Vec<_> = policies.iter().map(|id| format!("`{id}`")).collect();
    let noun = if names.len() == 1 { "policy" } else { "policies" };
    format!("{noun} {}", names.join(", "))
}

pub(super) fn because(message: &Label) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

pub(super) fn shown(text: &str) -> impl Display + '_ {
    text.escape_debug()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{Log, question};
    use crate::event::{
        AttemptsThrottled, MfaRefused, PasswordCompromised, PasswordEnrolled, PasswordGrounds,
        PasswordImported, PasswordRefused, PasswordScheme, Presented, Refused, SessionEnded,
        SessionEnding,
    };
    use crate::model::Digest;
    use uuid::Uuid;

    /// The rows of what is written by `write`, after the sample's founding.
    fn rows(write: impl FnOnce(&mut Log)) -> Vec<String> {
        let mut log = Log::founded();
        let founded = log.entries.len();
        write(&mut log);
        log.entries.iter().skip(founded).map(describe).collect()
    }

    #[test]
    fn a_founding_reads_as_it_happened() {
        let all: Vec<_> = Log::founded().entries.iter().map(describe).collect();
        assert_eq!(all[1], "a node started: Countersign 0.1.0, Cedar 4.14.1");
        assert_eq!(all[4], "version 1 of the application schema came in force");
        assert_eq!(all[5], "application policy `overflow` was submitted");
        assert_eq!(all[9], "version 1 of the application policies came in force, 4 in all");
        assert_eq!(all[10], "entity User::\"alice\" was submitted");
        assert_eq!(all[11], "version 1 of the directory came in force, 1 entity changed");
    }

    #[test]
    fn a_login_reads_as_it_happened() {
        let told = rows(|log| {
            let session = log.log_in("alice");
            log.raise(session);
            log.end(session);
        });
        let session = told.last().unwrap();
        assert_eq!(told[0], "alice was registered");
        assert_eq!(told[1], "alice gave a right password");
        assert_eq!(told[2], "a session of alice began at AAL1 by pwd");
        assert_eq!(told[3], "alice gave a right code");
        assert!(session.ends_with(" ended: the person logged out"), "{session}");
    }

    #[test]
    fn a_refusal_says_no_more_than_is_known() {
        let told = rows(|log| {
            let password = |person: Option<&str>, reason| {
                Event::PasswordRefused(PasswordRefused {
                    name_tag: Digest::of("tag"),
                    person: person.map(|name| name.parse().unwrap()),
                    credential: None,
                    reason,
                    source: None,
                    buckets: Vec::new(),
                })
            };
            let (person, credential) = ("alice".parse().unwrap(), Uuid::nil());
            let replayed = MfaRefused { person, credential, reason: Refused::Replayed };
            let reason = SessionEnding::Displaced;
            log.write(vec![
                password(Some("alice"), Refused::Wrong),
                password(None, Refused::Unknown),
                Event::MfaRefused(replayed),
                Event::SessionEnded(SessionEnded {
                    session: Uuid::nil(),
                    reason,
                    person: None,
                    grounds: "a test".parse().unwrap(),
                }),
            ]);
        });
        assert_eq!(told[0], "alice gave a wrong password");
        assert_eq!(told[1], "somebody gave a password for a name that nobody has");
        assert_eq!(told[2], "alice gave a code that had been used before");
        assert!(told[3].ends_with("ended: the user had too many open at once: a test"));
    }

    #[test]
    fn what_happens_to_passwords_reads_as_it_happened() {
        let told = rows(|log| {
            let (person, credential) = ("alice".parse().unwrap(), Uuid::nil());
            let (sealed, at) = (Digest::of("sealed"), "2026-11-22T12:00:00Z".parse().unwrap());
            let person: &crate::model::Username = &person;
            let enrolled = |grounds| {
                let (person, buckets) = (person.clone(), Vec::new());
                let alone = Some(true);
                Event::PasswordEnrolled(PasswordEnrolled {
                    person,
                    credential,
                    sealed,
                    alone,
                    grounds,
                    buckets,
                })
            };
            let scheme = PasswordScheme::Bcrypt;
            log.write(vec![
                enrolled(PasswordGrounds::Ticket),
                enrolled(PasswordGrounds::Changed),
                Event::PasswordCompromised(PasswordCompromised {
                    person: person.clone(),
                    credential,
                    reason: "found in a leak".parse().unwrap(),
                }),
                Event::PasswordImported(PasswordImported {
                    person: person.clone(),
                    credential,
                    sealed,
                    scheme,
                    reason: "the move".parse().unwrap(),
                }),
                Event::AttemptsThrottled(AttemptsThrottled {
                    from: at,
                    to: at,
                    count: 4_711,
                    names: 3,
                    sources: 2,
                }),
            ]);
        });
        assert_eq!(told[0], "alice set a password");
        assert_eq!(told[1], "alice changed the password");
        assert_eq!(told[2], "the password of alice is known to others: found in a leak");
        assert_eq!(told[3], "a password of alice was imported, hashed by bcrypt: the move");
        assert!(told[4].starts_with("4711 attempts to log in were turned away unread"));
        assert!(told[4].ends_with(": 3 names, 2 sources"), "{}", told[4]);
    }

    #[test]
    fn a_decision_gives_its_grounds() {
        let told = rows(|log| {
            log.ask(&question("alice", "view", "alice", Presented::Nothing));
            log.ask(&question("alice", "edit", "alice", Presented::Nothing));
            log.ask(&question("bob", "view", "alice", Presented::Nothing));
            log.ask(&question("bob", "burn", "alice", Presented::Nothing));
        });
        let expected = [
            "allow User::\"alice\" view Document::\"1\" by policies `overflow`, `owners`, `staff`",
            "deny User::\"alice\" edit Document::\"1\" by policy `two-factors`",
            "deny User::\"bob\" view Document::\"1\" because no policy permits it; \
             policy `overflow` erred",
            "deny User::\"bob\" burn Document::\"1\" because the schema has no such action",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn no_caller_can_write_a_line_of_their_own() {
        let told = rows(|log| {
            let mut ask = question("a\nallow", "view\u{1b}[2J", "x", Presented::Nothing);
            std::sync::Arc::make_mut(&mut ask.request).resource.id = "\u{202e}\r".to_owned();
            log.ask(&ask);
        });
        assert!(told[0].chars().all(|c| !c.is_control()), "{told:?}");
        assert!(told[0].starts_with(r#"deny User::"a\nallow" view\u{1b}[2J"#), "{told:?}");
    }
}
