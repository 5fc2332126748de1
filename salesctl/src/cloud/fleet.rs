//! Running tasks of each service in a region, and their scaling minimum: ECS and Application Auto Scaling.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Patience, RegionCloud,
    json_api::{JsonApi, JsonService},
    trouble::{Key, Trouble},
};

static ECS: JsonService = JsonService { id: "ECS", name: "ecs", target: "AmazonEC2ContainerServiceV20141113" };
static SCALING: JsonService =
    JsonService { id: "Application Auto Scaling", name: "application-autoscaling", target: "AnyScaleFrontendService" };

const KEY: &str = "cluster";
const DIMENSION: &str = "ecs:service:DesiredCount";

/// A service, by role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Accepts sales.
    Api,
    /// Brings sales to the lake.
    Worker,
}

impl Role {
    /// All roles.
    pub(crate) const ALL: [Self; 2] = [Self::Api, Self::Worker];

    /// The name in outputs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Worker => "worker",
        }
    }
}

/// The tasks of a service in one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Tasks {
    /// Number of running tasks.
    pub(crate) running: u32,
    /// Scaling minimum.
    pub(crate) minimum: u32,
    /// Scaling maximum.
    pub(crate) maximum: u32,
    /// Usual minimum, from the environment's data, if configured.
    pub(crate) usual_minimum: Option<u32>,
}

impl Tasks {
    /// Whether the minimum is above the usual one: a switch has raised it, and no one has released it.
    pub(crate) fn is_held(&self) -> bool {
        self.usual_minimum.is_some_and(|usual| self.minimum > usual)
    }
}

/// The services of one region.
pub(crate) type Fleet = BTreeMap<Role, Tasks>;

/// A request that is not sent yet.
struct Request<'a> {
    api: &'a JsonApi,
    operation: &'static str,
}

/// The operations in use.
struct Client(JsonApi);

impl Client {
    fn describe_services(&self) -> Request<'_> {
        Request { api: &self.0, operation: "DescribeServices" }
    }

    fn describe_scalable_targets(&self) -> Request<'_> {
        Request { api: &self.0, operation: "DescribeScalableTargets" }
    }

    fn register_scalable_target(&self) -> Request<'_> {
        Request { api: &self.0, operation: "RegisterScalableTarget" }
    }
}

impl Request<'_> {
    async fn send<T: serde::de::DeserializeOwned>(self, key: &Key, input: &Value) -> Result<T, Trouble> {
        self.api.call(key, self.operation, input).await
    }
}

/// Response of `DescribeServices`.
#[derive(Debug, Deserialize)]
struct Services {
    #[serde(default)]
    services: Vec<EcsService>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EcsService {
    service_name: String,
    running_count: u32,
}

/// Response of `DescribeScalableTargets`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Targets {
    #[serde(default)]
    scalable_targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    resource_id: String,
    min_capacity: u32,
    max_capacity: u32,
}

/// Response of `RegisterScalableTarget`; its content is not used.
#[derive(Debug, Deserialize)]
struct Registered {}

impl RegionCloud {
    /// Running tasks and scaling limits of each service in this region.
    pub(crate) async fn fleet(&self) -> Result<Fleet, Trouble> {
        let cluster = self.named(KEY, self.resources.cluster.as_ref())?;
        let names = Role::ALL.map(|role| self.service(role));
        let [api, worker] = names;
        let names = [api?, worker?];
        let resources = names.map(|name| resource(cluster, name));
        let targets = async {
            let client = Client(self.scaling(Patience::Glance));
            let input = json!({
                "ServiceNamespace": "ecs", "ScalableDimension": DIMENSION, "ResourceIds": resources,
            });
            client.describe_scalable_targets().send::<Targets>(&self.key(KEY), &input).await
        };
        // Not the first failure only: equal failures must report the same text each time.
        let (services, targets) = tokio::join!(self.running(cluster, &names), targets);
        let (services, targets) = (services?, targets?);
        let mut fleet = Fleet::new();
        for ((role, name), resource) in Role::ALL.into_iter().zip(names).zip(&resources) {
            let target = targets.scalable_targets.iter().find(|target| target.resource_id == *resource);
            let target = target.ok_or_else(|| {
                Trouble::new(format_args!("{name} is not a scalable target of Application Auto Scaling"))
            })?;
            fleet.insert(
                role,
                Tasks {
                    running: services[&role],
                    minimum: target.min_capacity,
                    maximum: target.max_capacity,
                    usual_minimum: self.usual_minimum(role),
                },
            );
        }
        Ok(fleet)
    }

    /// Number of running tasks of each service in this region.
    pub(crate) async fn running_tasks(&self) -> Result<BTreeMap<Role, u32>, Trouble> {
        let cluster = self.named(KEY, self.resources.cluster.as_ref())?;
        let [api, worker] = Role::ALL.map(|role| self.service(role));
        self.running(cluster, &[api?, worker?]).await
    }

    /// Sets a service's scaling minimum, which also starts the missing tasks: when a minimum is set, Application Auto
    /// Scaling brings the service up to it.
    pub(crate) async fn set_minimum(&self, role: Role, minimum: u32) -> Result<(), Trouble> {
        let cluster = self.named(KEY, self.resources.cluster.as_ref())?;
        let client = Client(self.scaling(Patience::Change));
        let input = json!({
            "ServiceNamespace": "ecs",
            "ScalableDimension": DIMENSION,
            "ResourceId": resource(cluster, self.service(role)?),
            "MinCapacity": minimum,
        });
        client.register_scalable_target().send::<Registered>(&self.key(KEY), &input).await.map(drop)
    }

    async fn running(&self, cluster: &str, names: &[&str; 2]) -> Result<BTreeMap<Role, u32>, Trouble> {
        let client = Client(JsonApi::new(&ECS, &self.sdk, self.own_endpoint(), Patience::Glance));
        let input = json!({ "cluster": cluster, "services": names });
        let Services { services } = client.describe_services().send(&self.key(KEY), &input).await?;
        let mut running = BTreeMap::new();
        for (role, name) in Role::ALL.into_iter().zip(names) {
            let service = services.iter().find(|service| service.service_name == *name);
            let service =
                service.ok_or_else(|| Trouble::new(format_args!("no service {name} in cluster {cluster}")))?;
            running.insert(role, service.running_count);
        }
        Ok(running)
    }

    fn scaling(&self, patience: Patience) -> JsonApi {
        JsonApi::new(&SCALING, &self.sdk, self.own_endpoint(), patience)
    }

    fn own_endpoint(&self) -> Option<&str> {
        self.resources.endpoint_url.as_ref().map(url::Url::as_str)
    }

    fn service(&self, role: Role) -> Result<&str, Trouble> {
        let (key, name) = match role {
            Role::Api => ("api_service", self.resources.api_service.as_ref()),
            Role::Worker => ("worker_service", self.resources.worker_service.as_ref()),
        };
        self.named(key, name).map(String::as_str)
    }

    fn usual_minimum(&self, role: Role) -> Option<u32> {
        match role {
            Role::Api => self.resources.api_minimum,
            Role::Worker => self.resources.worker_minimum,
        }
    }
}

fn resource(cluster: &str, service: &str) -> String {
    format!("service/{cluster}/{service}")
}
