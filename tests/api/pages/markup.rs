//! Enough of HTML to hold every page against.

use std::collections::BTreeSet;

const VOID: [&str; 5] = ["input", "link", "meta", "img", "br"];

/// One element as it begins.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Fails unless a page is whole, can be read aloud, and keeps its own rules: nothing inline,
/// nothing from elsewhere, a tag in every form.
#[track_caller]
pub fn assert_sound(page: &str) {
    let tags = tags(page);
    let all = |name: &str| tags.iter().filter(|tag| tag.name == name).collect::<Vec<_>>();
    for name in ["html", "title", "h1", "main", "header"] {
        assert_eq!(all(name).len(), 1, "{name} in {page}");
    }
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert_eq!(all("html")[0].get("lang"), Some("en"));
    let ids: Vec<_> = tags.iter().filter_map(|tag| tag.get("id")).collect();
    let known: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(known.len(), ids.len(), "an id is there twice: {ids:?}");
    for tag in &tags {
        for (name, value) in &tag.attributes {
            assert!(!name.starts_with("on") && name != "style", "inline: {name}={value}");
            if ["href", "src", "action"].contains(&name.as_str()) {
                let own = value.starts_with('/') && !value.starts_with("//");
                let inner = value.starts_with("data:") || value.starts_with('#');
                assert!(own || inner, "from elsewhere: {value}");
            }
            if ["for", "aria-labelledby", "aria-describedby"].contains(&name.as_str()) {
                let dangling = value.split(' ').find(|id| !known.contains(id));
                assert_eq!(dangling, None, "{name} names nothing");
            }
        }
        if tag.name == "img" {
            assert!(tag.get("alt").is_some_and(|text| !text.is_empty()));
        }
        assert_ne!(tag.name, "style");
    }
    assert!(
        !page.contains("</script>") || page.matches("></script>").count() == all("script").len()
    );
    let labels: BTreeSet<_> = all("label").iter().filter_map(|tag| tag.get("for")).collect();
    for input in all("input").iter().filter(|tag| tag.get("type") != Some("hidden")) {
        assert!(labels.contains(input.get("id").unwrap()), "an input without a label");
        assert!(input.get("autocomplete").is_some());
    }
    let forms = all("form");
    assert!(forms.iter().all(|form| form.get("method") == Some("post")));
    let tagged = all("input").iter().filter(|it| it.get("name") == Some("form")).count();
    assert_eq!(tagged, forms.len(), "a form without its tag");
}

/// Every element; fails unless each that is opened is closed in turn.
fn tags(page: &str) -> Vec<Tag> {
    let (mut open, mut found) = (Vec::new(), Vec::new());
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap_or(page);
    while let Some((_, from)) = rest.split_once('<') {
        let (inside, behind) = split_tag(from);
        rest = behind;
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed out of turn in {page}");
            continue;
        }
        let tag = tag(inside);
        if !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name.clone());
        }
        found.push(tag);
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    found
}

/// Up to the `>` that is in no attribute's value.
fn split_tag(from: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = from.find(|letter| {
        quoted ^= letter == '"';
        letter == '>' && !quoted
    });
    let (inside, behind) = from.split_at(end.expect("a tag that ends"));
    (inside, behind.strip_prefix('>').unwrap())
}

fn tag(inside: &str) -> Tag {
    let (name, mut rest) = inside.split_once(' ').unwrap_or((inside, ""));
    let mut attributes = Vec::new();
    while !rest.trim().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (attribute, behind) = rest.split_at(end);
        if let Some(value) = behind.strip_prefix("=\"") {
            let (value, behind) = value.split_once('"').expect("a value that ends");
            attributes.push((attribute.to_owned(), value.to_owned()));
            rest = behind;
        } else {
            attributes.push((attribute.to_owned(), String::new()));
            rest = behind;
        }
    }
    Tag { name: name.to_owned(), attributes }
}
