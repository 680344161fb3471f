//! The ways in which bytes may be written.

use countersign::model::Digest;

/// A secret, by a name that is safe to print.
pub struct Secret {
    pub name: String,
    pub bytes: Vec<u8>,
    pub kind: Kind,
}

/// What may be done with a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whoever has its bare SHA-256 finds it by trying.
    Password,
    /// The same; and so short that digests and times may hold it by chance, so that in
    /// plain it counts only where it stands alone.
    Code,
    /// Too long to be tried: its SHA-256 is what is kept of it.
    Token,
}

/// One way to write a secret.
pub struct Spelling {
    pub how: String,
    pub bytes: Vec<u8>,
    /// Counts only between characters that belong to no word.
    pub alone: bool,
}

/// RFC 4648 §4, §5, §6.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// All of them: plain, hexadecimal, base32 and base64 wherever in a longer text the
/// secret may begin, and its bare SHA-256, which for a password is as good as plain.
pub fn spellings(secret: &Secret) -> Vec<Spelling> {
    let bytes = &secret.bytes;
    let mut all =
        vec![Spelling { alone: secret.kind == Kind::Code, ..spelled("plain", bytes.clone()) }];
    all.extend(hex("hexadecimal", bytes));
    if secret.kind != Kind::Token {
        let digest = Digest::of(bytes);
        all.push(spelled("SHA-256", digest.as_bytes().to_vec()));
        all.extend(hex("SHA-256 in hexadecimal", digest.as_bytes()));
    }
    for start in 0..3 {
        for (alphabet, name) in [(BASE64, "base64"), (BASE64URL, "base64url")] {
            all.push(spelled(&format!("{name} from byte {start}"), packed(bytes, alphabet, start)));
        }
    }
    for start in 0..5 {
        let upper = packed(bytes, BASE32, start);
        let how = format!("base32 from byte {start}");
        all.push(spelled(&how, upper.to_ascii_lowercase()));
        all.push(spelled(&how, upper));
    }
    all
}

fn spelled(how: &str, bytes: Vec<u8>) -> Spelling {
    Spelling { how: how.to_owned(), bytes, alone: false }
}

fn hex(how: &str, bytes: &[u8]) -> [Spelling; 2] {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let lower: Vec<_> = digits.map(|digit| b"0123456789abcdef"[usize::from(digit)]).collect();
    [spelled(how, lower.to_ascii_uppercase()), spelled(how, lower)]
}

/// The symbols that bytes give for certain when they follow `start` others, whatever
/// those are and whatever comes behind.
fn packed(bytes: &[u8], alphabet: &[u8], start: usize) -> Vec<u8> {
    let width = alphabet.len().ilog2() as usize;
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let first = (width - start * 8 % width) % width;
    let whole = (first..).step_by(width).take_while(|at| at + width <= bytes.len() * 8);
    whole
        .map(|at| (at..at + width).fold(0_u8, |value, at| value << 1 | bit(at)))
        .map(|value| alphabet[usize::from(value)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    /// Vectors: RFC 4648 §10.
    #[test]
    fn what_stands_at_the_beginning_is_spelled_as_the_standard_says() {
        assert_eq!(packed(b"foobar", BASE64, 0), b"Zm9vYmFy");
        assert_eq!(packed(b"fooba", BASE32, 0), b"MZXW6YTB");
        assert_eq!(packed(b"foob", BASE32, 0), b"MZXW6Y", "the last symbol is not certain");
    }

    /// Law: whatever surrounds a secret, its spelling is in the spelling of the whole.
    #[test]
    fn a_spelling_is_found_wherever_a_secret_begins() {
        let secret = b"7\x00\xff quiet harbours";
        for before in 0..7 {
            for after in 0..4 {
                let whole = [&vec![0xa5; before][..], secret, &vec![0x5a; after]].concat();
                let texts = [
                    (STANDARD.encode(&whole), packed(secret, BASE64, before % 3)),
                    (URL_SAFE_NO_PAD.encode(&whole), packed(secret, BASE64URL, before % 3)),
                ];
                for (text, wanted) in texts {
                    let wanted = String::from_utf8(wanted).unwrap();
                    assert!(text.contains(&wanted), "{before} {after}: {text} {wanted}");
                    assert!(wanted.len() >= 23, "{wanted}");
                }
            }
        }
    }

    /// Law: the same for base32, whose longer text is spelled here too, from its start.
    #[test]
    fn a_base32_spelling_is_found_wherever_a_secret_begins() {
        let secret = b"7\x00\xff quiet harbours";
        for before in 0..11 {
            let whole = [&vec![0xa5; before][..], secret, b"!!!!!"].concat();
            let text = String::from_utf8(packed(&whole, BASE32, 0)).unwrap();
            let wanted = String::from_utf8(packed(secret, BASE32, before % 5)).unwrap();
            assert!(text.contains(&wanted), "{before}: {text} {wanted}");
        }
    }
}
