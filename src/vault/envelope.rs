//! One sealed file: `format (4) ‖ nonce (24) ‖ XChaCha20-Poly1305(secret)`.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::model::Digest;

/// What a sealed file begins with; another layout will begin differently.
pub(super) const FORMAT: &[u8] = b"CSV1";

/// A symmetric key, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// Seals a secret under a key and a nonce never used before: 24 random bytes are
/// enough for that. `bound` is authenticated but not stored; opening needs the same.
/// `None` only for a secret longer than the cipher takes, 256 GiB.
///
/// # Source
/// draft-irtf-cfrg-xchacha-03 §2.
pub(super) fn seal(key: &Key, nonce: &[u8; 24], bound: &Digest, secret: &[u8]) -> Option<Vec<u8>> {
    let payload = Payload { msg: secret, aad: bound.as_bytes() };
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let sealed = cipher.encrypt(&XNonce::from(*nonce), payload).ok()?;
    Some([FORMAT, nonce, &sealed].concat())
}

/// Opens what [`seal`] sealed under the same key and bound to the same.
pub(super) fn open(key: &Key, bound: &Digest, file: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = file.strip_prefix(FORMAT)?.split_first_chunk::<24>()?;
    let payload = Payload { msg: sealed, aad: bound.as_bytes() };
    let cipher = XChaCha20Poly1305::new((&**key).into());
    cipher.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: what is sealed opens under the same key and binding, and any
        /// changed bit of file, key or binding keeps it shut.
        #[test]
        fn a_seal_opens_whole_or_not_at_all(
            secret in prop::collection::vec(any::<u8>(), 0..200),
            (key, nonce) in (any::<[u8; 32]>(), any::<[u8; 24]>()),
            (at, bit) in (any::<prop::sample::Index>(), 0..8_u32),
        ) {
            let (key, bound) = (Key::new(key), Digest::of("bound"));
            let file = seal(&key, &nonce, &bound, &secret).unwrap();
            let opened = open(&key, &bound, &file).unwrap();
            prop_assert_eq!(&*opened, &secret);

            let mut altered = file.clone();
            altered[at.index(file.len())] ^= 1 << bit;
            prop_assert!(open(&key, &bound, &altered).is_none());
            let mut other = key.clone();
            other[at.index(32)] ^= 1 << bit;
            prop_assert!(open(&other, &bound, &file).is_none());
            prop_assert!(open(&key, &Digest::of("another"), &file).is_none());
            prop_assert!(open(&key, &bound, &file[..at.index(file.len())]).is_none());
        }
    }
}
