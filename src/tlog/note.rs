//! Signed notes: a text, and who signed it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, PAD};

use super::key::{KeyName, VerifierKey};

/// The longest note: a million bytes, which is also what `sumdb/note` of Go reads.
pub const NOTE_BYTES_MAX: usize = 1_000_000;

/// The most signatures of one note. The specification asks for 16 at least; with 64 of
/// the largest in use (ML-DSA-44, 3.3 kB in base64) a note is still read by all.
pub const SIGNATURES_MAX: usize = 64;

/// What each signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// Standard base64 with padding, where bits behind the last byte are ignored as Go's
/// decoder ignores them: a line that others read must not make a note unreadable here.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// Why a text is not a note, or a note is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Longer than any note.
    #[error("a note has at most {NOTE_BYTES_MAX} bytes, not {bytes}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Control characters, or no newline at the end.
    #[error("a note is lines of text without control characters")]
    NotText,
    /// No empty line in front of the signatures.
    #[error("a note is a text, an empty line, and signatures")]
    NoSignatures,
    /// A line behind the empty one that is no signature.
    #[error("signature line {line} is not `\u{2014} NAME SIGNATURE`")]
    SignatureLine {
        /// Which, from 1.
        line: usize,
    },
    /// More signatures than are read.
    #[error("a note has at most {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// A signature by a known key that does not hold. Nothing of the note is to be
    /// believed, whoever else signed it.
    #[error("the signature of `{name}` does not hold for this text")]
    Forged {
        /// Whose it claims to be.
        name: KeyName,
    },
    /// No known key signed it.
    #[error("no key that is trusted here has signed the note")]
    Unsigned,
}

/// One signature line: `— NAME base64(ID ‖ SIGNATURE)`, written without its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: KeyName,
    id: u32,
    bytes: Vec<u8>,
}

impl Signature {
    pub(super) const fn new(name: KeyName, id: u32, bytes: Vec<u8>) -> Self {
        Self { name, id, bytes }
    }

    /// Whose it claims to be.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key it claims to be by.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// What follows the id; what that is, the key's kind decides.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// True if both claim to be by the same key.
    pub(super) fn claims_as(&self, other: &Self) -> bool {
        self.id == other.id && self.name == other.name
    }

    /// True if it claims to be by this key.
    pub(super) fn claims(&self, key: &VerifierKey) -> bool {
        self.id == key.id() && self.name == *key.name()
    }

    /// Reads a line, without its newline.
    pub(super) fn read(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = BASE64.decode(encoded).ok()?;
        let (id, signature) = bytes.split_first_chunk()?;
        if signature.is_empty() {
            return None;
        }
        let name = name.parse().ok()?;
        Some(Self { name, id: u32::from_be_bytes(*id), bytes: signature.to_vec() })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.to_be_bytes().as_slice(), &self.bytes].concat();
        write!(f, "{DASH}{} {}", self.name, BASE64.encode(bytes))
    }
}

/// A signature that holds: whose, and as of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'k> {
    /// The key that it was verified with.
    pub key: &'k VerifierKey,
    /// What a cosignature states as its time: seconds since 1970.
    pub time: Option<u64>,
}

/// A text that ends in a newline, and one or more signatures. Its text is to be ignored
/// until [`Note::verify`] has said who signed it.
///
/// # Source
/// c2sp.org/signed-note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// A note of a text and its signatures, in that order.
    ///
    /// # Errors
    /// A text with control characters or without a newline at its end, no signature or
    /// more than [`SIGNATURES_MAX`], or more bytes than [`NOTE_BYTES_MAX`].
    pub fn new(text: String, signatures: Vec<Signature>) -> Result<Self, NoteError> {
        if !text.ends_with('\n') || !is_text(&text) {
            return Err(NoteError::NotText);
        }
        match signatures.len() {
            0 => return Err(NoteError::NoSignatures),
            1..=SIGNATURES_MAX => {}
            _ => return Err(NoteError::TooManySignatures),
        }
        let note = Self { text, signatures };
        let bytes = note.to_string().len();
        if bytes > NOTE_BYTES_MAX { Err(NoteError::TooLarge { bytes }) } else { Ok(note) }
    }

    /// What is signed: the text with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, believed or not.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Which of these keys signed the text, each once, in the order of the signatures.
    /// Those of other keys are ignored, also if name or id alone is known.
    ///
    /// The first line of a key speaks for it: further ones are not looked at, hold or not,
    /// so that a note costs one verification for each key, however many lines it has.
    ///
    /// # Errors
    /// [`NoteError::Forged`] if the first signature of a known key does not hold,
    /// [`NoteError::Unsigned`] if there is none of a known key.
    ///
    /// # Source
    /// c2sp.org/signed-note, “Signatures”; that the first line counts is what `note.Open`
    /// of Go does.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<Verified<'k>>, NoteError> {
        let mut verified: Vec<Verified<'k>> = Vec::new();
        for signature in &self.signatures {
            let known = keys.iter().find(|key| signature.claims(key));
            let Some(key) = known else { continue };
            if verified.iter().any(|by| by.key == key) {
                continue;
            }
            let Some(holds) = key.verify(&self.text, &signature.bytes) else {
                return Err(NoteError::Forged { name: signature.name.clone() });
            };
            verified.push(holds);
        }
        if verified.is_empty() { Err(NoteError::Unsigned) } else { Ok(verified) }
    }
}

impl FromStr for Note {
    type Err = NoteError;
    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge { bytes: note.len() });
        }
        if !is_text(note) {
            return Err(NoteError::NotText);
        }
        // The text may have empty lines of its own; the signatures stand behind the last.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (line, signature) in (1..).zip(lines.split('\n')) {
            if line > SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            let read = Signature::read(signature);
            signatures.push(read.ok_or(NoteError::SignatureLine { line })?);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// True without control characters other than newline.
fn is_text(text: &str) -> bool {
    text.bytes().all(|byte| byte >= b' ' || byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{CosigningKey, SigningKey};

    const TEXT: &str = "first\n\nthird\n";

    fn key(name: &str, seed: u8) -> SigningKey {
        SigningKey::new(name.parse().unwrap(), &[seed; 32])
    }

    fn note(signatures: Vec<Signature>) -> Note {
        Note::new(TEXT.to_owned(), signatures).unwrap()
    }

    #[test]
    fn the_example_of_the_specification_is_read() {
        let text = "Ognuno sta solo sul cuor della terra\n\
            trafitto da un raggio di sole:\n\n\
            ed è subito sera.\n";
        let line = "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC\
            +EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=";
        let note: Note = format!("{text}\n{line}\n").parse().unwrap();
        assert_eq!(note.text(), text);
        assert_eq!(note.signatures()[0].name().as_str(), "quasimodo.example/salvatore");
        assert_eq!(note.signatures()[0].id(), 0x367b_a04b);
        assert_eq!(note.to_string(), format!("{text}\n{line}\n"));
    }

    #[test]
    fn known_keys_verify_and_unknown_ones_are_ignored() {
        let (a, b, c) = (key("a", 1), key("b", 2), key("c", 3));
        let witness = CosigningKey::new("w".parse().unwrap(), &[4; 32]);
        let signed = note(vec![a.sign(TEXT), c.sign(TEXT), witness.cosign(TEXT, 7), a.sign(TEXT)]);
        let again: Note = signed.to_string().parse().unwrap();
        assert_eq!(again, signed);
        let known = [b.verifier(), witness.verifier(), a.verifier()];
        let verified = again.verify(&known).unwrap();
        let expected =
            [Verified { key: &known[2], time: None }, Verified { key: &known[1], time: Some(7) }];
        assert_eq!(verified, expected);
        assert_eq!(again.verify(&[b.verifier()]), Err(NoteError::Unsigned));
        assert_eq!(again.verify(&[]), Err(NoteError::Unsigned));
    }

    #[test]
    fn a_known_key_that_fails_rejects_the_whole_note() {
        let (a, b) = (key("a", 1), key("b", 2));
        let forged = note(vec![a.sign(TEXT), b.sign("other\n")]);
        let refusal = Err(NoteError::Forged { name: "b".parse().unwrap() });
        assert_eq!(forged.verify(&[a.verifier(), b.verifier()]), refusal);
        assert!(forged.verify(&[a.verifier()]).is_ok());
    }

    /// Goal: what a note costs to verify grows with the keys, not with its lines. The first
    /// line of a key speaks for it, as in Go's `note.Open`.
    #[test]
    fn of_each_key_the_first_line_is_verified_and_no_other() {
        let (a, b) = (key("a", 1), key("b", 2));
        let keys = [a.verifier(), b.verifier()];
        let first_holds = note(vec![a.sign(TEXT), b.sign(TEXT), a.sign("other\n")]);
        let verified = first_holds.verify(&keys).unwrap();
        assert_eq!(verified.iter().map(|by| by.key).collect::<Vec<_>>(), [&keys[0], &keys[1]]);
        let first_fails = note(vec![a.sign("other\n"), b.sign(TEXT), a.sign(TEXT)]);
        let refusal = Err(NoteError::Forged { name: "a".parse().unwrap() });
        assert_eq!(first_fails.verify(&keys), refusal);
    }

    #[test]
    fn a_name_or_an_id_alone_is_not_known() {
        let (a, b) = (key("a", 1), key("b", 2));
        let line = b.sign(TEXT);
        let other_id = Signature::new("a".parse().unwrap(), line.id(), line.bytes().to_vec());
        let id = a.verifier().id();
        let other_name = Signature::new("b".parse().unwrap(), id, line.bytes().to_vec());
        let note = note(vec![other_id, other_name]);
        assert_eq!(note.verify(&[a.verifier(), b.verifier()]), Err(NoteError::Unsigned));
    }

    #[test]
    fn sixty_four_signatures_are_read_and_no_more() {
        let lines = |count| vec![key("a", 1).sign(TEXT); count];
        let most = note(lines(SIGNATURES_MAX)).to_string();
        assert!(most.parse::<Note>().is_ok());
        let more = format!("{most}{}\n", key("a", 1).sign(TEXT));
        assert_eq!(more.parse::<Note>(), Err(NoteError::TooManySignatures));
        assert_eq!(Note::new(TEXT.into(), lines(65)), Err(NoteError::TooManySignatures));
    }

    #[test]
    fn what_is_not_a_note_is_refused() {
        let line = key("a", 1).sign(TEXT);
        let refusal = |text: &str| text.parse::<Note>().unwrap_err();
        assert_eq!(refusal(""), NoteError::NoSignatures);
        assert_eq!(refusal("text\n"), NoteError::NoSignatures);
        assert_eq!(refusal(&format!("text\n{line}\n")), NoteError::NoSignatures);
        assert_eq!(refusal(&format!("text\n\n{line}")), NoteError::NoSignatures);
        assert_eq!(refusal("text\n\n"), NoteError::NoSignatures);
        assert_eq!(refusal(&format!("te\txt\n\n{line}\n")), NoteError::NotText);
        assert_eq!(refusal(&format!("text\r\n\n{line}\n")), NoteError::NotText);
        let large = format!("{}\n\n{line}\n", "x".repeat(NOTE_BYTES_MAX));
        assert!(matches!(refusal(&large), NoteError::TooLarge { .. }));
        for bad in [
            "",
            "a",
            "— a",
            "— a ",
            "- a AAAAAAE=",
            "—  a AAAAAAE=",
            "— a AAAAAA==",
            "— a AAAAAAE",
            "— a+b AAAAAAE=",
            "— a AAAAAAE= ",
            "— a b AAAAAAE=",
            " — a AAAAAAE=",
        ] {
            let refused = refusal(&format!("text\n\n{line}\n{bad}\n"));
            let expected = match bad {
                "" => NoteError::NoSignatures,
                _ => NoteError::SignatureLine { line: 2 },
            };
            assert_eq!(refused, expected, "{bad}");
        }
        let read = |bits: char| format!("text\n\n— a AAAAAA{bits}=\n").parse::<Note>();
        assert!(read('E').is_ok());
        assert_eq!(read('F'), read('E'), "bits behind the last byte are ignored");
    }

    #[test]
    fn a_note_that_could_not_be_read_back_is_not_made() {
        let line = || vec![key("a", 1).sign(TEXT)];
        assert_eq!(Note::new("text".into(), line()), Err(NoteError::NotText));
        assert_eq!(Note::new(String::new(), line()), Err(NoteError::NotText));
        assert_eq!(Note::new("te\0xt\n".into(), line()), Err(NoteError::NotText));
        assert_eq!(Note::new("text\n".into(), Vec::new()), Err(NoteError::NoSignatures));
        let large = format!("{}\n", "x".repeat(NOTE_BYTES_MAX));
        assert!(matches!(Note::new(large, line()), Err(NoteError::TooLarge { .. })));
    }
}
