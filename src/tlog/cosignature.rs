//! Cosignatures: a witness's word that a checkpoint is consistent with all it saw.

use ed25519_dalek::Signer as _;

use super::key::{KeyKind, KeyName, VerifierKey};
use super::note::{Note, NoteError, SIGNATURES_MAX, Signature};

/// A witness's private key, which cosigns checkpoints. Neither it nor its seed may serve
/// a second cosigner or a log: what it signs does not name it. No `Debug`; wiped when
/// dropped.
pub struct CosigningKey {
    name: KeyName,
    key: ed25519_dalek::SigningKey,
}

impl CosigningKey {
    /// The key that comes of a seed: 32 bytes of chance, to be kept as the key itself.
    #[must_use]
    pub fn new(name: KeyName, seed: &[u8; 32]) -> Self {
        Self { name, key: ed25519_dalek::SigningKey::from_bytes(seed) }
    }

    /// What its cosignatures are verified with.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(self.name.clone(), KeyKind::CosignatureV1, self.key.verifying_key())
    }

    /// States that, as of `time`, the checkpoint with this text is the largest consistent
    /// one that the witness has seen of its log.
    ///
    /// `time` is in seconds since 1970, at most 2^63 − 1, which stands for all later ones.
    ///
    /// # Source
    /// c2sp.org/tlog-cosignature, “Ed25519 signed message”.
    #[must_use]
    pub fn cosign(&self, text: &str, time: u64) -> Signature {
        let time = time.min(TIME_MAX);
        let signature = self.key.sign(message(text, time).as_bytes());
        let stated = [time.to_be_bytes().as_slice(), &signature.to_bytes()].concat();
        Signature::new(self.name.clone(), self.verifier().id(), stated)
    }
}

/// The last second that a cosignature can state (c2sp.org/tlog-cosignature, “Format”).
const TIME_MAX: u64 = i64::MAX as u64;

/// What a cosignature signs.
pub(super) fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// The time that a cosignature states, and its signature.
pub(super) fn split(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (time, signature) = bytes.split_first_chunk()?;
    let time = u64::from_be_bytes(*time);
    (time <= TIME_MAX).then_some((time, signature))
}

impl Note {
    /// The same note with the signatures that a witness answered, as far as they are by
    /// `keys`: the first of each, for more would take the room of others. They take the
    /// place of earlier ones by the same keys, whose times are past.
    ///
    /// `answer` is the body of an add-checkpoint response: signature lines, each ended by
    /// a newline.
    ///
    /// # Errors
    /// A line that is no signature, more than [`SIGNATURES_MAX`], a known key's first that
    /// does not hold, or none of a known key.
    ///
    /// # Source
    /// c2sp.org/tlog-witness, “add-checkpoint”.
    pub fn with_cosignatures(&self, answer: &str, keys: &[VerifierKey]) -> Result<Self, NoteError> {
        let lines = answer.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let mut answered: Vec<Signature> = Vec::new();
        for (line, signature) in (1..).zip(lines.split('\n')) {
            let signature = Signature::read(signature).ok_or(NoteError::SignatureLine { line })?;
            let again = answered.iter().any(|earlier| earlier.claims_as(&signature));
            if !again && keys.iter().any(|key| signature.claims(key)) {
                answered.push(signature);
            }
        }
        if answered.is_empty() {
            return Err(NoteError::Unsigned);
        }
        let answered = Self::new(self.text().to_owned(), answered)?;
        answered.verify(keys)?;
        let kept = |old: &&Signature| !answered.signatures().iter().any(|new| new.claims_as(old));
        let kept = self.signatures().iter().filter(kept).cloned();
        let all = kept.chain(answered.signatures().iter().cloned()).collect();
        Self::new(self.text().to_owned(), all)
    }

    /// The same note with the signatures that a copy of it has besides, behind its own.
    /// None of them is verified. What has another text is no copy, and of one that has more
    /// than a note can hold nothing is taken.
    #[must_use]
    pub fn with_those_of(self, copy: &Self) -> Self {
        if self.text() != copy.text() {
            return self;
        }
        let known = |line: &Signature| self.signatures().iter().any(|own| own.claims_as(line));
        let others = copy.signatures().iter().filter(|line| !known(line));
        let all = self.signatures().iter().chain(others).cloned().collect();
        Self::new(self.text().to_owned(), all).unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{Checkpoint, SigningKey, Verified, sign_checkpoint};

    const TEXT: &str = "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

    fn witness(name: &str, seed: u8) -> CosigningKey {
        CosigningKey::new(name.parse().unwrap(), &[seed; 32])
    }

    fn signed() -> Note {
        let log = SigningKey::new("example.com/log".parse().unwrap(), &[1; 32]);
        let checkpoint: Checkpoint = TEXT.parse().unwrap();
        sign_checkpoint(&checkpoint, &[&log]).unwrap().parse().unwrap()
    }

    #[test]
    fn the_same_seed_makes_another_key_for_a_cosigner() {
        let log = SigningKey::new("a".parse().unwrap(), &[1; 32]).verifier();
        let cosigner = witness("a", 1).verifier();
        assert_ne!(log.id(), cosigner.id());
        assert_eq!(cosigner.to_string().parse(), Ok(cosigner));
    }

    #[test]
    fn a_cosignature_states_its_time_and_holds_for_no_other() {
        let key = witness("w", 1);
        let line = key.cosign(TEXT, 1_679_315_147);
        let verifier = key.verifier();
        let verify = |text: &str, bytes: &[u8]| verifier.verify(text, bytes);
        let holds = Verified { key: &verifier, time: Some(1_679_315_147) };
        assert_eq!(verify(TEXT, line.bytes()), Some(holds));
        let mut later = line.bytes().to_vec();
        later[7] += 1;
        assert_eq!(verify(TEXT, &later), None);
        assert_eq!(verify(TEXT, &line.bytes()[..71]), None);
        assert_eq!(verify(TEXT, &[]), None);
        assert_eq!(verify("other\n", line.bytes()), None);
        let last = key.cosign(TEXT, u64::MAX);
        assert_eq!(verify(TEXT, last.bytes()).unwrap().time, Some(TIME_MAX));
        assert_eq!(split(&[0xff; 72]), None);
    }

    #[test]
    fn the_answers_of_witnesses_are_added_to_a_checkpoint() {
        let (one, two) = (witness("one", 1), witness("two", 2));
        let keys = [one.verifier(), two.verifier()];
        let first = format!("{}\n", one.cosign(TEXT, 1));
        let with_one = signed().with_cosignatures(&first, &keys).unwrap();
        let second = format!("{}\n{}\n", two.cosign(TEXT, 2), witness("?", 3).cosign(TEXT, 2));
        let both = with_one.with_cosignatures(&second, &keys).unwrap();
        let names: Vec<_> = both.signatures().iter().map(|line| line.name().as_str()).collect();
        assert_eq!(names, ["example.com/log", "one", "two"]);

        let again = format!("{}\n", one.cosign(TEXT, 9));
        let fresh = both.with_cosignatures(&again, &keys).unwrap();
        let times: Vec<_> = fresh.verify(&keys).unwrap().iter().map(|by| by.time).collect();
        assert_eq!(times, [Some(2), Some(9)]);
    }

    /// Goal: no witness takes the room of the others.
    #[test]
    fn of_each_key_one_line_is_added() {
        let (one, two) = (witness("one", 1), witness("two", 2));
        let keys = [one.verifier(), two.verifier()];
        let lines = |by: &CosigningKey, times: std::ops::Range<u64>| -> String {
            times.map(|time| format!("{}\n", by.cosign(TEXT, time))).collect()
        };
        let many = lines(&one, 1..60) + &format!("{}\n", one.cosign("other\n", 60));
        let with_one = signed().with_cosignatures(&many, &keys).unwrap();
        let both = with_one.with_cosignatures(&lines(&two, 1..60), &keys).unwrap();
        let names: Vec<_> = both.signatures().iter().map(|line| line.name().as_str()).collect();
        assert_eq!(names, ["example.com/log", "one", "two"]);
        let times: Vec<_> = both.verify(&keys).unwrap().iter().map(|by| by.time).collect();
        assert_eq!(times, [Some(1), Some(1)]);
    }

    #[test]
    fn what_a_copy_has_besides_is_taken_and_of_another_text_nothing() {
        let (one, two) = (witness("one", 1), witness("two", 2));
        let keys = [one.verifier(), two.verifier()];
        let cosigned = |by: &CosigningKey, time| {
            signed().with_cosignatures(&format!("{}\n", by.cosign(TEXT, time)), &keys).unwrap()
        };
        let names = |note: &Note| -> Vec<String> {
            note.signatures().iter().map(|line| line.name().to_string()).collect()
        };
        let both = cosigned(&one, 1).with_those_of(&cosigned(&two, 2));
        assert_eq!(names(&both), ["example.com/log", "one", "two"]);
        // Its own line stays, whatever the copy says.
        assert_eq!(cosigned(&one, 1).with_those_of(&cosigned(&one, 9)), cosigned(&one, 1));
        let other = Note::new("other\n".to_owned(), vec![two.cosign("other\n", 1)]).unwrap();
        assert_eq!(signed().with_those_of(&other), signed());
        let line = |name: usize| witness(&name.to_string(), 3).cosign(TEXT, 1);
        let many: Vec<_> = (0..SIGNATURES_MAX).map(line).collect();
        let full = Note::new(TEXT.to_owned(), many).unwrap();
        assert_eq!(signed().with_those_of(&full), signed());
    }

    #[test]
    fn an_answer_that_does_not_hold_is_not_added() {
        let one = witness("one", 1);
        let keys = [one.verifier()];
        let refusal = |answer: &str| signed().with_cosignatures(answer, &keys).unwrap_err();
        let other = format!("{}\n", one.cosign("other\n", 1));
        assert_eq!(refusal(&other), NoteError::Forged { name: "one".parse().unwrap() });
        let unknown = format!("{}\n", witness("two", 2).cosign(TEXT, 1));
        assert_eq!(refusal(&unknown), NoteError::Unsigned);
        assert_eq!(refusal(""), NoteError::NoSignatures);
        assert_eq!(refusal("\n"), NoteError::SignatureLine { line: 1 });
        assert_eq!(refusal(&"\n".repeat(65)), NoteError::TooManySignatures);
    }
}
