//! Entities that policies name and that nobody knows: most often a slip of the pen.

use std::collections::{BTreeMap, BTreeSet};

use super::excerpt::Span;
use super::type_advice::nearest;
use super::{CompiledPolicies, Fault, codes, expression, scan};
use crate::model::{EntityType, PolicyBody, PolicySource, Uid};

impl CompiledPolicies {
    /// The entities that policies and links name, and that are none of those known by their
    /// types and ids, in order of the sources; of a type of which none is known, nothing is
    /// said. Costs a look at each policy, and for each stranger one at all ids of its type.
    #[must_use]
    pub fn strangers(
        &self,
        sources: &[PolicySource],
        known: &BTreeMap<&EntityType, BTreeSet<&str>>,
    ) -> Vec<Fault> {
        let fault = |source: &PolicySource, uid: &Uid| {
            let ids = known.get(uid.kind()).filter(|ids| !ids.contains(uid.id()))?;
            let message = format!("no entity is called `{uid}`, so nothing is in it or is it");
            let help = match nearest(uid.id(), ids.iter().copied()) {
                Some(id) => format!("did you mean `{}::{id:?}`?", uid.kind()),
                None => "create it first, or write the name of one that is there".to_owned(),
            };
            let fault = Fault::new(codes::POLICY_ENTITY_WARNING, message).with_help(&*help);
            let fault = fault.about(&source.id);
            let (PolicyBody::Static { text } | PolicyBody::Template { text }) = &source.body else {
                return Some(fault);
            };
            Some(fault.at(text, place(text, uid)))
        };
        let of =
            |source| self.named_by(source).into_iter().filter_map(move |it| fault(source, &it));
        sources.iter().flat_map(of).collect()
    }

    fn named_by(&self, source: &PolicySource) -> BTreeSet<Uid> {
        if let PolicyBody::Link { principal, resource, .. } = &source.body {
            return [principal, resource].into_iter().flatten().cloned().collect();
        }
        let Some(template) = self.template(&source.id) else { return BTreeSet::new() };
        let tables = self.schema().tables();
        let named = template.condition();
        expression::entities(&named).into_iter().filter_map(|core| tables.uid(core)).collect()
    }
}

/// Where an entity's id stands first in a policy's text.
fn place(text: &str, uid: &Uid) -> Span {
    let written = format!("{:?}", uid.id());
    let tokens = scan::tokens(text);
    let after_colon = tokens
        .iter()
        .zip(tokens.iter().skip(1))
        .find_map(|(before, own)| (before.0.ends_with(':') && own.0 == written).then_some(own.1));
    after_colon.or_else(|| scan::first_token(text)).unwrap_or(Span::new(0, 0))
}
