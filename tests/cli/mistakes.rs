//! The mistakes that authors make, and what they are told: `mistakes/` holds one of each,
//! and `mistakes/messages.txt` what is said of it. With `COUNTERSIGN_REWRITE` set, that file
//! is written anew; read it then as an author would.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};

const FOLDER: &str = "tests/cli/mistakes";
const MESSAGES: &str = "tests/cli/mistakes/messages.txt";

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What `policy check` says of a file of this folder, and how it ends.
fn said(name: &str) -> (String, u8) {
    let (path, schema) =
        (format!("{FOLDER}/{name}.cedar"), format!("{FOLDER}/mistakes.cedarschema"));
    let out = Kept::default();
    let asked = ["policy", "check", &path, "--strict", "--schema", &schema];
    let code = countersign::cli::call(asked, out.clone(), std::io::sink());
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    (text.replace(&format!("{FOLDER}/"), ""), code)
}

/// The mistakes by their names, in order.
fn mistakes() -> Vec<String> {
    let files = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name());
    let files = files.map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<_> =
        files.filter_map(|name| Some(name.strip_suffix(".cedar")?.to_owned())).collect();
    names.sort();
    names
}

/// `messages.txt` by its headings.
fn messages() -> BTreeMap<String, String> {
    let text = fs::read_to_string(MESSAGES).unwrap_or_default();
    let parts = text.split("── ").skip(1).filter_map(|part| part.split_once(" ──\n\n"));
    parts.map(|(name, said)| (name.to_owned(), said.trim_end().to_owned())).collect()
}

/// Goal: whoever slips is told what to write, not only that it is wrong.
#[test]
fn each_common_mistake_is_answered_with_what_to_write() {
    let names = mistakes();
    assert!(names.len() >= 30, "only {} mistakes", names.len());
    let said: Vec<_> = names.iter().map(|name| (name, said(name))).collect();
    if std::env::var_os("COUNTERSIGN_REWRITE").is_some() {
        let mut text = String::new();
        for (name, (words, _)) in &said {
            let _ = write!(text, "── {name} ──\n\n{}\n\n", words.trim_end());
        }
        fs::write(MESSAGES, text.trim_end().to_owned() + "\n").unwrap();
    }
    let expected = messages();
    for (name, (words, code)) in said {
        assert_eq!(code, 1, "{name}: {words}");
        assert!(words.contains("help: "), "{name} is not told what to do: {words}");
        assert!(words.contains(&format!("{name}.cedar:")), "{name} is not told where: {words}");
        assert_eq!(Some(words.trim_end()), expected.get(name).map(String::as_str), "{name}");
    }
    assert_eq!(expected.len(), names.len(), "{MESSAGES} tells of mistakes that are not there");
}

/// Goal: a message never speaks of the parser's insides.
#[test]
fn no_message_names_what_only_cedar_knows() {
    for (name, text) in messages() {
        for inside in ["__cedar", "for policy `", "unexpected token `=`", "expected `!=`"] {
            assert!(!text.contains(inside), "{name}: {text}");
        }
    }
}
