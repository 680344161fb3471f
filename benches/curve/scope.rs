//! In how many policies' scope a request is, counted without Cedar and without the index:
//! what an evaluation has to cost at least.

use std::collections::{BTreeSet, HashMap};

use countersign::model::Uid;
use countersign::projection::Directory;

use crate::workload::{Asked, Rule, Workload, uid};

/// The rules of a set by the two entities that they name.
pub struct Scopes<'a> {
    workload: &'static Workload,
    rules: HashMap<[Uid; 2], Vec<&'a Rule>>,
}

impl<'a> Scopes<'a> {
    pub fn of(workload: &'static Workload, rules: &'a [Rule]) -> Self {
        let mut by_names: HashMap<_, Vec<_>> = HashMap::new();
        for rule in rules {
            by_names.entry(rule.names()).or_default().push(rule);
        }
        Self { workload, rules: by_names }
    }

    /// The policies whose scope holds for a request.
    pub fn count(&self, asked: &Asked, directory: &Directory) -> usize {
        let [who, what] = asked.names(self.workload);
        let [all_who, all_what] = [&who, &what].map(|one| with_ancestors(directory, one));
        let pairs = all_who.iter().flat_map(|one| all_what.iter().map(move |other| (one, other)));
        let named = pairs.filter_map(|(one, other)| self.rules.get(&[one.clone(), other.clone()]));
        let holds = |rule: &&&Rule| {
            let pattern = rule.pattern;
            let [principal, resource] = rule.names();
            let itself = |test: &str, named: &Uid, is: &Uid| test == "in" || named == is;
            pattern.actions.contains(&asked.action)
                && itself(pattern.principal.test, &principal, &who)
                && itself(pattern.resource.test, &resource, &what)
        };
        let general = self.workload.general.iter();
        general.filter(|it| it.actions.contains(&asked.action)).count()
            + named.flatten().filter(holds).count()
    }
}

fn with_ancestors(directory: &Directory, one: &Uid) -> BTreeSet<Uid> {
    let node = directory.get(one).unwrap();
    node.ancestors.iter().chain([one]).cloned().collect()
}

impl Asked {
    /// The principal and the resource.
    pub fn names(&self, workload: &Workload) -> [Uid; 2] {
        [uid(workload.principal, self.principal), uid(workload.resource, self.resource)]
    }
}
