//! A body that was right, made wrong: in its structure, in its values, in its bytes.

use serde_json::{Value, json};

use crate::dice::Dice;

/// A text that stands for one of [`RAW`] until the body is written.
const MARK: &str = "@@raw";
/// A member's name that begins so is written without it: the member is there twice.
const TWICE: &str = "@@twice:";

/// What no serializer would write in the place of a value.
const RAW: &[&str] = &[
    "1e999",
    "-1E400",
    "-0",
    "0.1",
    "1.0",
    "01",
    "+1",
    "0x10",
    "NaN",
    "Infinity",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "340282366920938463463374607431768211456.000000000000000000000000000001",
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\u0000""#,
    r#""\x41""#,
    "\"\u{1}\"",
    "\"a\nb\"",
    r#"{"a":1,"a":2}"#,
    r#"{"id":"alice","\u0069d":"bob"}"#,
    r#"{"type":"User","id":"alice","id":"mallory"}"#,
    "[1,]",
    "[,1]",
    "{\"a\":}",
    "{a:1}",
    "'text'",
    "tru",
    "nulll",
    "/**/1",
    "1//",
    "",
    "]",
    "}",
    "\"",
    "\\",
];

/// Texts that somewhere mean more than they say.
const TEXTS: &[&str] = &[
    "",
    " ",
    "\u{0}",
    "\u{7f}\u{1b}[2J",
    "\u{202e}ecila",
    "\u{feff}alice",
    "ALICE",
    "a\u{308}\u{308}\u{308}\u{308}",
    "\u{1f9d1}\u{200d}\u{1f680}",
    "\u{10ffff}",
    "::",
    "User::",
    "::User",
    "Countersign::Person",
    "Countersign::Action::\"manageUsers\"",
    "User::\"alice\"",
    "alice\" || true || \"",
    "@id(\"x\") permit (principal, action, resource);",
    "@id(\"x\") permit (principal, action, resource) when { 1 + true };",
    "@id(\"x\") forbid (principal, action, resource) when { context.a.b.c.d > 1 };",
    "permit (principal, action, resource) when { ((((((((((((((((true)))))))))))))))) };",
    "entity User; action view appliesTo { principal: [User], resource: [User] };",
    "entity A in [B]; entity B in [A];",
    "namespace Countersign { entity Person; }",
    "type A = B; type B = A;",
    "%s%n{}{0}$(id)`id`",
    "../../../../etc/passwd",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "cs_service_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "cs_session_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "2026-11-22T12:00:00Z",
    "9999-12-31T23:59:60+23:59",
    "-262144-01-01T00:00:00Z",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "000000",
    "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
    "1.2.3.4/33",
    "0.00001",
];

/// Names of members that mean something to Cedar, to us, or to somebody's parser.
const NAMES: &[&str] = &[
    "__entity",
    "__extn",
    "__expr",
    "__proto__",
    "constructor",
    "",
    "\u{0}",
    "type",
    "id",
    "uid",
    "attrs",
    "parents",
    "tags",
    "properties",
    "context",
    "session",
    "session_token",
    "now",
    "pep",
    "options",
    "evaluations",
    "expected_version",
    "policies",
    "files",
    "text",
    "scopes",
    "binding",
    "roles",
    "cookie",
    "data",
];

/// A body as an honest caller sends it: JSON, or a text as it is.
pub fn honest(body: &Value) -> Vec<u8> {
    body.as_str().map_or_else(|| body.to_string(), str::to_owned).into_bytes()
}

/// The members of an object as a form sends them.
pub fn form(body: &Value) -> Vec<u8> {
    let members = body.as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = members.map(|(name, value)| format!("{}={}", escaped(name), escaped(&text(value))));
    pairs.collect::<Vec<_>>().join("&").into_bytes()
}

/// What is still JSON as a form; what is none as it is.
pub fn form_of(bytes: Vec<u8>) -> Vec<u8> {
    serde_json::from_slice(&bytes).map_or(bytes, |body| form(&body))
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// A valid body, made wrong in one to three places; sometimes in its bytes alone.
pub fn mutated(valid: &Value, dice: &mut Dice) -> Vec<u8> {
    if let Value::String(text) = valid {
        return mutated_text(text, dice);
    }
    let mut body = valid.clone();
    let bytes_alone = dice.one_in(6);
    if !bytes_alone {
        for _ in 0..=dice.below(3) {
            let mut place = dice.below(count(&body));
            twist(find(&mut body, &mut place).unwrap(), dice);
        }
    }
    let mut bytes = written(&body);
    if bytes_alone || dice.one_in(5) {
        scramble(&mut bytes, dice);
    }
    bytes
}

/// A text, made wrong in its lines or in its bytes.
fn mutated_text(valid: &str, dice: &mut Dice) -> Vec<u8> {
    let mut lines: Vec<_> = valid.split('\n').map(str::to_owned).collect();
    let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
    match dice.below(6) {
        0 => drop(lines.remove(one)),
        1 => lines.swap(one, other),
        2 => lines = lines.iter().cycle().take(lines.len() * (2 + other)).cloned().collect(),
        3 => lines.insert(one, lines[other].repeat(*dice.pick(&[&1, &2, &9_000]))),
        _ => lines[one] = other_text(&lines[one], dice),
    }
    let mut bytes = lines.join("\n").into_bytes();
    if dice.one_in(4) {
        scramble(&mut bytes, dice);
    }
    bytes
}

/// How many values there are in a value, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The value at a place in the order in which [`count`] counts.
fn find<'v>(value: &'v mut Value, place: &mut usize) -> Option<&'v mut Value> {
    if *place == 0 {
        return Some(value);
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| find(item, place)),
        Value::Object(members) => members.values_mut().find_map(|member| find(member, place)),
        _ => None,
    }
}

fn twist(value: &mut Value, dice: &mut Dice) {
    let whole = dice.one_in(3);
    match value {
        Value::Object(members) if !whole => {
            let names: Vec<_> = members.keys().cloned().collect();
            match dice.below(4) {
                0 if !names.is_empty() => {
                    members.remove(&names[dice.below(names.len())]);
                }
                1 if !names.is_empty() => {
                    let name = &names[dice.below(names.len())];
                    members.insert(format!("{TWICE}{name}"), odd(dice));
                }
                2 if !names.is_empty() => {
                    let held = members.remove(&names[dice.below(names.len())]).unwrap();
                    members.insert(dice.pick(NAMES).to_owned(), held);
                }
                _ => {
                    members.insert(dice.pick(NAMES).to_owned(), odd(dice));
                }
            }
        }
        Value::Array(items) if !whole => match dice.below(4) {
            0 => items.clear(),
            1 => items.push(odd(dice)),
            2 => items.push(Value::Array(items.clone())),
            _ => {
                let many = *dice.pick(&[&2, &101, &600]);
                let again: Vec<_> = items.iter().cycle().take(many).cloned().collect();
                items.extend(again);
            }
        },
        Value::String(text) if !whole => *text = other_text(text, dice),
        value => *value = odd_in_place_of(value, dice),
    }
}

fn odd_in_place_of(value: &Value, dice: &mut Dice) -> Value {
    match dice.below(6) {
        0 => json!([value]),
        1 => json!({dice.pick(NAMES): value}),
        2 => nested(*dice.pick(&[&3, &31, &32, &33, &100, &5_000]), dice.one_in(2)),
        _ => odd(dice),
    }
}

/// A value of another kind than anybody asked for.
fn odd(dice: &mut Dice) -> Value {
    match dice.below(12) {
        0 => Value::Null,
        1 => json!(dice.one_in(2)),
        2 => json!(dice.roll() >> dice.below(64)),
        3 => json!(-(dice.roll().cast_signed() >> (1 + dice.below(63)))),
        4 => json!([]),
        5 => json!({}),
        6 => json!({"__entity": {"type": "User", "id": "alice"}}),
        7 => json!({"__extn": {"fn": dice.pick(&["ip", "decimal", "system"]), "arg": "1.2.3.4"}}),
        8 => json!(dice.pick(TEXTS)),
        9 => json!("a".repeat(*dice.pick(&[&129, &513, &1_025, &40_000, &70_000]))),
        _ => json!(format!("{MARK}{}", dice.below(RAW.len()))),
    }
}

fn other_text(text: &str, dice: &mut Dice) -> String {
    match dice.below(5) {
        0 => text.repeat(2 + dice.below(40)),
        1 => text.chars().take(dice.below(text.chars().count() + 1)).collect(),
        2 => format!("{text}{}", dice.pick(TEXTS)),
        3 => String::from_utf8_lossy(&flipped(text.as_bytes(), dice)).into_owned(),
        _ => dice.pick(TEXTS).to_owned(),
    }
}

/// Arrays or objects within each other. As raw text, since that is what would recurse.
fn nested(depth: usize, arrays: bool) -> Value {
    json!(format!("{MARK}{}{depth}", if arrays { '[' } else { '{' }))
}

/// What a mark stands for, if it was not made wrong itself.
fn raw(mark: &str) -> Option<String> {
    let levels = |text: &str| text.parse().ok().filter(|levels| *levels <= 5_000);
    if let Some(text) = mark.strip_prefix('[') {
        let levels: usize = levels(text)?;
        return Some("[".repeat(levels) + &"]".repeat(levels));
    }
    if let Some(text) = mark.strip_prefix('{') {
        let levels = levels(text)?;
        return Some(format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels)));
    }
    RAW.get(levels(mark)?).map(|text| (*text).to_owned())
}

/// The text of a body, each mark replaced by what it stands for.
fn written(body: &Value) -> Vec<u8> {
    let text = body.to_string().replace(&format!("\"{TWICE}"), "\"");
    let mark = format!("\"{MARK}");
    let mut parts = text.split(&mark);
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (named, rest) = part.split_once('"').unwrap();
        written.push_str(&raw(named).unwrap_or_else(|| format!("{mark}{named}\"")));
        written.push_str(rest);
    }
    written.into_bytes()
}

/// Bytes that were a text, or might have been.
fn scramble(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    match dice.below(9) {
        0 => bytes.truncate(at),
        1 => *bytes = flipped(bytes, dice),
        2 => {
            let broken: &[u8] = dice.pick(&[
                &b"\xff"[..],
                b"\xc3\x28",
                b"\xed\xa0\x80",
                b"\xf4\x90\x80\x80",
                b"\0",
            ]);
            bytes.splice(at..at, broken.iter().copied());
        }
        3 => drop(bytes.splice(0..0, *b"\xef\xbb\xbf")),
        4 => bytes.extend_from_slice(dice.pick(&[b"x".as_slice(), b"{}", b"\0", b",", b"\n\n"])),
        5 => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            *bytes = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        }
        6 => bytes.extend(b" ".repeat(*dice.pick(&[&10, &66_000]))),
        7 => {
            let length = dice.below(2_000);
            *bytes = dice.bytes(length);
        }
        _ => bytes.clear(),
    }
}

fn flipped(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(3) {
        if !bytes.is_empty() {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
        }
    }
    bytes
}
