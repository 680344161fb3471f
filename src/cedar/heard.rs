//! What one schema takes up of a caller's words that another one has left out.

use super::CompiledSchema;
use crate::model::{EntityType, Uid};

impl CompiledSchema {
    /// True if this schema may take up what a caller said as a member of an action's
    /// context where `before` has left it out: it is declared here, and not of the same
    /// type there. `None` for a time when nothing was declared.
    #[must_use]
    pub fn hears_more_context(&self, before: Option<&Self>, action: &Uid, name: &str) -> bool {
        let member = |schema: &Self| {
            let table = schema.tables().actions.get(action)?;
            table.context.members.get(name).cloned()
        };
        let here = member(self);
        here.is_some() && here != before.and_then(member)
    }

    /// The same for a property of an entity of this type, and for what a caller may say
    /// over the directory.
    #[must_use]
    pub fn hears_more_attribute(&self, before: Option<&Self>, of: &EntityType, name: &str) -> bool {
        let attribute = |schema: &Self| {
            let table = schema.tables().entities.get(of)?;
            let member = table.attributes.members.get(name)?;
            Some((member.clone(), table.callers.get(name).copied()))
        };
        let here = attribute(self);
        here.is_some() && here != before.and_then(attribute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::Limits;
    use crate::model::SetKind;

    fn schema(level: &str, context: &str) -> CompiledSchema {
        let text = format!(
            "entity User {{ {level} }}; entity Doc;\n\
             action view appliesTo {{ principal: User, resource: Doc, context: {{ {context} }} }};"
        );
        CompiledSchema::compile(&text, SetKind::Application, &Limits::default()).unwrap()
    }

    #[test]
    fn only_what_is_declared_otherwise_is_heard_anew() {
        let (old, new) = (schema("level?: Long", "why?: String"), schema("level?: Long", ""));
        let (view, user) = (Uid::parse("Action", "view").unwrap(), EntityType::user());
        assert!(!old.hears_more_context(Some(&old), &view, "why"));
        assert!(old.hears_more_context(Some(&new), &view, "why"));
        assert!(old.hears_more_context(None, &view, "why"));
        assert!(!new.hears_more_context(Some(&old), &view, "why"), "it is left out again");
        assert!(!old.hears_more_context(Some(&new), &view, "colour"));

        let filled = schema("@caller(\"fill\") level?: Long", "");
        assert!(!old.hears_more_attribute(Some(&new), &user, "level"));
        assert!(filled.hears_more_attribute(Some(&old), &user, "level"));
        assert!(schema("level?: String", "").hears_more_attribute(Some(&old), &user, "level"));
        assert!(!filled.hears_more_attribute(Some(&old), &user, "office"));
    }
}
