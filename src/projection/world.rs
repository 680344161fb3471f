//! Everything a decision may rest on, as of one entry of the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::{
    Accesses, Artefacts, Directory, Erasures, Identities, IndexDoubts, Node, PolicySetState,
    Services, Sessions, Shadows, SignIns, SigningKeys, Streams, Versions, Witnessing,
};
use crate::event::{
    Actor, DecisionSettings, Envelope, Event, PoliciesActivated, SchemaActivated, SessionEnded,
    SessionStarted, SubjectErased, of_versions,
};
use crate::model::{Digest, Index, Label, Moment, SetKind, StreamName, Uid, Username, canonical};

/// An immutable snapshot: the fold of the log up to [`World::through`]. A copy
/// costs a few pointers; a new one costs what has changed.
#[derive(Clone, Debug)]
pub struct World {
    /// The log's id; none before its first entry.
    pub log: Option<Uuid>,
    /// The newest entry it reflects; none before the first.
    pub through: Option<Index>,
    /// That entry's time and id.
    pub last: Option<(Moment, Uuid)>,
    /// How many events so far could alter a decision.
    pub epoch: u64,
    /// How many of them were no change of the directory, since this process began with a
    /// World; for [`Footprint`](super::Footprint) alone, and no part of the state.
    pub(super) elsewhere: u64,
    /// The settings adopted.
    pub settings: Arc<DecisionSettings>,
    /// The owner's policies and schema.
    pub application: PolicySetState,
    /// The versions of the owner's policies: drafted, staged, in force, retired.
    pub versions: Versions,
    /// The policies and schema of Countersign's own administration.
    pub system: PolicySetState,
    /// The entities.
    pub directory: Directory,
    /// What was erased.
    pub erasures: Erasures,
    /// The id of the key-encryption key, once it has been rotated.
    pub key: Option<Digest>,
    /// The persons.
    pub identities: Identities,
    /// The sessions.
    pub sessions: Sessions,
    /// Where persons' latest sign-ins are in the log.
    pub sign_ins: SignIns,
    /// The service tokens.
    pub services: Services,
    /// Where the index of policies was found wrong.
    pub index_doubts: IndexDoubts,
    /// Who signs the log.
    pub signing: SigningKeys,
    /// What is vouched for as a witness of other logs.
    pub witnessing: Witnessing,
    /// The counts of decisions.
    pub accesses: Accesses,
    /// How the staged version compares.
    pub shadows: Shadows,
    /// The stream heads.
    pub streams: Streams,
    pub(super) artefacts: Artefacts,
}

/// SHA-256 of the state, whole and by part, to compare a replay with the live node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateDigest {
    /// The newest entry reflected.
    pub through: Option<Index>,
    /// The epoch.
    pub epoch: u64,
    /// Over all parts.
    pub digest: Digest,
    /// Each part by its name.
    pub parts: BTreeMap<&'static str, Digest>,
}

impl Default for World {
    fn default() -> Self {
        Self::new(Artefacts::default())
    }
}

impl World {
    /// The World before the first entry.
    #[must_use]
    pub fn new(artefacts: Artefacts) -> Self {
        Self {
            log: None,
            through: None,
            last: None,
            epoch: 0,
            elsewhere: 0,
            settings: Arc::default(),
            application: PolicySetState::new(SetKind::Application),
            versions: Versions::default(),
            system: PolicySetState::new(SetKind::System),
            directory: Directory::default(),
            erasures: Erasures::default(),
            key: None,
            identities: Identities::default(),
            sessions: Sessions::default(),
            sign_ins: SignIns::default(),
            services: Services::default(),
            index_doubts: IndexDoubts::default(),
            signing: SigningKeys::default(),
            witnessing: Witnessing::default(),
            accesses: Accesses::default(),
            shadows: Shadows::default(),
            streams: Streams::default(),
            artefacts,
        }
    }

    /// This World with other policies and another schema of the owner's: for asking what
    /// they would decide. Never to be committed on.
    #[must_use]
    pub fn supposing(&self, application: PolicySetState) -> Self {
        Self { application, ..self.without_staged() }
    }

    /// The owner's policies that are decided by beside those in force, without effect.
    #[must_use]
    pub fn staged(&self) -> Option<&PolicySetState> {
        self.versions.staged_set()
    }

    /// This World as if nothing were staged.
    #[must_use]
    pub fn without_staged(&self) -> Self {
        Self { versions: self.versions.without_staged(), ..self.clone() }
    }

    /// The World after `log`, oldest entry first.
    pub fn fold<'a>(log: impl IntoIterator<Item = &'a Envelope>) -> Self {
        log.into_iter().fold(Self::default(), Self::apply)
    }

    /// One step. It cannot refuse: deciding already did.
    #[must_use]
    pub fn apply(mut self, entry: &Envelope) -> Self {
        self.advance(entry);
        self
    }

    /// The same step in place, for the one who owns this World.
    pub fn advance(&mut self, entry: &Envelope) {
        self.through = Some(entry.index);
        self.last = Some((entry.time, entry.id));
        self.streams.appended(&entry.stream, entry.version);
        self.sign_ins.wrote(entry);
        if self.fact(entry) {
            self.epoch += 1;
            self.elsewhere += u64::from(!matches!(entry.event, Event::DirectoryActivated(_)));
        }
    }

    /// The policy set of a kind.
    #[must_use]
    pub fn set(&self, kind: SetKind) -> &PolicySetState {
        match kind {
            SetKind::Application => &self.application,
            SetKind::System => &self.system,
        }
    }

    /// Where admission leaves what it has compiled.
    #[must_use]
    pub fn artefacts(&self) -> &Artefacts {
        &self.artefacts
    }

    /// A moment that is not before the newest entry, whatever the clock says.
    #[must_use]
    pub fn not_before_last(&self, now: Moment) -> Moment {
        self.last.map_or(now, |(time, _)| now.max(time))
    }

    /// The entity that stands for a person in the owner's policies.
    #[must_use]
    pub fn user(&self, person: &Username) -> Uid {
        Uid::of_person(self.settings.user_type.clone(), person)
    }

    /// Applies the fact; true if it can alter a decision.
    fn fact(&mut self, entry: &Envelope) -> bool {
        let at = entry.time;
        match &entry.event {
            Event::LogCreated(it) => self.log = Some(it.log),
            Event::LossAccepted(_) => self.witnessing.loss_accepted(),
            Event::NodeStarted(it) => return self.index_doubts.started(it),
            Event::PolicyIndexDoubted(it) => self.index_doubts.doubted(it),
            Event::SigningKeyAdopted(it) => self.signing.adopted(it, entry.index),
            Event::SigningKeyRetired(it) => self.signing.retired(it, entry.index),
            Event::KeyRotated(it) => self.key = Some(it.adopted),
            Event::WitnessKeyAdopted(it) => self.witnessing.adopted(it, entry.index),
            Event::CheckpointCosigned(it) => self.witnessing.cosigned(it),
            Event::SettingsAdopted(it) => self.settings = Arc::new(it.clone()),
            Event::SchemaSubmitted(it) => self.set_mut(it.set).schema_submitted(it),
            Event::SchemaActivated(it) => self.schema_activated(entry, it),
            Event::PolicySubmitted(it) => self.set_mut(it.set).policy_submitted(it),
            Event::PolicyWithdrawn(it) => self.set_mut(it.set).policy_withdrawn(it),
            Event::PoliciesActivated(it) => self.policies_activated(entry, it),
            of_versions!() => return self.version_lived(entry),
            Event::EntitySubmitted(it) => self.directory.entity_submitted(it),
            Event::EntityWithdrawn(it) => self.directory.entity_withdrawn(it),
            Event::DirectoryActivated(it) => self.directory.activated(it, &self.erasures),
            Event::PersonRegistered(it) => self.identities.registered(it, at),
            Event::PersonDisabled(it) => self.identities.person_disabled(it),
            Event::PersonErased(it) => self.identities.person_erased(it),
            Event::SubjectErased(it) => self.subject_erased(it),
            Event::RoleGranted(it) => self.identities.role_granted(it),
            Event::RoleRevoked(it) => self.identities.role_revoked(it),
            Event::TicketIssued(it) => self.identities.ticket_issued(it),
            Event::TicketUsed(it) => self.identities.ticket_used(it),
            Event::PasswordEnrolled(it) => self.identities.password_enrolled(it),
            Event::PasswordVerified(it) => self.identities.password_verified(it),
            Event::PasswordRefused(it) => self.identities.password_refused(it, at),
            Event::PasswordCompromised(it) => self.identities.password_compromised(it),
            Event::PasswordRehashed(it) => self.identities.password_rehashed(it),
            Event::PasswordImported(it) => self.identities.password_imported(it),
            Event::MfaOffered(it) => self.identities.mfa_offered(it),
            Event::MfaEnrolled(it) => self.identities.mfa_enrolled(it),
            Event::MfaVerified(it) => self.identities.mfa_verified(it),
            Event::MfaRefused(it) => self.identities.mfa_refused(it, at),
            Event::PasskeyRegistered(it) => self.identities.passkey_registered(it, at),
            Event::PasskeyVerified(it) => self.identities.passkey_verified(it, at),
            // What was turned away bears on nothing, nor does a ticket that nobody could use;
            // what a refused key means stands in an event of its own.
            Event::AttemptsThrottled(_) | Event::TicketRefused(_) | Event::PasskeyRefused(_) => {}
            Event::CredentialDisabled(it) => self.identities.credential_disabled(it),
            Event::CredentialRemoved(it) => self.identities.credential_removed(it),
            Event::CredentialRenamed(it) => self.identities.credential_renamed(it),
            Event::RecoveryCodesIssued(it) => self.identities.recovery_codes_issued(it),
            Event::RecoveryCodeUsed(it) => self.identities.recovery_code_used(it),
            Event::RecoveryCodeRefused(it) => self.identities.recovery_code_refused(it, at),
            Event::SessionStarted(it) => self.session_started(it, at),
            Event::SessionRaised(it) => self.sessions.raised(it, at),
            Event::SessionEnded(it) => self.session_ended(it, &entry.stream),
            Event::AuthenticationReported(it) => {
                self.lapse_sessions(at);
                self.sessions.reported(it);
            }
            Event::ServiceRegistered(it) => self.services.registered(it, entry),
            Event::ServiceRevoked(it) => self.services.revoked(it),
            Event::AccessDecided(it) => {
                self.accesses.decided(it);
                self.shadows.decided(it, entry.index);
                return self.sessions.used(it);
            }
        }
        alters_decisions(&entry.event)
    }

    fn set_mut(&mut self, kind: SetKind) -> &mut PolicySetState {
        match kind {
            SetKind::Application => &mut self.application,
            SetKind::System => &mut self.system,
        }
    }

    fn schema_activated(&mut self, entry: &Envelope, it: &SchemaActivated) {
        let artefacts = self.artefacts.clone();
        self.set_mut(it.set).schema_activated(it, &artefacts);
        self.published(entry, it.set, it.publication, &it.message);
    }

    fn policies_activated(&mut self, entry: &Envelope, it: &PoliciesActivated) {
        let artefacts = self.artefacts.clone();
        self.set_mut(it.set).policies_activated(it, &artefacts);
        self.published(entry, it.set, it.publication, &it.message);
    }

    /// True if decisions may be others now.
    fn version_lived(&mut self, entry: &Envelope) -> bool {
        let staged = |versions: &Versions| versions.staged().map(|it| it.digest);
        let (artefacts, writer) = (self.artefacts.clone(), self.behind(&entry.actor));
        let before = staged(&self.versions);
        self.versions.lived(entry, writer, &mut self.application, &artefacts);
        if let Event::VersionStaged(it) = &entry.event {
            self.shadows.staged(it.digest, entry.index);
        }
        // Drafting what is staged takes it off the stage.
        alters_decisions(&entry.event) || staged(&self.versions) != before
    }

    /// The person behind somebody: themselves, or whoever made a service's token.
    fn behind(&self, actor: &Actor) -> Option<Username> {
        match actor {
            Actor::Person(name) => Some(name.clone()),
            Actor::Service(id) => self.services.get(id)?.maker.clone(),
            Actor::Node | Actor::LocalOperator | Actor::Anonymous => None,
        }
    }

    /// What was put in force without being drafted first is a version too.
    fn published(&mut self, entry: &Envelope, set: SetKind, publication: Uuid, why: &Label) {
        if set == SetKind::Application {
            self.versions.published(entry, publication, why, &self.application);
        }
    }

    fn subject_erased(&mut self, it: &SubjectErased) {
        self.erasures.erased(it);
        self.directory.close_personal(&it.subject, &self.erasures);
    }

    fn session_started(&mut self, it: &SessionStarted, at: Moment) {
        self.lapse_sessions(at);
        let user = self.user(&it.person);
        self.sessions.started(it, user, at);
    }

    fn lapse_sessions(&mut self, now: Moment) {
        for session in self.sessions.lapse(now, &self.settings.session) {
            self.streams.closed(&StreamName::of("session", session));
        }
    }

    fn session_ended(&mut self, it: &SessionEnded, stream: &StreamName) {
        self.sessions.ended(&it.session);
        self.streams.closed(stream);
    }

    /// The digest of the whole state. Linear in the state. Caches are no part of it, and
    /// of what is personal only the sealed form: so it is the same before and after an
    /// erasure elsewhere, and for an auditor who has no keys.
    #[must_use]
    pub fn digest(&self) -> StateDigest {
        let mut parts = BTreeMap::from([
            ("accesses", of(&self.accesses)),
            ("application", set_digest(&self.application)),
            ("directory", self.directory_digest()),
            ("persons", unordered(self.identities.iter())),
            ("services", unordered(self.services.iter())),
            ("sessions", unordered(self.sessions.iter())),
            ("settings", of(&*self.settings)),
            ("signing", of(&self.signing)),
            ("streams", unordered(self.streams.iter())),
            ("system", set_digest(&self.system)),
            // Called so since it held the names of unknown persons alone.
            ("unknown_names", unordered(self.identities.buckets().iter())),
        ]);
        if !self.erasures.is_empty() {
            parts.insert("erasures", unordered(self.erasures.iter()));
        }
        if let Some(key) = &self.key {
            parts.insert("key", of(key));
        }
        if !self.witnessing.is_empty() {
            parts.insert("witnessing", of(&self.witnessing));
        }
        // Old logs have versions too, by this build's reckoning, and the state they had.
        if self.versions.have_lived() {
            parts.insert("versions", of(&self.versions));
        }
        if !self.shadows.is_empty() {
            parts.insert("shadows", of(&self.shadows));
        }
        if !self.index_doubts.is_empty() {
            parts.insert("index_doubts", unordered(self.index_doubts.iter()));
        }
        let all =
            parts.iter().flat_map(|(name, digest)| [name.as_bytes(), digest.as_bytes().as_slice()]);
        let head = of(&(self.log, self.through, self.last, self.epoch));
        let digest = Digest::of_parts([head.as_bytes().as_slice()].into_iter().chain(all));
        StateDigest { through: self.through, epoch: self.epoch, digest, parts }
    }

    fn directory_digest(&self) -> Digest {
        let mut all: Vec<_> = self.directory.iter().map(|node| node_digest(node)).collect();
        all.sort_unstable();
        let entities = Digest::of_parts(all.iter().map(|one| one.as_bytes().as_slice()));
        Digest::of_parts([entities.as_bytes().as_slice(), of(&self.directory.version()).as_bytes()])
    }
}

/// True for the events that the epoch counts. Decisions are counted where they
/// move a session's last activity.
const fn alters_decisions(event: &Event) -> bool {
    match event {
        Event::SettingsAdopted(_)
        | Event::PolicyIndexDoubted(_)
        | Event::SchemaActivated(_)
        | Event::PoliciesActivated(_)
        | Event::VersionStaged(_)
        | Event::VersionUnstaged(_)
        | Event::VersionActivated(_)
        | Event::VersionRolledBack(_)
        | Event::DirectoryActivated(_)
        | Event::PersonRegistered(_)
        | Event::PersonDisabled(_)
        | Event::PersonErased(_)
        | Event::SubjectErased(_)
        | Event::RoleGranted(_)
        | Event::RoleRevoked(_)
        | Event::SessionStarted(_)
        | Event::SessionRaised(_)
        | Event::SessionEnded(_)
        | Event::AuthenticationReported(_)
        | Event::ServiceRegistered(_)
        | Event::ServiceRevoked(_) => true,
        Event::LogCreated(_)
        | Event::LossAccepted(_)
        | Event::NodeStarted(_)
        | Event::KeyRotated(_)
        | Event::SigningKeyAdopted(_)
        | Event::SigningKeyRetired(_)
        | Event::WitnessKeyAdopted(_)
        | Event::CheckpointCosigned(_)
        | Event::SchemaSubmitted(_)
        | Event::PolicySubmitted(_)
        | Event::PolicyWithdrawn(_)
        | Event::PolicyTestsSubmitted(_)
        | Event::VersionDrafted(_)
        | Event::VersionChecked(_)
        | Event::VersionApproved(_)
        | Event::EntitySubmitted(_)
        | Event::EntityWithdrawn(_)
        | Event::TicketIssued(_)
        | Event::TicketUsed(_)
        | Event::TicketRefused(_)
        | Event::PasswordEnrolled(_)
        | Event::PasswordVerified(_)
        | Event::PasswordRefused(_)
        | Event::PasswordCompromised(_)
        | Event::PasswordRehashed(_)
        | Event::PasswordImported(_)
        | Event::AttemptsThrottled(_)
        | Event::MfaOffered(_)
        | Event::MfaEnrolled(_)
        | Event::MfaVerified(_)
        | Event::MfaRefused(_)
        | Event::PasskeyRegistered(_)
        | Event::PasskeyVerified(_)
        | Event::PasskeyRefused(_)
        | Event::CredentialDisabled(_)
        | Event::CredentialRemoved(_)
        | Event::CredentialRenamed(_)
        | Event::RecoveryCodesIssued(_)
        | Event::RecoveryCodeUsed(_)
        | Event::RecoveryCodeRefused(_)
        | Event::AccessDecided(_) => false,
    }
}

fn node_digest(node: &Node) -> Digest {
    let document = canonical(&node.document.to_impersonal_json());
    let ancestors: Vec<_> = node.ancestors.iter().collect();
    match node.document.personal.as_slice() {
        [] => of(&(document, ancestors)),
        sealed => of(&(document, ancestors, sealed)),
    }
}

fn set_digest(set: &PolicySetState) -> Digest {
    let schema = set.schema().map(|(text, version)| (Digest::of(text), version));
    let sources: Vec<_> = set.sources().map(|source| (&source.id, source.digest())).collect();
    of(&(schema, set.in_force(), sources))
}

/// The digest of a value's JSON; no value of ours fails to become JSON.
fn of(value: &impl Serialize) -> Digest {
    Digest::of(serde_json::to_vec(value).unwrap_or_default())
}

/// The digest of some values whatever their order.
fn unordered(values: impl Iterator<Item = impl Serialize>) -> Digest {
    let mut all: Vec<_> = values.map(|value| of(&value)).collect();
    all.sort_unstable();
    Digest::of_parts(all.iter().map(|digest| digest.as_bytes().as_slice()))
}
