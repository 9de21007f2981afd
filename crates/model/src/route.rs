//! The route table: host to what answers there. Control renders it from rows; the edge serves from it and from nothing
//! else. It is pure data, so neither of the two knows the other.

use std::collections::HashMap;

use crate::{DeploymentId, Digest, Failure, InstanceId, NamespaceName, ProjectName, ServiceName};

/// Every host that answers, at one moment.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    /// Grows with every table; the edge acknowledges the one it serves from.
    pub generation: u64,
    /// By host name in lower case, without port.
    pub routes: HashMap<String, Route>,
}

/// What answers at one host.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub kind: Kind,
    pub project: ProjectName,
    pub namespace: NamespaceName,
    pub service: ServiceName,
    /// The deployment whose bytes are served; named on every answer. `None` while there is none.
    pub deployment: Option<DeploymentId>,
    pub target: Target,
    /// Somebody works on the preview: its pages reload when the deployment changes.
    pub watched: bool,
}

/// Whether a route is for ever or follows a preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One deployment for ever.
    Pinned,
    /// Follows the current deployment of the preview.
    Alias,
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Files of the store.
    Static { tree: Digest, spa: bool },
    /// The instances of one service, any of which can answer; at least one.
    Instances(Vec<Replica>),
    /// A page that says why there is nothing to see yet, or any more.
    Notice(Notice),
}

/// One of the instances of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Replica {
    pub instance: InstanceId,
    pub port: u16,
    pub readiness: Readiness,
}

/// Whether an instance takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It runs and listens.
    Ready,
    /// It is frozen or was stopped: a request wakes it.
    Asleep,
    /// It ended by itself and is started again soon. Asked only where no other instance is ready.
    Away,
}

/// Why a known host has nothing to serve.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Its first deployment waits for its turn.
    Queued,
    /// Its first deployment is being built.
    Building,
    /// Its first deployment starts.
    Starting,
    /// Nothing it tried has worked.
    Failed(Box<Failure>),
    /// It was deleted or its time is over.
    Gone,
}
