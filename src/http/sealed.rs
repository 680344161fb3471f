//! A person's secrets in the vault and the log that names them: each is sealed before
//! the entry that names it, and removed once another has taken its place.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{App, Problem, body};
use crate::authn::Refusal;
use crate::event::Event;
use crate::model::{Digest, Moment, Username};
use crate::projection::World;
use crate::sequencer::{CommitError, Committed, Expected, Origin};
use crate::vault::{Purpose, VaultError};

/// A secret to be sealed.
pub struct Secret {
    /// The new credential's id.
    pub credential: Uuid,
    /// What it is for.
    pub purpose: Purpose,
    /// The secret itself.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Seals a secret, has the command recorded that names it by the digest of its sealed
/// form, and removes what it takes the place of. Who hangs up does not stop it half-way,
/// or whatever is sealed for nothing would lie in the vault until the next start.
///
/// # Errors
/// [`Problem`]: the command's refusal, or why it was not recorded.
pub async fn replace(
    app: &web::Data<App>,
    origin: Origin,
    person: &Username,
    secret: Secret,
    decide: impl FnOnce(Digest, &World, Moment) -> Result<Vec<Event>, Refusal> + Send + 'static,
) -> Result<Committed, Problem> {
    replace_if(app, (origin, Expected::default()), person, secret, decide).await
}

/// The same, if what the command relies on still holds when the writer comes to it.
///
/// # Errors
/// Those of [`replace`].
pub async fn replace_if(
    app: &web::Data<App>,
    (origin, expected): (Origin, Expected),
    person: &Username,
    secret: Secret,
    decide: impl FnOnce(Digest, &World, Moment) -> Result<Vec<Event>, Refusal> + Send + 'static,
) -> Result<Committed, Problem> {
    let (app, person) = (app.clone(), person.clone());
    let whole = async move {
        let Secret { credential, purpose, bytes } = secret;
        let (node, subject) = (app.clone(), person.to_string());
        let seal = move || node.vault.seal(&subject, credential, purpose, &bytes);
        let sealed = body::blocking(seal).await??;
        let decide = move |world: &World, now| decide(sealed, world, now);
        recorded(app, (origin, expected), person, Some(credential), decide).await
    };
    seen_through(whole).await
}

/// Has a command recorded by which one of a person's secrets may take another's place,
/// and removes that one.
///
/// # Errors
/// Those of [`replace`].
pub async fn record(
    app: &web::Data<App>,
    origin: Origin,
    person: &Username,
    decide: impl FnOnce(&World, Moment) -> Result<Vec<Event>, Refusal> + Send + 'static,
) -> Result<Committed, Problem> {
    let on = (origin, Expected::default());
    seen_through(recorded(app.clone(), on, person.clone(), None, decide)).await
}

/// Opens a secret that was in the World a moment ago; nothing if another has taken its
/// place since. Blocks on the disk.
///
/// # Errors
/// 500 if it cannot be opened though it should be there.
pub fn open(
    app: &App,
    person: &Username,
    credential: Uuid,
    purpose: Purpose,
    sealed: &Digest,
) -> Result<Option<Zeroizing<Vec<u8>>>, Problem> {
    match app.vault.open(person.as_str(), credential, purpose, sealed) {
        Err(error) if has_gone(app, person, credential, &error) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

/// Whether a secret cannot be opened because another has taken its place since.
pub fn has_gone(app: &App, person: &Username, credential: Uuid, error: &VaultError) -> bool {
    matches!(error, VaultError::Missing(_))
        && !named(&app.sequencer.world(), person).contains(&credential)
}

async fn seen_through(
    work: impl Future<Output = Result<Committed, Problem>> + 'static,
) -> Result<Committed, Problem> {
    let ended = actix_web::rt::spawn(work).await;
    ended.map_err(|_| Problem::defect(&"a command did not come to an end"))?
}

async fn recorded(
    app: web::Data<App>,
    (origin, expected): (Origin, Expected),
    person: Username,
    fresh: Option<Uuid>,
    decide: impl FnOnce(&World, Moment) -> Result<Vec<Event>, Refusal> + Send + 'static,
) -> Result<Committed, Problem> {
    let before = Arc::new(Mutex::new(Vec::new()));
    let (seen, name) = (Arc::clone(&before), person.clone());
    // Only the writer knows what was in force when this came to it.
    let decide = move |world: &World, now| {
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = named(world, &name);
        decide(world, now)
    };
    let result = app.sequencer.commit(origin, expected, decide).await;
    let gone: Vec<_> = match &result {
        // It may have been recorded; the next start will see.
        Err(CommitError::Unavailable | CommitError::Defect) => Vec::new(),
        Err(_) => fresh.into_iter().collect(),
        Ok(recorded) => {
            let kept = named(&recorded.world, &person);
            let before = before.lock().unwrap_or_else(PoisonError::into_inner);
            let all = before.iter().copied().chain(fresh);
            all.filter(|credential| !kept.contains(credential)).collect()
        }
    };
    if !gone.is_empty() {
        remove(&app, person, gone).await?;
    }
    Ok(result?)
}

/// The ids of the secrets that the World names for a person.
fn named(world: &World, person: &Username) -> Vec<Uuid> {
    let known = world.identities.get(person).into_iter();
    known.flat_map(|person| person.credentials()).collect()
}

async fn remove(
    app: &web::Data<App>,
    person: Username,
    credentials: Vec<Uuid>,
) -> Result<(), Problem> {
    let node = app.clone();
    let remove = move || {
        for credential in credentials {
            if let Err(error) = node.vault.remove(person.as_str(), credential) {
                // What was asked is done; the next start takes what is left.
                tracing::warn!(%credential, %error, "a superseded secret was not removed");
            }
        }
    };
    body::blocking(remove).await
}
