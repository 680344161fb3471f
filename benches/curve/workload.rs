//! What the three workloads have in common: kinds of entities, policies that name some of
//! them, and requests.

use countersign::model::{EntityDocument, PolicyBody, PolicyId, PolicySource, Uid};

use crate::chance::Chance;

/// One kind of application, at any size.
pub struct Workload {
    pub name: &'static str,
    /// In Cedar's own syntax. Every action has the context `{mfa: Bool, office: Bool}`.
    pub schema: &'static str,
    pub kinds: &'static [Kind],
    /// The kinds that act and that are acted on.
    pub principal: &'static str,
    pub resource: &'static str,
    pub actions: &'static [&'static str],
    /// Policies that name no entity: every request about their actions is in their scope.
    pub general: &'static [General],
    /// The shapes of those that name some.
    pub patterns: &'static [Pattern],
    /// The nth entity of a kind.
    pub document: fn(&Organisation, &'static str, usize) -> EntityDocument,
}

/// A kind of entities, and how many of a thousand are of it.
pub struct Kind {
    pub name: &'static str,
    pub per_mille: usize,
}

pub struct General {
    pub text: &'static str,
    /// The actions in its scope.
    pub actions: &'static [&'static str],
}

/// A policy with a place for a principal and one for a resource.
pub struct Pattern {
    pub id: &'static str,
    /// How many of a hundred policies are of it.
    pub per_cent: usize,
    pub effect: &'static str,
    pub principal: Place,
    /// The action's part of the scope, and the actions that this covers.
    pub action: &'static str,
    pub actions: &'static [&'static str],
    pub resource: Place,
    /// What follows the scope.
    pub body: &'static str,
}

/// The scope's test and the kind of what is named: `==`, or `in` something.
pub struct Place {
    pub test: &'static str,
    pub kind: &'static str,
}

/// One policy: a pattern with the numbers of the two entities it names.
#[derive(Clone, Copy)]
pub struct Rule {
    pub pattern: &'static Pattern,
    pub principal: usize,
    pub resource: usize,
}

/// How the policies are written: each by itself, or as links to a few templates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Static,
    Linked,
}

/// May the nth principal do this to the nth resource?
pub struct Asked {
    pub principal: usize,
    pub action: &'static str,
    pub resource: usize,
    pub mfa: bool,
    pub office: bool,
}

/// The entities that there would be in an organisation of so many.
pub struct Organisation {
    pub workload: &'static Workload,
    pub size: usize,
}

pub fn uid(kind: &str, nth: usize) -> Uid {
    Uid::parse(kind, &format!("{}-{nth}", kind.to_lowercase())).unwrap()
}

impl Form {
    pub const ALL: [Self; 2] = [Self::Static, Self::Linked];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Linked => "linked",
        }
    }
}

impl Organisation {
    /// How many of a kind there are; the last kind has what the others leave.
    pub fn count(&self, kind: &str) -> usize {
        let (mut left, mut found) = (self.size, 0);
        for (at, one) in self.workload.kinds.iter().enumerate() {
            let share = (self.size * one.per_mille / 1_000).max(1);
            let count = if at + 1 == self.workload.kinds.len() { left } else { share };
            left = left.saturating_sub(count);
            if one.name == kind {
                found = count;
            }
        }
        found
    }

    /// The number of what the nth of a kind belongs to, in order: people of one
    /// neighbourhood are in groups of the same.
    pub fn near(&self, from: &str, nth: usize, to: &str) -> usize {
        nth * self.count(to) / self.count(from)
    }

    /// The first that belongs to the nth of another kind.
    pub fn first_of(&self, of: &str, nth: usize, kind: &str) -> usize {
        let first = (nth * self.count(kind)).div_ceil(self.count(of));
        first.min(self.count(kind) - 1)
    }

    /// Every entity. What others are in comes first.
    pub fn documents(&self) -> impl Iterator<Item = EntityDocument> + '_ {
        let of = |kind: &'static Kind| {
            (0..self.count(kind.name)).map(|nth| (self.workload.document)(self, kind.name, nth))
        };
        self.workload.kinds.iter().flat_map(of)
    }

    /// So many rules between entities that are near each other.
    pub fn rules(&self, count: usize) -> Vec<Rule> {
        let patterns = self.workload.patterns;
        let drawn = |nth: usize| {
            let mut chance = Chance::of(self.workload.name, nth);
            // The first few are one of each.
            let pattern =
                patterns.get(nth).unwrap_or_else(|| drawn_by_share(&mut chance, patterns));
            let principal = chance.below(self.count(pattern.principal.kind));
            let near = self.near(pattern.principal.kind, principal, pattern.resource.kind);
            let resources = self.count(pattern.resource.kind);
            let resource = (near + chance.below(resources / 100 + 1)) % resources;
            Rule { pattern, principal, resource }
        };
        (0..count).map(drawn).collect()
    }

    /// True if both that a rule names are here.
    pub fn has(&self, rule: &Rule) -> bool {
        rule.principal < self.count(rule.pattern.principal.kind)
            && rule.resource < self.count(rule.pattern.resource.kind)
    }

    /// So many requests: every other one of somebody and about something that a rule is
    /// meant for, as far as it is here.
    pub fn requests(&self, rules: &[Rule], count: usize) -> Vec<Asked> {
        let Workload { principal: who, resource: what, actions, patterns, .. } = self.workload;
        let here = patterns.iter().map(|pattern| {
            let of_it = rules.iter().filter(|rule| rule.pattern.id == pattern.id && self.has(rule));
            of_it.collect::<Vec<_>>()
        });
        let here: Vec<_> = here.filter(|rules| !rules.is_empty()).collect();
        let drawn = |nth: usize| {
            let mut chance = Chance::of("requests", nth);
            let (mfa, office) = (!chance.one_in(4), chance.one_in(2));
            if nth.is_multiple_of(2) && !here.is_empty() {
                let of_it = &here[chance.below(here.len())];
                let Rule { pattern, principal, resource } = of_it[chance.below(of_it.len())];
                let principal = self.within(&pattern.principal, *principal, who);
                let resource = self.within(&pattern.resource, *resource, what);
                let action = pattern.actions[chance.below(pattern.actions.len())];
                return Asked { principal, action, resource, mfa, office };
            }
            let principal = chance.below(self.count(who));
            let near = self.near(who, principal, what);
            let resource = (near + chance.below(8)) % self.count(what);
            Asked { principal, action: actions[chance.below(actions.len())], resource, mfa, office }
        };
        (0..count).map(drawn).collect()
    }

    /// Somebody or something that a place's test holds for.
    fn within(&self, place: &Place, nth: usize, kind: &str) -> usize {
        if place.kind == kind { nth } else { self.first_of(place.kind, nth, kind) }
    }
}

impl Workload {
    /// A set of so many policies in all, and the rules that it holds.
    pub fn policies(
        &'static self,
        of: &Organisation,
        form: Form,
        count: usize,
    ) -> (Vec<PolicySource>, Vec<Rule>) {
        let mut sources: Vec<_> = (0..)
            .zip(self.general)
            .map(|(nth, general)| {
                let text = general.text.into();
                source(&format!("general-{nth}"), PolicyBody::Static { text })
            })
            .collect();
        if form == Form::Linked {
            sources.extend(self.patterns.iter().map(|pattern| {
                let text = pattern.text("?principal", "?resource").into();
                source(pattern.id, PolicyBody::Template { text })
            }));
        }
        let rules = of.rules(count - sources.len());
        let named = |(nth, rule): (usize, &Rule)| source(&format!("rule-{nth}"), rule.body(form));
        sources.extend(rules.iter().enumerate().map(named));
        (sources, rules)
    }
}

fn drawn_by_share<'a>(chance: &mut Chance, patterns: &'a [Pattern]) -> &'a Pattern {
    let mut at = chance.below(100);
    let found = patterns.iter().find(|pattern| {
        let here = at < pattern.per_cent;
        at = at.saturating_sub(pattern.per_cent);
        here
    });
    found.unwrap()
}

fn source(id: &str, body: PolicyBody) -> PolicySource {
    PolicySource { id: id.parse::<PolicyId>().unwrap(), body }
}

impl Pattern {
    fn text(&self, principal: &str, resource: &str) -> String {
        let Self { effect, action, body, .. } = self;
        let (who, what) = (self.principal.test, self.resource.test);
        format!(
            "{effect} (principal {who} {principal}, {action}, resource {what} {resource}){body};"
        )
    }
}

impl Rule {
    pub fn names(&self) -> [Uid; 2] {
        let Pattern { principal, resource, .. } = self.pattern;
        [uid(principal.kind, self.principal), uid(resource.kind, self.resource)]
    }

    fn body(&self, form: Form) -> PolicyBody {
        let [principal, resource] = self.names();
        match form {
            Form::Static => {
                let written = |uid: &Uid| format!("{}::\"{}\"", uid.kind().as_str(), uid.id());
                let text = self.pattern.text(&written(&principal), &written(&resource)).into();
                PolicyBody::Static { text }
            }
            Form::Linked => PolicyBody::Link {
                template: self.pattern.id.parse().unwrap(),
                principal: Some(principal),
                resource: Some(resource),
            },
        }
    }
}
