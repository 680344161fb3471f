//! Passkeys made up for names that have none.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use webauthn_rs::fake::{FakePasskeyDistribution, WebauthnFakeCredentialGenerator};

/// The ids of passkeys that nobody has, for a name's keyed hash: the same for the same name
/// and key, as many and as long as people's are. About a name in seven has none, and says
/// so, whether anybody has that name or not.
///
/// The latter half of each is made of the former, which shows to who has the key alone:
/// see [`is_pretended`].
///
/// # Source
/// `WebAuthn` Level 3 §14.6.2: whoever asks by a name must not see whether it is known.
#[must_use]
pub fn pretended(key: &[u8; 32], name_tag: &[u8; 32]) -> Vec<Vec<u8>> {
    let maker = WebauthnFakeCredentialGenerator::<FakePasskeyDistribution>::new(key);
    let ids: Vec<Vec<u8>> = maker.and_then(|maker| maker.generate(name_tag)).unwrap_or_default();
    ids.into_iter().map(|id| marked(key, id)).collect()
}

/// True of an id that [`pretended`] has made up with this key; of another with a chance of
/// 2⁻⁶⁴ at most. Whoever offers one as that of his own new key has it from a login in
/// another's name, and must not learn from the answer that nobody has it.
#[must_use]
pub fn is_pretended(key: &[u8; 32], id: &[u8]) -> bool {
    id.len() >= ID_BYTES_MIN && marked(key, id.to_vec()) == id
}

/// The shortest id that people's authenticators make.
const ID_BYTES_MIN: usize = 16;

/// An id with its latter half, 32 bytes at most, made of the rest.
fn marked(key: &[u8; 32], mut id: Vec<u8>) -> Vec<u8> {
    let own = id.len() - (id.len() / 2).min(32);
    let (own, marked) = id.split_at_mut(own);
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(byte, of)| *byte = *of);
    let mut mac = Hmac::<Sha256>::new((&block).into());
    mac.update(b"made up");
    mac.update(own);
    let tag = mac.finalize().into_bytes();
    marked.iter_mut().zip(tag).for_each(|(byte, made)| *byte = made);
    id
}
