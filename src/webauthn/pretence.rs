//! Passkeys made up for names that have none.

use webauthn_rs::fake::{FakePasskeyDistribution, WebauthnFakeCredentialGenerator};

/// The ids of passkeys that nobody has, for a name's keyed hash: the same for the same name
/// and key, as many and as long as people's are. About a name in seven has none, and says
/// so, whether anybody has that name or not.
///
/// # Source
/// `WebAuthn` Level 3 §14.6.2: whoever asks by a name must not see whether it is known.
#[must_use]
pub fn pretended(key: &[u8; 32], name_tag: &[u8; 32]) -> Vec<Vec<u8>> {
    let maker = WebauthnFakeCredentialGenerator::<FakePasskeyDistribution>::new(key);
    maker.and_then(|maker| maker.generate(name_tag)).unwrap_or_default()
}
