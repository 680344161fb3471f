//! An entity as Cedar text names it.

use cedar_policy::EntityUid;

use crate::model::Uid;

/// The most bytes of such a name that are read: type and id, every byte of it escaped.
const BYTES_MAX: usize = 8 * 1024;

/// The entity that a text such as `Shop::User::"alice"` names, its escapes read as Cedar
/// reads them; nothing if it names none.
#[must_use]
pub fn entity_named(text: &str) -> Option<Uid> {
    let core: EntityUid = Some(text).filter(|it| it.len() <= BYTES_MAX)?.parse().ok()?;
    Uid::parse(&core.type_name().to_string(), core.id().unescaped()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_read_with_its_namespace_and_escapes() {
        let read = |text: &str| entity_named(text).map(|uid| uid.to_string());
        assert_eq!(read("User::\"alice\"").as_deref(), Some("User::\"alice\""));
        let quoted = entity_named(r#"Shop::User::"a\"bé""#).unwrap();
        assert_eq!((quoted.kind().as_str(), quoted.id()), ("Shop::User", "a\"bé"));
        for wrong in ["", "alice", "User::alice", "User::\"a", "\"a\"", "User::\"a\" == 1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read(&format!("User::\"{}\"", "a".repeat(9_000))), None);
    }
}
