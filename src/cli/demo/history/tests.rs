use std::io;

use serde_json::Value;
use tempfile::TempDir;

use super::super::super::console::{Format, Kept};
use super::*;
use crate::model::Version;

const UNTIL: &str = "2026-11-20T00:00:00Z";

fn wanted(seed: u64) -> Wanted {
    Wanted { until: UNTIL.parse().unwrap(), decisions: 200, seed }
}

fn written(seed: u64) -> (TempDir, String, Value) {
    let place = TempDir::new().unwrap();
    let data = place.path().join("data");
    let out = Kept::default();
    let mut console = Console::to(out.clone(), io::sink(), Format::Json);
    assert_eq!(write(&data, wanted(seed), &mut console).unwrap(), Exit::Fine);
    let told = serde_json::from_str(&out.text()).unwrap();
    (place, data.to_string_lossy().into_owned(), told)
}

fn told(arguments: &[&str]) -> (u8, Value) {
    let out = Kept::default();
    let all = arguments.iter().copied().chain(["--format", "json"]);
    let code = crate::cli::call(all, out.clone(), io::sink());
    (code, serde_json::from_str(&out.text()).unwrap_or_default())
}

/// Goal: the history is a log like any other, and ends with what ships in force.
#[test]
fn a_history_verifies_and_replays_clean_and_ends_with_what_ships() {
    let (_place, data, summary) = written(1);

    let (code, replayed) = told(&["replay", "--data", &data]);
    assert_eq!((code, &replayed["clean"]), (0, &Value::Bool(true)), "{replayed}");
    assert!(summary["decisions"].as_u64().unwrap() >= 200);
    assert_eq!(replayed["entries"], summary["entries"]);
    assert_eq!(told(&["verify", "--data", &data]).0, 0);

    let folder = super::super::super::folder::Folder::new(data.clone().into(), None);
    let world = folder.world().unwrap();
    let set = world.set(SetKind::Application);
    assert_eq!(set.in_force().map(|it| it.version), Some(Version(3)));
    assert_eq!(set.sources().count(), turns::all_policies().unwrap().len());
    let (_, shadow) = told(&["policy", "shadow", "--data", &data]);
    assert_eq!(shadow["staged"], true, "{shadow}");
    assert!(shadow["same"].as_u64().unwrap() > 0, "{shadow}");
    let last = world.last.unwrap().0;
    assert!(last < wanted(1).until && last > Quarter::until(wanted(1).until).at(85, 0));
}

/// Goal: who has the same seed talks of the same history.
#[test]
fn the_same_seed_gives_the_same_answers_and_another_asks_otherwise() {
    let answers = || {
        let (_place, data, _) = written(1);
        told(&["replay", "--data", &data]).1["determining"].clone()
    };
    assert_eq!(answers(), answers());
    let asked = |seed| {
        let acts = script::draw(Quarter::until(UNTIL.parse().unwrap()), 200, seed);
        acts.iter().map(|act| act.at).collect::<Vec<_>>()
    };
    assert_ne!(asked(1), asked(2));
}

#[test]
fn a_directory_that_holds_anything_is_left_alone() {
    let place = TempDir::new().unwrap();
    std::fs::write(place.path().join("mine"), "precious").unwrap();
    let mut console = Console::to(io::sink(), io::sink(), Format::Text);
    let refused = write(place.path(), wanted(1), &mut console).unwrap_err();
    assert!(refused.what().contains("is not empty"), "{}", refused.what());
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}
