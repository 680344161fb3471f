//! Notes and what is made of them: any text is read as it is written or refused, and
//! another implementation thinks the same of it.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::tlog::{
    AddCheckpoint, Checkpoint, CosigningKey, Hash, KeyName, Note, NoteError, SigningKey, TlogProof,
    VerifierKey, leaf_hash, open_checkpoint, sign_checkpoint,
};
use proptest::collection::vec;
use proptest::prelude::*;
use signed_note::{Signer as _, StandardSigner, StandardVerifier, VerifierList};

use crate::mutation::edits;

const ORIGIN: &str = "example.com/log";

fn log_key() -> SigningKey {
    SigningKey::new(ORIGIN.parse().unwrap(), &[1; 32])
}

fn witness_key() -> CosigningKey {
    CosigningKey::new("example.com/witness".parse().unwrap(), &[2; 32])
}

/// The same key for the other implementation, in the form that Go keeps private keys in.
fn their_signer() -> StandardSigner {
    let typed = [[0x01].as_slice(), &[1; 32]].concat();
    let id = log_key().verifier().id();
    StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id:08x}+{}", STANDARD.encode(typed)))
        .unwrap()
}

fn their_verifiers(key: &VerifierKey) -> VerifierList {
    VerifierList::new(vec![Box::new(StandardVerifier::new(&key.to_string()).unwrap())])
}

fn checkpoint(size: u64, root: [u8; 32], extensions: &[String]) -> Checkpoint {
    let checkpoint = Checkpoint::new(ORIGIN, size, Hash::from(root)).unwrap();
    checkpoint.with_extensions(extensions.to_vec()).unwrap()
}

/// A checkpoint that the log signed and a witness cosigned.
fn signed(checkpoint: &Checkpoint) -> Note {
    let note: Note = sign_checkpoint(checkpoint, &[&log_key()]).unwrap().parse().unwrap();
    let line = witness_key().cosign(note.text(), 1_679_315_147);
    note.with_cosignatures(&format!("{line}\n"), &[witness_key().verifier()]).unwrap()
}

fn checkpoints() -> impl Strategy<Value = Checkpoint> {
    let extensions = vec("[^\\x00-\\x1f]{1,20}", 0..3);
    (0..1_u64 << 63, any::<[u8; 32]>(), extensions)
        .prop_map(|(size, root, extensions)| checkpoint(size, root, &extensions))
}

fn hashes() -> impl Strategy<Value = Vec<Hash>> {
    vec(any::<[u8; 32]>().prop_map(Hash::from), 0..64)
}

/// Reads a text; what comes of it is written as the very text.
fn exact<T: FromStr + Display>(text: &str) -> Result<(), TestCaseError> {
    if let Ok(read) = text.parse::<T>() {
        prop_assert_eq!(read.to_string(), text);
    }
    Ok(())
}

/// Reads a text; what comes of it is written so that it is read as the same again.
/// Base64 of signatures is the one thing that has several forms.
fn stable<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(
    text: &str,
) -> Result<(), TestCaseError> {
    if let Ok(read) = text.parse::<T>() {
        prop_assert_eq!(read.to_string().len(), text.len());
        prop_assert_eq!(read.to_string().parse::<T>().unwrap(), read);
    }
    Ok(())
}

fn all(text: &str) -> Result<(), TestCaseError> {
    exact::<Hash>(text)?;
    exact::<KeyName>(text)?;
    exact::<VerifierKey>(text)?;
    exact::<Checkpoint>(text)?;
    stable::<Note>(text)?;
    stable::<AddCheckpoint>(text)?;
    stable::<TlogProof>(text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Law: no text ends the process, and none is read as what it does not say.
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), lines in "[a-z0-9+/= \n—]{0,200}") {
        all(&text)?;
        all(&lines)?;
    }

    /// Law: nor does any text that was valid once.
    #[test]
    fn any_spoilt_text_is_read_or_refused(
        checkpoint in checkpoints(), hashes in hashes(), index in any::<u64>(),
        extra in vec(any::<u8>(), 1..100), edits in edits(),
    ) {
        let note = signed(&checkpoint);
        let proof = TlogProof::new(index, hashes.clone(), note.clone()).unwrap();
        let request = AddCheckpoint::new(index, hashes, note.clone()).unwrap();
        let texts = [
            proof.with_extra(extra).unwrap().to_string(),
            request.to_string(),
            note.to_string(),
            checkpoint.to_string(),
            log_key().verifier().to_string(),
            checkpoint.root().to_string(),
        ];
        for text in texts {
            all(&text)?;
            all(&edits.of(&text))?;
        }
    }

    /// Law: what is written is read as the same.
    #[test]
    fn what_is_written_is_read(
        checkpoint in checkpoints(), hashes in hashes(), index in any::<u64>(),
    ) {
        let note = signed(&checkpoint);
        prop_assert_eq!(note.to_string().parse(), Ok(note.clone()));
        prop_assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
        let proof = TlogProof::new(index, hashes.clone(), note.clone()).unwrap();
        prop_assert_eq!(proof.to_string().parse(), Ok(proof));
        let request = AddCheckpoint::new(index, hashes, note).unwrap();
        prop_assert_eq!(request.to_string().parse(), Ok(request));
    }

    /// Law: nobody changes a byte of what was signed; who changes another byte changes
    /// nothing of what is believed.
    #[test]
    fn a_spoilt_checkpoint_is_never_another_one(checkpoint in checkpoints(), edits in edits()) {
        let keys = [log_key().verifier(), witness_key().verifier()];
        let spoilt = edits.of(&signed(&checkpoint).to_string());
        if let Ok(opened) = open_checkpoint(&spoilt, &keys, ORIGIN) {
            prop_assert_eq!(opened, checkpoint);
        }
    }

    /// Law: another implementation verifies what is signed here, and signs the same.
    #[test]
    fn signatures_are_the_same_elsewhere(checkpoint in checkpoints()) {
        let (text, key) = (checkpoint.to_string(), log_key().verifier());
        let note = sign_checkpoint(&checkpoint, &[&log_key()]).unwrap();
        let theirs = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
        let (verified, unknown) = theirs.verify(&their_verifiers(&key)).unwrap();
        prop_assert_eq!((verified.len(), unknown.len()), (1, 0));
        prop_assert_eq!(verified[0].id(), key.id());
        let signature = their_signer().sign(text.as_bytes()).unwrap();
        let ours = log_key().sign(&text);
        prop_assert_eq!(ours.bytes(), signature);
    }

    /// Law: a checkpoint that is read here is read elsewhere, as the same.
    #[test]
    fn checkpoints_are_read_alike(checkpoint in checkpoints(), edits in edits()) {
        let valid = checkpoint.to_string();
        for text in [edits.of(&valid), valid] {
            if let Ok(ours) = text.parse::<Checkpoint>() {
                let theirs = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).unwrap();
                prop_assert_eq!(theirs.origin(), ours.origin());
                prop_assert_eq!(theirs.size(), ours.size());
                prop_assert_eq!(Hash::from(theirs.hash().0), ours.root());
                prop_assert_eq!(theirs.extension().lines().count(), ours.extensions().len());
            }
        }
    }

    /// Law: a spoilt note is believed here if it is believed elsewhere. What is believed
    /// here alone has base64 that only its last bits keep from being canonical.
    #[test]
    fn spoilt_notes_are_judged_alike(checkpoint in checkpoints(), edits in edits()) {
        let key = log_key().verifier();
        let spoilt = edits.of(&signed(&checkpoint).to_string());
        let ours = spoilt.parse::<Note>().and_then(|note| {
            note.verify(std::slice::from_ref(&key))?;
            Ok(note)
        });
        let theirs = signed_note::Note::from_bytes(spoilt.as_bytes())
            .and_then(|note| note.verify(&their_verifiers(&key)));
        match ours {
            Ok(note) => {
                let again = signed_note::Note::from_bytes(note.to_string().as_bytes()).unwrap();
                prop_assert!(again.verify(&their_verifiers(&key)).is_ok());
                prop_assert!(theirs.is_ok() || note.to_string() != spoilt);
            }
            Err(NoteError::TooManySignatures) => {}
            Err(refusal) => prop_assert!(theirs.is_err(), "{refusal}"),
        }
    }
}

/// Law: what a proof says of an entry, it says of no other.
#[test]
fn a_receipt_holds_for_one_entry() {
    let root = leaf_hash(b"entry");
    let note = signed(&checkpoint(1, root.into(), &[]));
    let proof = TlogProof::new(0, Vec::new(), note).unwrap();
    let keys = [log_key().verifier(), witness_key().verifier()];
    assert_eq!(proof.verify(b"entry", &keys, ORIGIN).unwrap().signers.len(), 2);
    assert!(proof.verify(b"entrY", &keys, ORIGIN).is_err());
}
