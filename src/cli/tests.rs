//! The command line, as it is typed and as it ends.

use super::*;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::console::Kept;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

/// Goal: nobody has to guess: each command says what it does and how.
#[test]
fn every_command_has_a_description_and_an_example() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(command.get_about().is_some(), "{path} has no description");
        assert!(after.contains("Example"), "{path} has no example");
        command.get_subcommands().for_each(|sub| check(sub, &path));
    }
    check(&Cli::command(), "");
}

/// Goal: an example that is shown works as it is shown.
#[test]
fn every_example_parses() {
    fn examples(command: &clap::Command, all: &mut Vec<String>) {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let joined = after.replace("\\\n", " ");
        let shown = joined.lines().map(str::trim).filter(|it| it.starts_with("countersign "));
        all.extend(shown.map(|line| line.split(" | ").next().unwrap_or(line).to_owned()));
        command.get_subcommands().for_each(|sub| examples(sub, all));
    }
    let mut all = Vec::new();
    examples(&Cli::command(), &mut all);
    assert!(all.len() >= 20, "only {} examples", all.len());
    for line in all {
        let words = words(&line);
        let parsed = Cli::try_parse_from(&words);
        assert!(parsed.is_ok(), "{line}: {}", parsed.err().unwrap());
    }
}

/// Splits as a shell does, as far as the examples go: single quotes hold together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn a_log_is_in_a_directory_or_at_a_server_never_both() {
    for line in [
        "countersign log --data d --server https://s",
        "countersign log --data d --token-file t",
        "countersign log --follow --data d",
        "countersign log --after 3 --data d",
    ] {
        let kind = parse(line).err().map(|error| error.kind());
        assert!(
            matches!(kind, Some(ErrorKind::ArgumentConflict | ErrorKind::MissingRequiredArgument)),
            "{line}"
        );
    }
}

#[test]
fn an_ingest_token_is_bound_whole_or_not_at_all() {
    let base = "countersign token create --scope ingest --data d";
    assert!(parse(base).is_ok(), "whether a binding is needed is for authn to say");
    assert!(parse(&format!("{base} --source https://idp")).is_err());
    let whole = "--source https://idp --user-type User --max-aal 2";
    assert!(parse(&format!("{base} {whole}")).is_ok());
    assert!(parse(&format!("{base} --source s --user-type User --max-aal 4")).is_err());
    assert!(parse("countersign token create --scope everything --data d").is_err());
}

#[test]
fn the_format_may_stand_anywhere() {
    for line in
        ["countersign --format json replay --data d", "countersign replay --data d --format json"]
    {
        assert_eq!(parse(line).unwrap().format, Format::Json);
    }
    assert_eq!(parse("countersign demo").unwrap().format, Format::Text);
}

/// Runs a command line; what it wrote, and how it ended.
fn ran(line: &str) -> (String, String, Exit) {
    let Cli { command, format } = Cli::try_parse_from(words(line)).unwrap();
    let (out, err) = (Kept::default(), Kept::default());
    let mut console = Console::to(out.clone(), err.clone(), format);
    let exit = command.run(&mut console).unwrap_or_else(|failure| {
        console.fail(&failure);
        failure.exit()
    });
    (out.text(), err.text(), exit)
}

fn json(line: &str) -> Value {
    let (out, err, exit) = ran(&format!("{line} --format json"));
    assert_eq!((exit, err.as_str()), (Exit::Fine, ""), "{line}");
    serde_json::from_str(&out).unwrap()
}

/// A log of the example organisation in a fresh directory, and its path.
fn founded() -> (TempDir, String) {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data").display().to_string();
    let line = format!(
        "countersign init --data {data} --policies policies/cloud \
         --schema schemas/cloud.cedarschema --entities schemas/cloud.entities.json"
    );
    let told = json(&line);
    assert!(told["ticket"].as_str().unwrap().starts_with("cs_ticket_"));
    (place, data)
}

/// Goal: whoever may write a stopped directory can do with it what a server's
/// administrators can, and all of it is on the record.
#[test]
fn a_stopped_directory_is_administered_on_the_record() {
    let (_place, data) = founded();
    let made = json(&format!("countersign token create --scope evaluate,search --data {data}"));
    let listed = json(&format!("countersign token list --data {data}"));
    assert_eq!(listed["tokens"][0]["id"], made["id"]);
    assert!(!listed.to_string().contains(made["token"].as_str().unwrap()));
    let id = made["id"].as_str().unwrap();
    json(&format!("countersign token revoke {id} --data {data}"));
    assert_eq!(json(&format!("countersign token list --data {data}"))["tokens"], json!([]));

    json(&format!("countersign user create alice --role auditor --data {data}"));
    json(&format!("countersign user disable alice --data {data}"));
    let users = json(&format!("countersign user list --data {data}"));
    assert_eq!(users["users"][1]["disabled"], true);

    let by = "--subject local --type access.decided";
    let (log, _, _) = ran(&format!("countersign log {by} --data {data} --format json"));
    assert_eq!(log.lines().count(), 4, "one decision for each of the four changes");
    let report = json(&format!("countersign replay --data {data}"));
    assert_eq!((&report["clean"], &report["decisions"]), (&json!(true), &json!(4)));
}

#[test]
fn a_refusal_is_told_and_ends_with_one() {
    let (_place, data) = founded();
    let (out, err, exit) = ran(&format!("countersign user disable admin --data {data}"));
    assert_eq!((out.as_str(), exit), ("", Exit::Refused));
    assert!(err.starts_with("countersign: `admin` is the last administrator"), "{err}");
    let line = format!("countersign policy publish policies/cloud --data {data} --format json");
    let (_, err, exit) = ran(&line);
    let told: Value = serde_json::from_str(&err).unwrap();
    assert_eq!((exit, &told["code"]), (Exit::Refused, &json!("unchanged")));
}

/// Goal: an author finds the place without opening the wrong file, and nothing is
/// half done.
#[test]
fn a_faulty_policy_is_shown_in_its_file_and_nothing_is_created() {
    let place = tempfile::tempdir().unwrap();
    let policy = "// why\n@id(\"p\")\npermit (principal is User, action, resource)\n\
                  when { principal.rol == 1 };\n";
    std::fs::write(place.path().join("p.cedar"), policy).unwrap();
    let path = place.path().display();
    let (_, err, exit) = ran(&format!(
        "countersign init --data {path}/data --policies {path}/p.cedar \
         --schema schemas/cloud.cedarschema"
    ));
    assert_eq!(exit, Exit::Refused);
    assert!(err.contains(&format!("{path}/p.cedar:4:")), "{err}");
    assert!(err.contains("when { principal.rol == 1 };"), "{err}");
    assert!(!place.path().join("data").exists() && !place.path().join("data.key").exists());
}

#[test]
fn a_log_is_read_from_either_end() {
    let (_place, data) = founded();
    let indices = |flags: &str| -> Vec<u64> {
        let (out, _, _) = ran(&format!("countersign log {flags} --data {data} --format json"));
        let index = |line: &str| serde_json::from_str::<Value>(line).unwrap()["index"].as_u64();
        out.lines().map(|line| index(line).unwrap()).collect()
    };
    let all = indices("");
    assert_eq!(all, (0..all.len() as u64).collect::<Vec<_>>());
    let newest: Vec<_> = all.iter().rev().copied().collect();
    assert_eq!(indices("--newest"), newest);
    assert_eq!(indices("--newest --limit 3"), newest[..3]);
    assert_eq!(indices("--limit 2"), [0, 1]);
    let (table, _, _) = ran(&format!("countersign log --limit 2 --data {data}"));
    assert_eq!(table.lines().count(), 3);
    assert!(table.contains("log.created"), "{table}");
}

#[test]
fn what_is_not_there_could_not_be_run() {
    let (_, err, exit) = ran("countersign replay --data no-such-directory");
    assert_eq!(exit, Exit::CouldNotRun);
    assert!(err.contains("`countersign init`"), "{err}");
    let (_, err, exit) = ran("countersign log --type nonsense --data no-such-directory");
    assert_eq!(exit, Exit::Usage);
    assert!(err.contains("access.decided"), "{err}");
}
