//! The relying party: what keys are made for and what they sign for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    AttestedPasskeyRegistration, Credential, DiscoverableAuthentication, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, SecurityKey, SecurityKeyAuthentication,
    SecurityKeyRegistration, Url, Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

use super::{AllowList, Key};

/// What an authenticator answers to registration options, as a browser gives it.
pub type RegistrationAnswer = RegisterPublicKeyCredential;
/// What an authenticator answers to login options, as a browser gives it.
pub type AssertionAnswer = PublicKeyCredential;

/// Which kind of key is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One that verifies its user, and may be found without a name: enough to log in.
    #[default]
    Passkey,
    /// Any: for use beside a password.
    SecurityKey,
    /// One that verifies its user, in hardware that a certificate on the list attests.
    Attested,
}

/// The id of the key that answered, as given.
#[must_use]
pub fn key_id(answer: &AssertionAnswer) -> &[u8] {
    &answer.raw_id
}

/// The user handle that the authenticator keeps with the key, if it gave one.
#[must_use]
pub fn user_handle(answer: &AssertionAnswer) -> Option<&[u8]> {
    answer.response.user_handle.as_deref()
}

/// A registration that awaits its answer.
pub enum Registering {
    /// Of [`Kind::Passkey`].
    Passkey(PasskeyRegistration),
    /// Of [`Kind::SecurityKey`].
    SecurityKey(SecurityKeyRegistration),
    /// Of [`Kind::Attested`].
    Attested(AttestedPasskeyRegistration),
}

/// A challenge that awaits its signature.
pub enum Asserting {
    /// By a key that verifies its user.
    Verifying(DiscoverableAuthentication),
    /// By one of these keys, which verify their users as far as they did when they were
    /// made.
    Present(SecurityKeyAuthentication),
}

/// A key that was made.
pub struct Made {
    /// To be kept.
    pub key: Key,
    /// True if its authenticator verified its user.
    pub user_verifying: bool,
    /// True if it may be copied.
    pub backup_eligible: bool,
    /// The model of its authenticator, if a certificate on the list attests it.
    pub attested: Option<Uuid>,
    /// Its signature counter.
    pub counter: u32,
}

/// What a key signed about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// True if its authenticator verified its user.
    pub user_verified: bool,
    /// True if a copy of it is elsewhere.
    pub backed_up: bool,
    /// Its signature counter.
    pub counter: u32,
    /// True if the model it was attested to be is on the list.
    pub listed: bool,
}

/// An answer that is not to what was asked, not for this place, or not signed.
#[derive(Debug, thiserror::Error)]
#[error("the authenticator's answer was not accepted: {0}")]
pub struct Unacceptable(#[from] WebauthnError);

/// Why passkeys cannot be used at these places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotARelyingParty {
    /// An id that is no domain.
    #[error("webauthn.rp_id `{0}` is not a domain in lower case, such as example.org")]
    Id(String),
    /// An origin that keys for this id could not be used at.
    #[error(
        "webauthn.origins: `{origin}` is not at `{id}` or below it, with https or on localhost"
    )]
    Origin {
        /// Which.
        origin: String,
        /// The id.
        id: String,
    },
}

/// One relying party: an id, and the exact origins at which its keys may be used.
pub struct RelyingParty {
    server: Webauthn,
    list: Option<AllowList>,
}

impl RelyingParty {
    /// With an id, its origins, and the authenticators that are known to be hardware.
    ///
    /// # Errors
    /// [`NotARelyingParty`].
    ///
    /// # Source
    /// `WebAuthn` Level 3 §5.1.3, §13.4.9: the id is the origin's domain or one above it;
    /// origins are compared whole, with scheme and port.
    pub fn new(
        id: &str,
        origins: &[String],
        list: Option<AllowList>,
    ) -> Result<Self, NotARelyingParty> {
        let named = |part: &str| {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !part.is_empty() && part.bytes().all(plain)
        };
        let domain = id == "localhost" || id.contains('.');
        let numeric = id.rsplit('.').next().is_some_and(|last| last.parse::<u32>().is_ok());
        if !domain || numeric || !id.split('.').all(named) {
            return Err(NotARelyingParty::Id(id.to_owned()));
        }
        let parsed = origins.iter().map(|text| origin(text, id)).collect::<Result<Vec<_>, _>>()?;
        let none = || NotARelyingParty::Origin { origin: String::new(), id: id.to_owned() };
        let (first, others) = parsed.split_first().ok_or_else(none)?;
        let builder = WebauthnBuilder::new(id, first).map_err(|_| none())?;
        let builder = builder.rp_name("Countersign").allow_subdomains(false).allow_any_port(false);
        let builder = others.iter().fold(builder, WebauthnBuilder::append_allowed_origin);
        Ok(Self { server: builder.build().map_err(|_| none())?, list })
    }

    /// True if there is a list of authenticators that are known to be hardware.
    #[must_use]
    pub const fn attests(&self) -> bool {
        self.list.is_some()
    }

    /// Asks for a new key, of an account known by `handle` and `name`, that is none of
    /// those it has. The options are for `navigator.credentials.create`, bytes in base64url.
    ///
    /// # Errors
    /// [`Unacceptable`] if none of the kind can be asked for.
    pub fn register(
        &self,
        kind: Kind,
        (handle, name): (Uuid, &str),
        held: Vec<Vec<u8>>,
    ) -> Result<(Value, Registering), Unacceptable> {
        let held = Some(held);
        let (options, state) = match kind {
            Kind::Passkey => {
                let asked = self.server.start_passkey_registration(handle, name, name, held)?;
                (found_without_a_name(&asked.0), Registering::Passkey(asked.1))
            }
            Kind::SecurityKey => {
                let asked = self
                    .server
                    .start_securitykey_registration(handle, name, name, held, None, None)?;
                (as_json(&asked.0), Registering::SecurityKey(asked.1))
            }
            Kind::Attested => {
                let list = self.list.as_ref().ok_or(WebauthnError::MissingAttestationCaList)?;
                let asked = self.server.start_attested_passkey_registration(
                    handle,
                    name,
                    name,
                    held,
                    list.authorities(),
                    None,
                )?;
                (found_without_a_name(&asked.0), Registering::Attested(asked.1))
            }
        };
        Ok((options, state))
    }

    /// Checks the answer to such a question.
    ///
    /// # Errors
    /// [`Unacceptable`].
    pub fn registered(
        &self,
        answer: &RegistrationAnswer,
        state: &Registering,
    ) -> Result<Made, Unacceptable> {
        let credential: Credential = match state {
            Registering::Passkey(state) => {
                self.server.finish_passkey_registration(answer, state)?.into()
            }
            Registering::SecurityKey(state) => {
                self.server.finish_securitykey_registration(answer, state)?.into()
            }
            Registering::Attested(state) => {
                self.server.finish_attested_passkey_registration(answer, state)?.into()
            }
        };
        if credential.cred_id.len() > Key::ID_BYTES_MAX {
            return Err(WebauthnError::CredentialNotFound.into());
        }
        let (user_verifying, backup_eligible) =
            (credential.user_verified, credential.backup_eligible);
        let (counter, key) = (credential.counter, Key::new(credential));
        let attested = matches!(state, Registering::Attested(_)).then(|| key.model()).flatten();
        Ok(Made { key, user_verifying, backup_eligible, attested, counter })
    }

    /// Asks for a signature by a key that verifies its user: one of these, or any if there
    /// are none. The options are for `navigator.credentials.get`, bytes in base64url.
    ///
    /// # Errors
    /// [`Unacceptable`] if it cannot be asked.
    pub fn ask_verifying(&self, ids: &[Vec<u8>]) -> Result<(Value, Asserting), Unacceptable> {
        let (options, state) = self.server.start_discoverable_authentication()?;
        Ok((offering(&options, ids), Asserting::Verifying(state)))
    }

    /// Asks for a signature by one of these keys, beside a password.
    ///
    /// # Errors
    /// [`Unacceptable`] if it cannot be asked.
    pub fn ask_present(&self, keys: &[Key]) -> Result<(Value, Asserting), Unacceptable> {
        let held = keys.iter().map(|key| SecurityKey::from(key.credential().clone()));
        let held: Vec<_> = held.collect();
        let (options, state) = self.server.start_securitykey_authentication(&held)?;
        let ids: Vec<_> = keys.iter().map(|key| key.id().to_vec()).collect();
        Ok((offering(&options, &ids), Asserting::Present(state)))
    }

    /// Checks the signature of a key.
    ///
    /// # Errors
    /// [`Unacceptable`].
    pub fn asserted(
        &self,
        answer: &AssertionAnswer,
        state: Asserting,
        key: &Key,
    ) -> Result<Asserted, Unacceptable> {
        let result = match state {
            Asserting::Verifying(state) => self.server.finish_discoverable_authentication_v2(
                answer,
                state,
                key.credential(),
            )?,
            Asserting::Present(state) => {
                self.server.finish_securitykey_authentication(answer, &state)?
            }
        };
        let on_list = |list: &AllowList| key.model().is_some_and(|model| list.contains(&model));
        Ok(Asserted {
            user_verified: result.user_verified(),
            backed_up: result.backup_state(),
            counter: result.counter(),
            listed: self.list.as_ref().is_some_and(on_list),
        })
    }
}

fn origin(text: &str, id: &str) -> Result<Url, NotARelyingParty> {
    let wrong = || NotARelyingParty::Origin { origin: text.to_owned(), id: id.to_owned() };
    let url: Url = text.parse().map_err(|_| wrong())?;
    let domain = url.domain().ok_or_else(wrong)?;
    let below = domain == id || domain.strip_suffix(id).is_some_and(|it| it.ends_with('.'));
    let secure = url.scheme() == "https" || (url.scheme() == "http" && domain == "localhost");
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if below && secure && bare { Ok(url) } else { Err(wrong()) }
}

/// Asks the authenticator to keep what it takes to find the key without a name, if it can.
fn found_without_a_name(options: &impl Serialize) -> Value {
    let mut options = as_json(options);
    if let Some(kept) = options.pointer_mut("/publicKey/authenticatorSelection/residentKey") {
        *kept = json!("preferred");
    }
    options
}

/// Names the keys and nothing else about them: what else is known of real ones is not of
/// those that were made up. Who has a button for it need not be asked in passing
/// (`mediation`).
fn offering(options: &impl Serialize, ids: &[Vec<u8>]) -> Value {
    let mut options = as_json(options);
    let named = |id: &Vec<u8>| json!({"type": "public-key", "id": URL_SAFE_NO_PAD.encode(id)});
    if let Some(asked) = options.get_mut("publicKey").and_then(Value::as_object_mut) {
        asked.insert("allowCredentials".to_owned(), ids.iter().map(named).collect());
        asked.remove("hints");
    }
    if let Some(whole) = options.as_object_mut() {
        whole.remove("mediation");
    }
    options
}

/// No options of the library fail to become JSON.
fn as_json(options: &impl Serialize) -> Value {
    serde_json::to_value(options).unwrap_or_default()
}
