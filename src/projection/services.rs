//! Service tokens: who holds which scopes.

use std::sync::Arc;

use imbl::HashMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{Actor, Envelope, ServiceRegistered, ServiceRevoked, SourceBinding};
use crate::model::{Digest, Label, Moment, Scopes, Username};

/// The holder of a service token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its id, the id of a `Countersign::Service`.
    pub id: Uuid,
    /// What people call it.
    pub label: Label,
    /// What its token may be used for.
    pub scopes: Scopes,
    /// What its reports are bound to, for scope `ingest`.
    pub binding: Option<SourceBinding>,
    /// When it was made known.
    pub registered_at: Moment,
    /// The person who made its token, where the log says by which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<Username>,
    token: Digest,
}

/// All services whose token has not been revoked.
#[derive(Clone, Debug, Default)]
pub struct Services {
    by_id: HashMap<Uuid, Arc<Service>>,
    by_token: HashMap<Digest, Uuid>,
}

impl Services {
    /// A service by its id.
    #[must_use]
    pub fn get(&self, id: &Uuid) -> Option<&Arc<Service>> {
        self.by_id.get(id)
    }

    /// The service that a token belongs to, by the token's SHA-256.
    #[must_use]
    pub fn by_token(&self, token: &Digest) -> Option<&Arc<Service>> {
        self.by_token.get(token).and_then(|id| self.by_id.get(id))
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.by_id.values()
    }

    pub(super) fn registered(&mut self, it: &ServiceRegistered, entry: &Envelope) {
        let maker = match &entry.actor {
            Actor::Person(name) if it.session.is_some() => Some(name.clone()),
            _ => None,
        };
        let service = Service {
            id: it.service,
            label: it.label.clone(),
            scopes: it.scopes.clone(),
            binding: it.binding.clone(),
            registered_at: entry.time,
            maker,
            token: it.token,
        };
        self.by_token.insert(it.token, it.service);
        self.by_id.insert(it.service, Arc::new(service));
    }

    pub(super) fn revoked(&mut self, it: &ServiceRevoked) {
        if let Some(service) = self.by_id.remove(&it.service) {
            self.by_token.remove(&service.token);
        }
    }
}

/// All services as they are put away.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ServicesState(Vec<Arc<Service>>);

impl Services {
    pub(super) fn state(&self) -> ServicesState {
        let mut all: Vec<_> = self.by_id.values().cloned().collect();
        all.sort_unstable_by_key(|service| service.id);
        ServicesState(all)
    }

    pub(super) fn restored(ServicesState(all): ServicesState) -> Self {
        Self {
            by_token: all.iter().map(|service| (service.token, service.id)).collect(),
            by_id: all.into_iter().map(|service| (service.id, service)).collect(),
        }
    }
}
