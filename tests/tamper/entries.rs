//! Hands that know the format well: whole logs written anew, with every check mended
//! that needs no key.

use std::fs;
use std::path::Path;

use countersign::event::{Event, NodeStarted};
use countersign::event_store::{EventStore, Group, SledStore};
use countersign::model::Index;
use countersign::tlog::{Checkpoint, SigningKey, TileId, Tree, leaf_hash, sign_checkpoint};

use crate::call::call;
use crate::ground::{Ground, Outcome};

type Entries = Vec<Vec<u8>>;

/// An event that says nothing but how often it has been said.
pub fn tick(nth: u64) -> Event {
    let build = format!("0.1.{nth}");
    let (cedar, language, authentication) = (String::new(), String::new(), None);
    Event::NodeStarted(NodeStarted { build, cedar, language, authentication })
}

/// The log's entries, altered in every way that somebody might profit from.
pub fn rewritten(ground: &Ground) -> Vec<(String, Entries)> {
    let whole = read(&ground.data());
    let last = whole.len() - 1;
    let mut all = Vec::new();
    for at in [0, 1, last / 2, last - 1, last] {
        let mut other = whole.clone();
        other.remove(at);
        all.push((format!("entry {at} dropped"), other));
        let mut other = whole.clone();
        other.insert(at, whole[at].clone());
        all.push((format!("entry {at} doubled"), other));
        let mut other = whole.clone();
        let said = String::from_utf8(whole[at].clone()).unwrap();
        // Another answer, another digit: the same length, and JSON as good as before.
        other[at] = said.replacen('1', "2", 1).into_bytes();
        assert_ne!(other[at], whole[at], "there was something to change");
        all.push((format!("entry {at} altered"), other));
        let mut other = whole.clone();
        other.truncate(at);
        if at > 0 {
            all.push((format!("cut before entry {at}"), other));
        }
    }
    for (a, b) in [(1, 2), (3, last), (last - 1, last)] {
        let mut other = whole.clone();
        other.swap(a, b);
        all.push((format!("entries {a} and {b} swapped"), other));
    }
    let mut longer = whole.clone();
    longer.push(whole[last].clone());
    all.push(("an entry added".to_owned(), longer));
    all
}

/// What `verify` says of a directory whose log was written anew, beside the checkpoint
/// that was signed.
pub fn verified(ground: &Ground, entries: &Entries, tiles_anew: bool) -> Outcome {
    let data = ground.at("anew");
    let _none = fs::remove_dir_all(&data);
    fs::create_dir(&data).unwrap();
    fs::copy(ground.data().join("checkpoint"), data.join("checkpoint")).unwrap();
    let signed = fs::read_to_string(ground.data().join("checkpoint")).unwrap();
    let tiles = (!tiles_anew).then(|| tiles(&read(&ground.data())));
    write(&data, entries, tiles, Some(signed));
    ground.verify_directory(&data)
}

/// What is said where nobody would know of a rollback.
const CAVEAT: &str = "a log that was rolled back whole";

/// Entries that were signed and are not there are missed by `replay`, too; and so is a
/// signature.
pub fn replayed(ground: &Ground) {
    let note = fs::read_to_string(ground.data().join("checkpoint")).unwrap();
    let whole = read(&ground.data());
    let cut = whole[..whole.len() - 1].to_vec();
    for (name, entries, signed, code) in [
        ("whole", &whole, Some(note.clone()), 0),
        ("cut", &cut, Some(note.clone()), 1),
        ("unsigned", &whole, None, 1),
        ("unreadable", &whole, Some("no checkpoint\n".to_owned()), 1),
    ] {
        let data = ground.at(name);
        fs::create_dir(&data).unwrap();
        write(&data, entries, None, signed);
        let (ended, said) = call(&["replay", "--data", crate::ground::text(&data)]);
        assert_eq!(ended, code, "{name}: {said}");
    }
}

/// An older log in place of the newest: alone, and with its own checkpoint.
pub fn rolled_back(ground: &Ground) {
    let older = ground.at("older");
    // Whoever kept the newest checkpoint sees it; an export is no different.
    assert_eq!(ground.verify_export(&older), Outcome::Found);
    let note = fs::read_to_string(ground.at("older.checkpoint")).unwrap();
    let size = note.lines().nth(1).unwrap().parse().unwrap();
    let entries = read(&ground.data()).into_iter().take(size).collect();
    let data = ground.at("rolled-back");
    fs::create_dir(&data).unwrap();
    write(&data, &entries, None, Some(note.clone()));
    fs::copy(ground.data().join("checkpoint"), data.join("checkpoint")).unwrap();
    assert_eq!(ground.verify_directory(&data), Outcome::Found);
    // With both rolled back, nothing here knows better: that is what --since is for.
    fs::write(data.join("checkpoint"), note).unwrap();
    assert_eq!(ground.verify_directory(&data), Outcome::Clean);
    let (place, older) = (data.display().to_string(), ground.at("older.checkpoint"));
    let verify = ["verify", "--key", &ground.key, "--data", &place];
    let said = |more: &[&str]| call(&[&verify[..], more].concat()).1;
    // And that is said, although a checkpoint lies beside it and agrees.
    assert!(said(&[]).contains(CAVEAT), "{}", said(&[]));
    let given = said(&["--since", crate::ground::text(&older)]);
    assert!(!given.contains(CAVEAT), "{given}");
    let kept = ground.at("newest.checkpoint");
    let since = ["--since", crate::ground::text(&kept)];
    let arguments =
        [&["verify", "--key", &ground.key, "--data", crate::ground::text(&data)], &since[..]];
    assert_eq!(call(&arguments.concat()).0, 1);
}

/// A forger signs with a key of their own, under the log's name.
pub fn signed_by_another(ground: &Ground) {
    let entries: Entries = read(&ground.data()).into_iter().take(100).collect();
    let key = SigningKey::new("log.example/tamper".parse().unwrap(), &[7; 32]);
    let mut tree = Tree::default();
    entries.iter().for_each(|entry| tree.append(leaf_hash(entry), &mut Vec::new()));
    let head = Checkpoint::new("log.example/tamper", tree.size(), tree.root()).unwrap();
    let note = sign_checkpoint(&head, &[&key]).unwrap();
    let data = ground.at("forged");
    fs::create_dir(&data).unwrap();
    write(&data, &entries, None, Some(note.clone()));
    fs::write(data.join("checkpoint"), note).unwrap();
    assert_eq!(ground.verify_directory(&data), Outcome::Found);
    // Without the auditor's key the log itself names another signer, and that shows too.
    let bare = ["verify", "--data", crate::ground::text(&data)];
    assert_eq!(call(&bare).0, 1);
    // And the true log under a wrong key is not taken for the right one.
    let other = SigningKey::new("log.example/tamper".parse().unwrap(), &[8; 32]);
    let other = other.verifier().to_string();
    let own = ground.data();
    let wrong = ["verify", "--key", &other, "--data", crate::ground::text(&own)];
    assert_eq!(call(&wrong).0, 1);
}

fn read(data: &Path) -> Entries {
    let store = SledStore::open(data.join("log")).unwrap();
    let all = store.read(Index(0), usize::MAX, usize::MAX).unwrap();
    all.into_iter().map(|(_, bytes)| bytes).collect()
}

fn tiles(entries: &Entries) -> Vec<(TileId, Vec<u8>)> {
    let (mut tree, mut tiles) = (Tree::default(), Vec::new());
    entries.iter().for_each(|entry| tree.append(leaf_hash(entry), &mut tiles));
    tiles
}

fn write(
    data: &Path,
    entries: &Entries,
    tiles_of_another: Option<Vec<(TileId, Vec<u8>)>>,
    checkpoint: Option<String>,
) {
    let tiles = tiles_of_another.unwrap_or_else(|| tiles(entries));
    let store = SledStore::create(data.join("log")).unwrap();
    let entries = entries.clone();
    let group = Group { first: Index(0), entries, tiles, checkpoint, keys: Vec::new() };
    store.append(&group).unwrap();
}
