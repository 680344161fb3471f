//! Links of templates as authors keep them in a file: in the format of Cedar's own command
//! line (`cedar link`, `--template-linked`).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::cedar::{Fault, Limits, codes, entity_named};
use crate::model::{JsonLimits, PolicyBody, PolicyId, PolicySource, Uid, parse_json};

/// The name of the file of a folder that holds its links.
pub const LINKS_FILE: &str = "links.json";

const PRINCIPAL: &str = "?principal";
const RESOURCE: &str = "?resource";
/// Objects and arrays within each other in such a file.
const DEPTH: usize = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `template_id`, `link_id` and `args`")]
struct Written {
    template_id: String,
    link_id: String,
    args: BTreeMap<String, String>,
}

/// Whether a file is one of links, by its name.
#[must_use]
pub fn is_links(file: &str) -> bool {
    Path::new(file).file_name().is_some_and(|name| name == LINKS_FILE)
}

/// Reads a file of links. Whether their templates are there is seen when all is compiled.
/// Linear.
///
/// # Errors
/// The faults of the file, as many as the limits allow, each with the link's place in it.
pub(super) fn read_links(
    file: &str,
    text: &str,
    limits: &Limits,
) -> Result<Vec<PolicySource>, Vec<Fault>> {
    let fault = |what: String| {
        let mut fault = Fault::new(codes::POLICY_LINK, what).with_help(
            "links are written `[{\"template_id\": \"readers\", \"link_id\": \"readers-of-plan\", \
             \"args\": {\"?resource\": \"Doc::\\\"plan\\\"\"}}]`",
        );
        fault.file = Some(file.into());
        fault
    };
    let bounds = JsonLimits { bytes: limits.file_bytes, depth: DEPTH };
    let json = parse_json(text.as_bytes(), bounds).map_err(|why| vec![fault(why.to_string())])?;
    let serde_json::Value::Array(all) = json else {
        return Err(vec![fault("this is no list of links".to_owned())]);
    };
    let (mut links, mut faults) = (Vec::new(), Vec::new());
    for (nth, one) in all.into_iter().enumerate() {
        let written = serde_json::from_value(one).map_err(|why| why.to_string());
        match written.and_then(link) {
            Ok(link) => links.push(link),
            Err(why) => faults.push(fault(format!("link {}: {why}", nth + 1))),
        }
    }
    faults.truncate(limits.faults);
    if faults.is_empty() { Ok(links) } else { Err(faults) }
}

fn link(written: Written) -> Result<PolicySource, String> {
    let id = |member: &str, id: &str| {
        id.parse::<PolicyId>().map_err(|why| format!("`{member}` is not an id: {why}"))
    };
    let Written { template_id, link_id, mut args } = written;
    let (template, own) = (id("template_id", &template_id)?, id("link_id", &link_id)?);
    let mut filling = |slot: &str| -> Result<Option<Uid>, String> {
        let Some(text) = args.remove(slot) else { return Ok(None) };
        let named = entity_named(&text);
        let named = named
            .ok_or_else(|| format!("`{slot}` names no entity: one is written `User::\"alice\"`"))?;
        Ok(Some(named))
    };
    let (principal, resource) = (filling(PRINCIPAL)?, filling(RESOURCE)?);
    if !args.is_empty() {
        return Err(format!("`args` has another slot than `{PRINCIPAL}` and `{RESOURCE}`"));
    }
    Ok(PolicySource { id: own, body: PolicyBody::Link { template, principal, resource } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<PolicySource>, Vec<String>> {
        let read = read_links("p/links.json", text, &Limits::default());
        read.map_err(|faults| faults.iter().map(|fault| fault.message.to_string()).collect())
    }

    #[test]
    fn a_link_is_read_as_cedar_writes_it() {
        let links = read(
            r#"[{"template_id": "t", "link_id": "t-ada", "args":
                 {"?principal": "Shop::User::\"a\\\"da\"", "?resource": "Doc::\"plan\""}},
                {"template_id": "u", "link_id": "u-all",
                 "args": {"?principal": "Role::\"all\""}}]"#,
        )
        .unwrap();
        let uid = |kind, id| Uid::parse(kind, id).ok();
        let expected = [
            ("t-ada", "t", uid("Shop::User", "a\"da"), uid("Doc", "plan")),
            ("u-all", "u", uid("Role", "all"), None),
        ];
        let link = |(id, template, principal, resource): (&str, &str, _, _)| PolicySource {
            id: id.parse().unwrap(),
            body: PolicyBody::Link { template: template.parse().unwrap(), principal, resource },
        };
        assert_eq!(links, expected.map(link));
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn every_link_that_is_none_is_said_with_its_place() {
        let one =
            |args: &str| format!(r#"[{{"template_id": "t", "link_id": "l", "args": {args}}}]"#);
        for (text, expected) in [
            ("{}".to_owned(), "this is no list of links"),
            (
                "[1]".to_owned(),
                "link 1: invalid type: integer `1`, expected an object with `template_id`",
            ),
            (one(r#"{"?principal": "ada"}"#), "link 1: `?principal` names no entity"),
            (
                one(r#"{"?action": "Action::\"a\""}"#),
                "link 1: `args` has another slot than `?principal` and `?resource`",
            ),
            (
                r#"[{"template_id": "", "link_id": "l", "args": {}}]"#.to_owned(),
                "link 1: `template_id` is not an id",
            ),
            (r#"[{"link_id": "l", "args": {}}]"#.to_owned(), "link 1: missing field `template_id`"),
        ] {
            let faults = read(&text).unwrap_err();
            assert!(faults[0].starts_with(expected), "{faults:?}");
        }
        let both = read(r#"[{"a": 1}, {"b": 2}]"#).unwrap_err();
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn a_file_of_links_is_known_by_its_name() {
        assert!(is_links("links.json") && is_links("a/b/links.json"));
        assert!(!is_links("links.cedar") && !is_links("more-links.json"));
    }
}
