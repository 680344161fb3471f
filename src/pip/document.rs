//! Entities as their author sends them.

use serde_json::Value;

use crate::model::{EntityDocument, NotAnEntity};

/// Why a JSON value is not a list of entities; says where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotEntities {
    /// Not an array.
    #[error("expected an array of entities, each with uid, attrs, parents and tags")]
    Shape,
    /// One of them is not an entity.
    #[error("entities[{index}]: {source}")]
    Entity {
        /// Its place in the array, from 0.
        index: usize,
        /// What is wrong within it, and where.
        source: NotAnEntity,
    },
}

/// Reads an array of entities in Cedar's JSON form. Linear.
///
/// # Errors
/// [`NotEntities`] with the index of the first that is not one, and the path in it.
///
/// # Source
/// Cedar's entities JSON format.
pub fn read_entities(json: &Value) -> Result<Vec<EntityDocument>, NotEntities> {
    let listed = json.as_array().ok_or(NotEntities::Shape)?;
    let numbered = listed.iter().enumerate();
    numbered
        .map(|(index, one)| {
            EntityDocument::from_json(one).map_err(|source| NotEntities::Entity { index, source })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_is_read_in_its_order() {
        let uid = |id: &str| json!({"uid": {"type": "User", "id": id}});
        let read = read_entities(&json!([uid("b"), uid("a")])).unwrap();
        let ids: Vec<_> = read.iter().map(|one| one.uid.id().to_owned()).collect();
        assert_eq!(ids, ["b", "a"]);
        assert_eq!(read_entities(&json!([])), Ok(Vec::new()));
    }

    #[test]
    fn an_error_says_which_and_where() {
        let wrong = |value: Value| read_entities(&value).unwrap_err().to_string();
        let good = json!({"uid": {"type": "User", "id": "a"}});
        assert_eq!(
            wrong(json!([good, {"uid": {"type": "User"}}])),
            "entities[1]: uid.id: expected text"
        );
        assert!(wrong(json!([{"attr": 1}])).starts_with("entities[0]: unknown member `attr`"));
        assert!(wrong(good).starts_with("expected an array"));
    }
}
