//! What a trusted identity provider reports of its own sessions.

use std::sync::Arc;

use uuid::Uuid;

use super::Refusal;
use super::session::{
    LOCAL_SOURCE, SESSIONS_PER_SOURCE_MAX, ended, make_room, make_room_at_source,
};
use crate::event::{AuthenticationReported, Event, Reported, SessionEnding, SourceBinding};
use crate::model::{Digest, Methods, Moment, Uid};
use crate::projection::{Session, World};

/// One report, as read from a `CloudEvent` by [`Report::from_cloud_event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its own id of the event, 1 to 256 bytes. The shell commits with `source` and
    /// `id` as idempotency key and `content` as what must be the same again.
    pub id: String,
    /// The source it reports for.
    pub source: String,
    /// What it reports.
    pub what: Reported,
    /// The id of the user whose session it is.
    pub subject: String,
    /// SHA-256 of its own session token.
    pub session_token: Digest,
    /// The methods used.
    pub methods: Methods,
    /// When, as it says.
    pub reported_at: Moment,
    /// SHA-256 of the whole event in canonical form.
    pub content: Digest,
    /// The id for the session, if it is a new one: a `UUIDv7`.
    pub fresh_session: Uuid,
}

/// Records a report within what the token is bound to: one source, one user type and
/// a maximum AAL. Methods add up within a session in force; a session past its limits
/// is not revived but begins anew, with the methods now reported alone. A further
/// factor for a session not known begins one with just that factor; the end of one
/// not known is recorded and ends nothing. An authentication counts from the earlier
/// of the reported and the received time.
///
/// # Errors
/// [`Refusal::ServiceUnknown`] if the token was revoked meanwhile;
/// [`Refusal::BindingRequired`] if the service reports for no source;
/// [`Refusal::NotYours`] if source, user or session are not the token's own.
///
/// # Source
/// README.md, "An identity provider's reports"; ASVS 5.0 6.8.4.
pub fn report(
    world: &World,
    service: Uuid,
    report: &Report,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let service = world.services.get(&service).ok_or(Refusal::ServiceUnknown { service })?;
    let binding = service.binding.as_ref().ok_or(Refusal::BindingRequired)?;
    let user = user(binding, report)?;
    let ends = report.what == Reported::SessionEnded;
    let known = own_session(world, binding, &user, report)?
        .filter(|session| ends || session.in_force(now, &world.settings.session));

    let mut events = Vec::new();
    if known.is_none() && !ends {
        events.extend(make_room(world, &user, &binding.source, now));
        if events.is_empty() {
            let source = binding.source.as_str();
            events.extend(make_room_at_source(world, source, SESSIONS_PER_SOURCE_MAX));
        }
    }
    events.push(Event::AuthenticationReported(AuthenticationReported {
        what: report.what,
        source: binding.source.clone(),
        event: report.id.clone(),
        content: report.content,
        session: known.map_or(report.fresh_session, |session| session.id),
        user,
        session_token: report.session_token,
        methods: report.methods.clone(),
        max_aal: binding.max_aal,
        occurred_at: report.reported_at.min(now),
    }));
    if let Some(session) = known.filter(|_| ends) {
        events.push(ended(session.id, SessionEnding::Reported));
    }
    Ok(events)
}

/// The user, of the type that the token is bound to.
fn user(binding: &SourceBinding, report: &Report) -> Result<Uid, Refusal> {
    let reserved = binding.user_type.is_reserved() || binding.source == LOCAL_SOURCE;
    if report.source != binding.source || reserved {
        return Err(Refusal::NotYours { what: "source", owner: "source" });
    }
    Uid::new(binding.user_type.clone(), &report.subject)
        .map_err(|_| Refusal::NotYours { what: "subject", owner: "user" })
}

/// The session that the token is of, if any; nobody else's.
fn own_session<'a>(
    world: &'a World,
    binding: &SourceBinding,
    user: &Uid,
    report: &Report,
) -> Result<Option<&'a Arc<Session>>, Refusal> {
    let what = "data.session_token_sha256";
    let Some(session) = world.sessions.by_session_token(&report.session_token) else {
        return Ok(None);
    };
    if session.person.is_some() || session.source != binding.source {
        return Err(Refusal::NotYours { what, owner: "source" });
    }
    if session.user != *user {
        return Err(Refusal::NotYours { what, owner: "user" });
    }
    Ok(Some(session))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::fixture::{Story, names};
    use crate::authn::services;
    use crate::authn::session::SESSIONS_PER_USER_MAX;
    use crate::model::{Aal, EntityType, Method};
    use Reported::{MfaVerified, PasswordVerified, SessionEnded};

    const IDP: &str = "https://idp.example";

    fn said(story: &mut Story, what: Reported, token: &str, methods: &[Method]) -> Report {
        Report {
            id: story.id().to_string(),
            source: IDP.to_owned(),
            what,
            subject: "alice".to_owned(),
            session_token: Digest::of(token),
            methods: methods.iter().copied().collect(),
            reported_at: story.now,
            content: story.digest(),
            fresh_session: story.id(),
        }
    }

    fn take(story: &mut Story, service: Uuid, told: &Report) -> Vec<Event> {
        let decided = report(&story.world, service, told, story.now);
        story.commit(decided)
    }

    fn session<'a>(story: &'a Story, token: &str) -> &'a Session {
        story.world.sessions.by_session_token(&Digest::of(token)).unwrap()
    }

    #[test]
    fn methods_add_up_in_one_session() {
        let mut story = Story::new();
        let idp = story.provider(IDP, Aal::TWO);
        let password = said(&mut story, PasswordVerified, "t", &[Method::Pwd]);
        assert_eq!(names(&take(&mut story, idp, &password)), ["authentication.reported"]);
        assert_eq!(session(&story, "t").aal, Aal::ONE);

        let factor = said(&mut story, MfaVerified, "t", &[Method::Otp]);
        take(&mut story, idp, &factor);

        let now = session(&story, "t");
        assert_eq!((now.id, now.aal), (password.fresh_session, Aal::TWO));
        assert_eq!((now.source.as_str(), &now.person), (IDP, &None));
        assert_eq!(now.user.to_string(), "User::\"alice\"");
    }

    #[test]
    fn a_further_factor_alone_is_one_factor() {
        let mut story = Story::new();
        let idp = story.provider(IDP, Aal::TWO);
        let factor = said(&mut story, MfaVerified, "t", &[Method::Otp]);
        take(&mut story, idp, &factor);
        assert_eq!(session(&story, "t").aal, Aal::ONE);
    }

    #[test]
    fn assurance_has_the_bound_of_the_token() {
        let mut story = Story::new();
        let idp = story.provider(IDP, Aal::ONE);
        let both = said(&mut story, MfaVerified, "t", &[Method::Pwd, Method::Otp]);
        take(&mut story, idp, &both);
        assert_eq!(session(&story, "t").aal, Aal::ONE);
    }

    #[test]
    fn the_end_of_a_session_is_recorded_known_or_not() {
        let mut story = Story::new();
        let idp = story.provider(IDP, Aal::TWO);
        let unknown = said(&mut story, SessionEnded, "t", &[]);
        assert_eq!(names(&take(&mut story, idp, &unknown)), ["authentication.reported"]);
        assert!(story.world.sessions.is_empty());

        let begun = said(&mut story, PasswordVerified, "t", &[Method::Pwd]);
        take(&mut story, idp, &begun);
        let over = said(&mut story, SessionEnded, "t", &[]);
        let events = take(&mut story, idp, &over);

        assert_eq!(names(&events), ["authentication.reported", "session.ended"]);
        assert_eq!(events[1], ended(begun.fresh_session, SessionEnding::Reported));
        assert!(story.world.sessions.is_empty());
    }

    #[test]
    fn a_report_outside_the_binding_is_refused() {
        let mut story = Story::new();
        let idp = story.provider(IDP, Aal::TWO);
        let other = story.provider("https://other.example", Aal::TWO);
        let begun = said(&mut story, PasswordVerified, "t", &[Method::Pwd]);
        take(&mut story, idp, &begun);
        story.person("alice");
        story.log_in("alice");
        let local = story.tokens();
        let attempt = story.begin("alice").unwrap();
        let right = crate::authn::login::Verdict::RIGHT;
        let login =
            crate::authn::login::conclude(&story.world, &attempt, &right, &local, story.now);
        story.commit(login);

        let again = said(&mut story, MfaVerified, "t", &[Method::Otp]);
        let others = "https://other.example".to_owned();
        let table = [
            (idp, Report { source: others.clone(), ..again.clone() }, "source"),
            (other, again.clone(), "source"),
            (other, Report { source: others, ..again.clone() }, "source"),
            (idp, Report { subject: "bob".to_owned(), ..again.clone() }, "user"),
            (
                idp,
                Report { what: SessionEnded, subject: "bob".to_owned(), ..again.clone() },
                "user",
            ),
            (idp, Report { session_token: local.session_token, ..again.clone() }, "source"),
            (idp, Report { subject: "x".repeat(1_025), ..again }, "user"),
        ];
        for (service, told, part) in table {
            let refused = report(&story.world, service, &told, story.now).unwrap_err();
            assert!(
                matches!(refused, Refusal::NotYours { owner, .. } if owner == part),
                "{told:?}"
            );
            assert_eq!(refused.code(), "not_yours");
        }
    }

    /// Goal: even a binding that no command of ours would make reports nothing about
    /// Countersign's own administration.
    #[test]
    fn a_binding_to_countersign_itself_is_worth_nothing() {
        let mut story = Story::new();
        let user_type = EntityType::user();
        let binding = SourceBinding { source: IDP.to_owned(), user_type, max_aal: Aal::TWO };
        let person = EntityType::new("Countersign::Person").unwrap();
        let told = said(&mut story, PasswordVerified, "t", &[Method::Pwd]);
        let bad = [
            (SourceBinding { user_type: person, ..binding.clone() }, told.clone()),
            (
                SourceBinding { source: LOCAL_SOURCE.to_owned(), ..binding },
                Report { source: LOCAL_SOURCE.to_owned(), ..told.clone() },
            ),
        ];
        for (binding, told) in bad {
            let service = story.bound(Some(binding));
            let refused = report(&story.world, service, &told, story.now).unwrap_err();
            assert_eq!(refused.code(), "not_yours");
        }
        let unbound = story.bound(None);
        let refused = report(&story.world, unbound, &told, story.now);
        assert_eq!(refused, Err(Refusal::BindingRequired));
    }

    #[test]
    fn a_revoked_token_reports_nothing() {
        let mut story = Story::new();
        let idp = story.provider(IDP, Aal::TWO);
        let told = said(&mut story, PasswordVerified, "t", &[Method::Pwd]);
        let revoked = services::revoke(&story.world, idp);
        story.commit(revoked);
        let refused = report(&story.world, idp, &told, story.now);
        assert_eq!(refused, Err(Refusal::ServiceUnknown { service: idp }));
    }

    #[test]
    fn an_authentication_counts_from_the_earlier_time() {
        let mut story = Story::new();
        let idp = story.provider(IDP, Aal::TWO);
        let now = story.now;
        for (token, told, counted) in [
            ("past", now.minus_seconds(60), now.minus_seconds(60)),
            ("future", now.plus_seconds(60), now),
        ] {
            let begun = said(&mut story, PasswordVerified, token, &[Method::Pwd]);
            take(&mut story, idp, &Report { reported_at: told, ..begun });
            assert_eq!(session(&story, token).authenticated_at, counted, "{token}");
        }
    }

    /// Goal: last month's password and today's code are not two factors.
    #[test]
    fn a_session_past_its_limits_is_not_revived() {
        let mut story = Story::new();
        let idp = story.provider(IDP, Aal::TWO);
        let begun = said(&mut story, PasswordVerified, "t", &[Method::Pwd]);
        take(&mut story, idp, &begun);
        story.pass(30 * 86_400);

        let factor = said(&mut story, MfaVerified, "t", &[Method::Otp]);
        let events = take(&mut story, idp, &factor);

        assert_eq!(events[0], ended(begun.fresh_session, SessionEnding::Expired));
        let anew = session(&story, "t");
        assert_eq!((anew.id, anew.aal), (factor.fresh_session, Aal::ONE));
    }

    /// Goal: no identity provider fills the memory by naming ever more users.
    #[test]
    fn a_source_that_is_full_displaces_its_oldest_session() {
        let mut story = Story::new();
        let others = "https://other.example";
        let (idp, other) = (story.provider(IDP, Aal::TWO), story.provider(others, Aal::TWO));
        let mut begin = |service: Uuid, source: &str, user: &str| {
            let told = said(&mut story, PasswordVerified, user, &[Method::Pwd]);
            let (source, subject) = (source.to_owned(), user.to_owned());
            take(&mut story, service, &Report { source, subject, ..told.clone() });
            story.pass(1);
            told.fresh_session
        };
        begin(other, others, "first of all");
        let all = ["a", "b", "c"].map(|user| begin(idp, IDP, user));

        let displaced = |most| make_room_at_source(&story.world, IDP, most);
        assert_eq!(displaced(4), None);
        assert_eq!(displaced(3), Some(ended(all[0], SessionEnding::Displaced)));
        assert_eq!(make_room_at_source(&story.world, "https://new.example", 0), None);

        let gone = displaced(3).unwrap();
        story.fact(gone);
        let next = make_room_at_source(&story.world, IDP, 2);
        assert_eq!(next, Some(ended(all[1], SessionEnding::Displaced)));
    }

    #[test]
    fn a_source_displaces_its_own_sessions_only() {
        let mut story = Story::new();
        let idp = story.provider(IDP, Aal::TWO);
        story.person("alice");
        let local = story.log_in("alice");
        let all: Vec<_> = (0..=SESSIONS_PER_USER_MAX)
            .map(|place| {
                let token = place.to_string();
                let begun = said(&mut story, PasswordVerified, &token, &[Method::Pwd]);
                (begun.fresh_session, take(&mut story, idp, &begun))
            })
            .collect();
        let last = &all[SESSIONS_PER_USER_MAX].1;
        assert_eq!(names(last), ["session.ended", "authentication.reported"]);
        assert_eq!(last[0], ended(all[0].0, SessionEnding::Displaced));
        assert!(story.world.sessions.get(&local).is_some());
        assert_eq!(story.sessions("alice").len(), SESSIONS_PER_USER_MAX + 1);
    }
}
