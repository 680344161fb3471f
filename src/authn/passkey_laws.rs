//! What holds of passkeys, whoever uses them and in whatever order.

use uuid::Uuid;

use super::fixture::{Story, named, names};
use super::passkey_login::{Assertion, Proof, candidates, known, log_in, offered, raise};
use super::passkeys::{NewPasskey, PASSKEYS_MAX, register, registrant};
use super::{Outcome, Refusal, authenticators, enrol, outcome, persons};
use crate::event::{CredentialRemoved, Event, SessionEnding, SessionPurpose, SessionStarted};
use crate::model::{Aal, Digest, Label, Method, Methods};

fn key(number: u8) -> Digest {
    Digest::of([number])
}

/// A passkey that verifies its user and nothing else.
fn plain(story: &mut Story, number: u8) -> NewPasskey {
    NewPasskey {
        credential: story.id(),
        sealed: story.digest(),
        key: key(number),
        label: Label::default(),
        user_verifying: true,
        backup_eligible: false,
        attested: None,
        counter: 0,
    }
}

fn attested(story: &mut Story, number: u8) -> NewPasskey {
    NewPasskey { attested: Some(Uuid::from_u128(1)), ..plain(story, number) }
}

fn make(story: &mut Story, session: Uuid, new: &NewPasskey) -> Result<Vec<Event>, Refusal> {
    let events = register(&story.world, session, new, story.now)?;
    story.facts(&events);
    Ok(events)
}

const PROOF: Proof = Proof { user_verified: true, backed_up: false, counter: 0, listed: true };

fn sign_in(story: &mut Story, number: u8, proof: Option<Proof>) -> Vec<Event> {
    let tokens = story.tokens();
    let assertion = Assertion { key: key(number), proof };
    let events = log_in(&story.world, &assertion, &tokens, story.now);
    story.facts(&events);
    events
}

fn lift(story: &mut Story, session: Uuid, number: u8, proof: Proof) -> Vec<Event> {
    let tokens = story.tokens();
    let assertion = Assertion { key: key(number), proof: Some(proof) };
    let events = raise(&story.world, session, &assertion, &tokens, story.now).unwrap();
    story.facts(&events);
    events
}

fn session(events: &[Event]) -> Uuid {
    match outcome(events) {
        Outcome::Started { session, .. } => session,
        other => panic!("{other:?}"),
    }
}

/// Alice with a passkey, and a session of it.
fn alice(number: u8) -> (Story, Uuid) {
    let mut story = Story::new();
    story.person("alice");
    let weak = story.log_in("alice");
    let new = plain(&mut story, number);
    make(&mut story, weak, &new).unwrap();
    let strong = session(&sign_in(&mut story, number, Some(PROOF)));
    (story, strong)
}

/// Law: a login's assurance is what the key showed, and nothing else gives more; without a
/// verified user, then and when it was registered, there is none. Every kind of key is tried.
///
/// Source: SP 800-63B-4 §2.2.1, §2.3.1, §3.1.7.2, appendix B.
#[test]
fn a_login_is_worth_what_the_key_shows() {
    for bits in 0_u32..32 {
        let [verified, eligible, attests, listed, verifying] =
            [1, 2, 4, 8, 16].map(|bit| bits & bit != 0);
        let mut story = Story::new();
        story.person("alice");
        let weak = story.log_in("alice");
        let new = NewPasskey {
            user_verifying: verifying,
            backup_eligible: eligible,
            attested: attests.then(|| Uuid::from_u128(1)),
            ..plain(&mut story, 1)
        };
        make(&mut story, weak, &new).unwrap();
        let proof = Proof { user_verified: verified, backed_up: eligible, counter: 0, listed };
        let hardware = attests && listed && !eligible;

        let alone = outcome(&sign_in(&mut story, 1, Some(proof)));
        let beside = outcome(&lift(&mut story, weak, 1, proof));

        let level = if hardware { Aal::THREE } else { Aal::TWO };
        match alone {
            Outcome::Started { aal, methods, .. } => {
                assert!(verified && verifying);
                assert_eq!(aal, level, "{bits:05b}");
                assert_eq!(methods.0.contains(&Method::Be), eligible);
                assert!(methods.phishing_resistant());
            }
            other => assert!(
                !(verified && verifying) && other == Outcome::Refused(Refusal::PasskeyFailed)
            ),
        }
        let Outcome::Raised { aal, methods, .. } = beside else { panic!("{bits:05b}") };
        assert_eq!(aal, if verified && verifying { level } else { Aal::TWO });
        assert!(methods.0.contains(&Method::Pwd));
        assert_eq!(methods.0.contains(&Method::Uv), verified && verifying);
    }
}

/// Law: two keys never add up to what neither is, in whichever order they are shown.
#[test]
fn what_one_key_shows_says_nothing_about_another() {
    let mut story = Story::new();
    story.person("alice");
    let weak = story.log_in("alice");
    // Hardware that did not verify its user; software that did.
    let token = NewPasskey { user_verifying: false, ..attested(&mut story, 1) };
    make(&mut story, weak, &token).unwrap();
    let unverified = Proof { user_verified: false, ..PROOF };
    lift(&mut story, weak, 1, unverified);
    let soft = plain(&mut story, 2);
    make(&mut story, weak, &soft).unwrap();
    for (number, proof) in [(2, PROOF), (1, unverified), (2, PROOF)] {
        let told = outcome(&lift(&mut story, weak, number, proof));
        let Outcome::Raised { aal, .. } = told else { panic!("{told:?}") };
        assert_eq!(aal, Aal::TWO);
    }
}

/// Law: a session is never left weaker than it was, nor does a weaker key make it fresh.
#[test]
fn a_session_is_refreshed_by_what_is_as_strong() {
    let (mut story, two) = alice(1);
    let stronger = attested(&mut story, 2);
    make(&mut story, two, &stronger).unwrap();
    let three = session(&sign_in(&mut story, 2, Some(PROOF)));
    let (fitting, verifying) = candidates(&story.world, three, story.now).unwrap();
    assert_eq!(
        (fitting.iter().map(|it| it.key).collect::<Vec<_>>(), verifying),
        (vec![key(2)], true)
    );
    let refused = lift(&mut story, three, 1, PROOF);
    assert_eq!(names(&refused), ["passkey.refused"]);
    assert_eq!(story.world.sessions.get(&three).unwrap().aal, Aal::THREE);
    let told = outcome(&lift(&mut story, three, 2, PROOF));
    assert!(matches!(told, Outcome::Raised { aal: Aal::THREE, .. }), "{told:?}");
    // From two to three is a raise like any other.
    let told = outcome(&lift(&mut story, two, 2, PROOF));
    assert!(matches!(told, Outcome::Raised { aal: Aal::THREE, .. }), "{told:?}");
}

/// Law: a counter goes forwards or stands at zero; else the key is disabled, for logins, for
/// sessions, and in nobody else's name.
#[test]
fn a_counter_that_does_not_grow_disables_the_key() {
    for (had, shown, copied) in
        [(0, 0, false), (0, 1, false), (5, 6, false), (5, 5, true), (5, 4, true), (5, 0, true)]
    {
        let mut story = Story::new();
        story.person("alice");
        let weak = story.log_in("alice");
        let new = NewPasskey { counter: had, ..plain(&mut story, 1) };
        make(&mut story, weak, &new).unwrap();
        let proof = Proof { counter: shown, ..PROOF };
        let events = sign_in(&mut story, 1, Some(proof));
        let expected: &[&str] = if copied {
            &["passkey.refused", "credential.disabled"]
        } else {
            &["passkey.verified", "session.started"]
        };
        assert_eq!(names(&events), expected, "{had} then {shown}");
        assert_eq!(known(&story.world, &key(1)).is_none(), copied);
        if copied {
            let later = Proof { counter: 9, ..PROOF };
            assert_eq!(names(&sign_in(&mut story, 1, Some(later))), ["passkey.refused"]);
            assert_eq!(offered(&story.world, &named("alice")), []);
        }
    }
}

/// Law: a new authenticator of either kind takes what the account's can give, or what it
/// can give itself if that is less; a disabled one counts.
///
/// Source: SP 800-63B-4 §4.1.2.1.
#[test]
fn binding_takes_the_strength_of_what_there_is() {
    let (mut story, two) = alice(1);
    let weak = story.log_in("alice");
    let low = |required| Err(Refusal::AssuranceTooLow { required });
    let may = |story: &Story, session, hard| registrant(&story.world, session, hard, story.now);
    assert_eq!(may(&story, weak, false), low(Aal::TWO));
    assert_eq!(story.offer(weak).err(), low(Aal::TWO).err());
    assert_eq!(may(&story, two, true), Ok(named("alice")), "nothing there gives more");
    let hard = attested(&mut story, 2);
    make(&mut story, two, &hard).unwrap();
    assert_eq!(may(&story, two, true), low(Aal::THREE));
    assert_eq!(may(&story, two, false), Ok(named("alice")));
    let three = session(&sign_in(&mut story, 2, Some(PROOF)));
    assert_eq!(may(&story, three, true), Ok(named("alice")));
    story.pass(901);
    let old = Err(Refusal::ReauthenticationRequired { max_age_s: 900 });
    assert_eq!(may(&story, two, false), old);

    // Worn out, they still bar what they barred.
    let (mut story, _) = alice(1);
    sign_in(&mut story, 1, Some(Proof { counter: 3, ..PROOF }));
    sign_in(&mut story, 1, Some(Proof { counter: 3, ..PROOF }));
    let weak = story.log_in("alice");
    assert_eq!(may(&story, weak, false), low(Aal::TWO));
    assert_eq!(candidates(&story.world, weak, story.now), Err(Refusal::PasskeyNotSetUp));
}

/// Law: a session that a recovery code began binds one authenticator and ends; one for
/// another purpose binds none.
#[test]
fn a_session_of_one_purpose_binds_as_that_allows() {
    for (purpose, refused) in [
        (SessionPurpose::Recovery, None),
        (SessionPurpose::PasswordChange, Some(Refusal::PasswordChangeRequired)),
    ] {
        let (mut story, _) = alice(1);
        let tokens = story.tokens();
        story.fact(Event::SessionStarted(SessionStarted {
            session: tokens.session,
            person: named("alice"),
            methods: Methods::default().with(Method::Pwd),
            token: tokens.token,
            session_token: tokens.session_token,
            purpose,
        }));
        let new = plain(&mut story, 2);
        let made = make(&mut story, tokens.session, &new);
        assert_eq!(made.as_ref().err(), refused.as_ref());
        if let Ok(events) = made {
            assert_eq!(names(&events), ["passkey.registered", "session.ended"]);
            let Some(Event::SessionEnded(ended)) = events.last() else { panic!() };
            assert_eq!(ended.reason, SessionEnding::Fulfilled);
        }
        let again = plain(&mut story, 3);
        assert!(make(&mut story, tokens.session, &again).is_err());
    }
}

/// Law: a code shows no more than a code. It makes nothing fresh that a key has shown, and
/// an app that a session of two factors has set up leaves that session as it was.
#[test]
fn a_code_makes_no_key_fresh() {
    let (mut story, two) = alice(1);
    let hard = attested(&mut story, 2);
    make(&mut story, two, &hard).unwrap();
    let three = session(&sign_in(&mut story, 2, Some(PROOF)));
    let before = story.world.sessions.get(&three).unwrap().clone();
    story.pass(60);

    let totp = story.offer(three).unwrap();
    let bound = story.code(three, totp, Some(1)).unwrap();
    assert_eq!(names(&bound), ["mfa.enrolled", "mfa.verified"]);
    assert_eq!(outcome(&bound), Outcome::Bound);
    assert_eq!(story.world.sessions.get(&three).unwrap(), &before);

    story.pass(60);
    let too_low = Refusal::AssuranceTooLow { required: Aal::THREE };
    assert_eq!(story.code(three, totp, Some(2)), Err(too_low));
    // Beside a password it raises, and what the session knew of a key is gone.
    let weak = story.log_in("alice");
    story.code(weak, totp, Some(3)).unwrap();
    let raised = story.world.sessions.get(&weak).unwrap();
    let typed: Methods = [Method::Pwd, Method::Otp].into_iter().collect();
    assert_eq!((raised.aal, &raised.methods), (Aal::TWO, &typed));
}

/// Law: a password and a recovery code are two factors that can be copied; they bind no key
/// that would be worth more, on an account that had one.
#[test]
fn a_recovery_binds_nothing_worth_more_than_two_factors() {
    let (mut story, two) = alice(1);
    let hard = attested(&mut story, 2);
    make(&mut story, two, &hard).unwrap();
    let tokens = story.tokens();
    story.fact(Event::SessionStarted(SessionStarted {
        session: tokens.session,
        person: named("alice"),
        methods: Methods::default().with(Method::Pwd),
        token: tokens.token,
        session_token: tokens.session_token,
        purpose: SessionPurpose::Recovery,
    }));
    let another = attested(&mut story, 3);
    let too_low = Refusal::AssuranceTooLow { required: Aal::THREE };
    assert_eq!(make(&mut story, tokens.session, &another), Err(too_low));
    let plain = plain(&mut story, 4);
    assert!(make(&mut story, tokens.session, &plain).is_ok());
}

/// Law: an id belongs to one account, whatever has become of it, until it is taken away.
#[test]
fn a_key_is_one_accounts() {
    let (mut story, strong) = alice(1);
    story.person("bob");
    let bob = story.log_in("bob");
    let same = plain(&mut story, 1);
    assert_eq!(make(&mut story, strong, &same), Err(Refusal::PasskeyExists));
    assert_eq!(make(&mut story, bob, &same), Err(Refusal::PasskeyExists));
    let barred = persons::disable(&story.world, &named("alice"), Label::default());
    story.commit(barred);
    assert_eq!(make(&mut story, bob, &same), Err(Refusal::PasskeyExists));
    assert_eq!(names(&sign_in(&mut story, 1, Some(PROOF))), ["passkey.refused"]);
    assert_eq!(offered(&story.world, &named("alice")).len(), 1, "nobody sees who is barred");

    let person = named("alice");
    let credential = story.world.identities.by_key(&key(1)).unwrap().1.credential.id;
    story.fact(Event::CredentialRemoved(CredentialRemoved { person, credential }));
    assert!(story.world.identities.by_key(&key(1)).is_none());
    make(&mut story, bob, &same).unwrap();
    let held = story.world.identities.get(&named("bob")).unwrap();
    assert!(held.credentials().any(|id| id == same.credential));
}

/// Law: with a ticket a person starts anew: what was disabled is gone, what is in use stays.
#[test]
fn a_ticket_clears_away_disabled_passkeys() {
    let (mut story, strong) = alice(1);
    let second = plain(&mut story, 2);
    make(&mut story, strong, &second).unwrap();
    for _ in 0..2 {
        sign_in(&mut story, 1, Some(Proof { counter: 3, ..PROOF }));
    }
    let ticket = story.ticket("alice");
    assert!(enrol::ticket_holder(&story.world, &ticket, story.now).is_ok());
    story.enrol(ticket);
    let alice = story.world.identities.get(&named("alice")).unwrap();
    assert_eq!(alice.passkeys.iter().map(|it| it.key).collect::<Vec<_>>(), [key(2)]);
    assert!(story.world.identities.by_key(&key(1)).is_none());
}

#[test]
fn a_person_has_a_bounded_number() {
    let (mut story, strong) = alice(1);
    for number in 2..=u8::try_from(PASSKEYS_MAX).unwrap() {
        let new = plain(&mut story, number);
        make(&mut story, strong, &new).unwrap();
    }
    let more = plain(&mut story, 99);
    assert_eq!(make(&mut story, strong, &more), Err(Refusal::PasskeysFull));
    assert_eq!(registrant(&story.world, strong, false, story.now), Err(Refusal::PasskeysFull));
}

/// Law: an old session of a password alone does not rise by a key, as not by a code.
#[test]
fn a_session_rises_on_a_password_of_late() {
    let (mut story, _) = alice(1);
    let weak = story.log_in("alice");
    story.pass(authenticators::AUTHENTICATION_AGE_MAX_S + 1);
    let old = Refusal::ReauthenticationRequired { max_age_s: 900 };
    assert_eq!(candidates(&story.world, weak, story.now), Err(old.clone()));
    let tokens = story.tokens();
    let assertion = Assertion { key: key(1), proof: Some(PROOF) };
    assert_eq!(raise(&story.world, weak, &assertion, &tokens, story.now), Err(old));
}
