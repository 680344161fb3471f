//! Reports on the generated history of the example organisation.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use serde_json::Value;
use tempfile::TempDir;

use super::super::console::Kept;
use crate::cedar::Limits;
use crate::model::{PolicyBody, PolicySource};
use crate::pap;

/// A quarter of about so many decisions, in a directory of its own.
fn quarter(decisions: &str) -> (TempDir, String) {
    let place = TempDir::new().unwrap();
    let data = place.path().join("data").to_string_lossy().into_owned();
    let until = "2026-11-20T00:00:00Z";
    let write = ["demo", "--history", "--data", &data, "--decisions", decisions, "--until", until];
    assert_eq!(crate::cli::call(write, io::sink(), io::sink()), 0);
    (place, data)
}

fn told(arguments: &[&str]) -> Value {
    let (code, told) = ended(arguments);
    assert_eq!(code, 0, "{arguments:?}");
    told
}

fn ended(arguments: &[&str]) -> (u8, Value) {
    let out = Kept::default();
    let all = arguments.iter().copied().chain(["--format", "json"]);
    let code = crate::cli::call(all, out.clone(), io::sink());
    (code, serde_json::from_str(&out.text()).unwrap())
}

/// Goal: each planted fault that concerns grants is found by its name.
#[test]
fn the_least_privilege_report_finds_what_is_planted() {
    let (place, data) = quarter("300");
    let csv = place.path().join("grants.csv");
    let name = csv.to_string_lossy().into_owned();
    let report = told(&["report", "least-privilege", "--data", &data, "--csv", &name]);
    let grants = report["grants"].as_array().unwrap();
    let of = |policy: &str| grants.iter().find(|grant| grant["policy"] == policy).unwrap();

    let broad = of("support-handles-contracts");
    assert_eq!((&broad["finding"], &broad["members"]), (&"used_by_few".into(), &11.into()));
    let text = broad["proposal"]["text"].as_str().unwrap();
    assert!(text.contains("principal in [User::\"omar\", User::\"pat\"]"), "{text}");
    assert!(text.contains("action == Action::\"view\""), "{text}");
    let unused = of("migration-team-administers-data");
    assert_eq!(
        (&unused["finding"], &unused["proposal"]["summary"]),
        (&"never_used".into(), &"withdraw it".into())
    );
    let dead = of("road-recommendations-stock");
    assert_eq!(dead["finding"], "never_used");
    assert!(dead["denied"].as_u64().unwrap() > 0, "{dead}");
    // It was drafted and staged a week before it came in force.
    assert!(dead["observed_from"].as_str().unwrap().starts_with("2026-09-15T06:30"), "{dead}");
    let kept = of("break-glass-administration");
    assert!(kept["proposal"].is_null() && kept["kept"].as_str().unwrap().contains("@break_glass"));

    let found = |grant: &&Value| grant["finding"] != "used";
    assert_eq!(grants.iter().filter(found).count(), 4, "nothing but what is planted");
    assert_eq!(report["together"]["would_deny"], 0);

    let mut table = csv::Reader::from_path(&csv).unwrap();
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    let expected: usize = grants.iter().map(|it| it["rows"].as_array().unwrap().len()).sum();
    assert_eq!(rows.len(), expected);
    assert!(rows.iter().any(|row| &row[0] == "support-handles-contracts" && &row[9] != "0"));
}

/// The shipped policies, each in a file of its own, some of them in other words or left out.
fn shipped_with(folder: &Path, changed: &BTreeMap<&str, Option<&str>>) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/cloud");
    let mut set: Vec<PolicySource> = Vec::new();
    for file in ["assurance", "least-privilege", "segments"] {
        let text = fs::read_to_string(shipped.join(format!("{file}.cedar"))).unwrap();
        set.extend(pap::set_of(&[(file, &text)], &Limits::default()).unwrap());
    }
    fs::create_dir_all(folder).unwrap();
    for source in set {
        let PolicyBody::Static { text } = &source.body else { panic!("{source:?}") };
        let text = changed.get(source.id.as_str()).map_or(Some(text.as_ref()), |it| *it);
        if let Some(text) = text {
            fs::write(folder.join(format!("{}.cedar", source.id)), text).unwrap();
        }
    }
}

/// Goal: each proposal, taken up, changes no past access: what it supposes denied is the
/// same as what is denied today.
#[test]
fn with_every_proposal_taken_up_no_past_access_comes_out_otherwise() {
    let (place, data) = quarter("300");
    let report = told(&["report", "least-privilege", "--data", &data]);
    let mut changed = BTreeMap::new();
    for grant in report["grants"].as_array().unwrap() {
        if !grant["proposal"].is_null() {
            changed.insert(grant["policy"].as_str().unwrap(), grant["proposal"]["text"].as_str());
        }
    }
    assert_eq!(changed.len(), 3, "{changed:?}");
    let impact = |name: &str, changed: &BTreeMap<_, _>| {
        let folder = place.path().join(name);
        shipped_with(&folder, changed);
        let folder = folder.to_string_lossy().into_owned();
        let since = ["--since", "90d", "--data", &data];
        // That something would come out otherwise is a finding: 1.
        let (code, told) = ended(&[&["policy", "impact", &folder], &since[..]].concat());
        assert!(code <= 1, "{told}");
        ["would_deny", "would_allow", "unchanged", "not_replayable"].map(|it| told[it].clone())
    };
    let narrow = impact("narrow", &changed);
    assert_eq!(narrow, impact("present", &BTreeMap::new()));
    let without = BTreeMap::from([("support-handles-contracts", None)]);
    assert_ne!(narrow, impact("without", &without), "a past use that is lost shows");
    let folder = place.path().join("narrow").to_string_lossy().into_owned();
    let publish = ["policy", "publish", &folder, "--data", &data];
    assert_eq!(crate::cli::call(publish, io::sink(), io::sink()), 0);
}

/// Goal: the forgotten pivot, the road that leads nowhere and who knocks in vain are found
/// by their names.
#[test]
fn the_report_on_segments_finds_what_is_planted() {
    let (_place, data) = quarter("300");
    let report = told(&["report", "segments", "--data", &data]);
    let bridges = report["coverage"]["bridges"].as_array().unwrap();
    let [bridge] = bridges.as_slice() else { panic!("{bridges:?}") };
    assert_eq!([&bridge["resource"]["id"], &bridge["onward"]["id"]], ["team-wiki", "toolbox"]);
    assert_eq!(
        [&bridge["from"]["segment"]["id"], &bridge["to"]["segment"]["id"]],
        ["web", "admin"]
    );

    let cells = report["cells"].as_array().unwrap();
    let cell = |action: &str, from: &str, to: &str| {
        let is_it = |cell: &&Value| {
            (cell["action"]["id"] == action)
                && (cell["from"]["segment"]["id"] == from || cell["from"]["outside"] == from)
                && cell["to"]["segment"]["id"] == to
        };
        cells.iter().find(is_it).unwrap()
    };
    let knocked = cell("connect", "web", "data");
    assert_eq!([&knocked["verdict"], &knocked["barred_by"][0]], ["deny", "wall-data"]);
    let first = &knocked["attempts"][0];
    assert_eq!([&first["from"]["id"], &first["to"]["id"]], ["recommendations", "stock-db"]);
    assert!(first["refused"]["count"].as_u64().unwrap() > 0);
    let used = cell("connect", "web", "api");
    assert!(used["used"]["count"].as_u64().unwrap() > 0, "{used}");

    let administer = cell("administer", "User", "data");
    assert_eq!(administer["verdict"], "conditional");
    let says = administer["conditions"][0]["says"].as_str().unwrap();
    assert_eq!(
        says,
        "two factors, shown within the last 15 minutes, and the application's word that \
         subject.device_posture is \"healthy\""
    );
    let unused = |source: &&Value| source["used"]["count"] == 0;
    let by = administer["by"].as_array().unwrap();
    let idle: Vec<_> = by.iter().filter(unused).map(|it| it["policy"].as_str().unwrap()).collect();
    assert!(idle.contains(&"migration-team-administers-data"), "{idle:?}");
}

/// Goal: whoever looks up one employee sees how near the crown jewels are, and by what.
#[test]
fn the_blast_radius_of_an_employee_leads_over_the_forgotten_pivot() {
    let (_place, data) = quarter("100");
    let alice = ["report", "blast-radius", "User::\"alice\"", "--data", &data];
    let report = told(&alice);
    let jewels = report["jewels"].as_array().unwrap();
    assert!(!jewels.is_empty());
    for jewel in jewels {
        let path: Vec<_> =
            jewel["path"].as_array().unwrap().iter().map(|step| &step["to"]["id"]).collect();
        assert_eq!((path[0], path.len()), (&Value::from("team-wiki"), 2), "{jewel}");
    }
    assert_eq!(report["choke"]["policy"], "road-people-web");
    assert_eq!(report["choke"]["jewels_cut"], jewels.len());
}
