//! Switching regions: their states and the dials of the edge in front, also when one of the two is gone.

use std::net::SocketAddr;

use sales_local::{
    edge::{Backend, Dial, Edge},
    emulator::Emulator,
    resources::{Deployment, State},
    switch::{Target, switch},
};
use tokio::{net::TcpListener, sync::OnceCell};

static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

async fn deploy(prefix: &str) -> Deployment {
    let emulator = EMULATOR.get_or_init(async || Emulator::start(None).await.expect("an emulator")).await;
    Deployment::create(emulator.endpoint(), prefix).await.expect("a deployment")
}

/// An edge in front of no API at all, since only its dials matter here.
async fn edge(deployment: &Deployment) -> Edge {
    let listener = async || TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let backends = deployment.regions.iter().zip([Dial::FULL, Dial::OFF]);
    let backends = backends.map(|(region, dial)| Backend { region: region.name.clone(), address: nowhere, dial });
    Edge::start(listener().await, listener().await, backends.collect()).expect("an edge")
}

async fn states(deployment: &Deployment) -> [State; 2] {
    let [first, second] = &deployment.regions;
    [first.state().await.expect("a state"), second.state().await.expect("a state")]
}

fn dials(edge: &Edge) -> Vec<f32> {
    edge.endpoints().iter().map(|endpoint| endpoint.dial.percent()).collect()
}

fn only(region: &str) -> Target {
    Target::Only(region.to_owned())
}

#[tokio::test]
async fn a_switch_sets_the_states_and_turns_the_dials() {
    let deployment = deploy("switch").await;
    let edge = edge(&deployment).await;
    for (target, expected_states, expected_dials) in [
        (only("us-east-1"), [State::Passive, State::Active], [0.0, 100.0]),
        (Target::Both, [State::Active, State::Active], [100.0, 100.0]),
        (only("sa-east-1"), [State::Active, State::Passive], [100.0, 0.0]),
    ] {
        switch(&deployment, edge.control_endpoint(), &target, |_| {}).await.expect("it is switched");
        assert_eq!(states(&deployment).await, expected_states, "{target:?}");
        assert_eq!(dials(&edge), expected_dials, "{target:?}");
    }
}

#[tokio::test]
async fn a_region_becomes_active_before_anything_else_is_touched() {
    let deployment = deploy("order").await;
    let edge = edge(&deployment).await;
    let mut steps = Vec::new();
    switch(&deployment, edge.control_endpoint(), &only("us-east-1"), |step| steps.push(step)).await.expect("switched");
    assert_eq!(steps, ["us-east-1 is ACTIVE", "traffic: 100 % to us-east-1, 0 % to sa-east-1", "sa-east-1 is PASSIVE"]);
}

#[tokio::test]
async fn without_the_accelerator_the_states_are_switched_and_the_rest_is_told() {
    let deployment = deploy("alone").await;
    let edge = edge(&deployment).await;
    let gone = edge.control_endpoint().to_owned();
    drop(edge);
    let error = switch(&deployment, &gone, &only("us-east-1"), |_| {}).await.expect_err("there is no accelerator");
    assert!(error.to_string().starts_with("the traffic dials are not turned: listing accelerators"), "{error:#}");
    assert_eq!(states(&deployment).await, [State::Passive, State::Active]);
}

#[tokio::test]
async fn a_region_that_does_not_exist_is_refused_before_anything_is_touched() {
    let deployment = deploy("unknown").await;
    let edge = edge(&deployment).await;
    let error = switch(&deployment, edge.control_endpoint(), &only("mars"), |_| {}).await.expect_err("no such region");
    assert_eq!(error.to_string(), "there is no region mars, only sa-east-1 and us-east-1");
    assert_eq!(states(&deployment).await, [State::Active, State::Passive]);
}
