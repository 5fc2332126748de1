//! Takes the steps in order; a failed step is recorded, and holds up no step that is safe without it.

use std::{collections::BTreeMap, time::Duration};

use sales::site_state::SiteState;
use tokio::time::{Instant, sleep};

use super::{
    capacity::{Capacity, Need},
    plan::{Action, Step},
    progress::{Progress, StepOutcome},
    report::Report,
};
use crate::{
    cloud::{Cloud, RegionCloud, accelerator::Group, trouble::Trouble},
    interrupt::Interrupt,
};

/// Interval of checks for running tasks.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// What the steps need besides the plan.
pub(super) struct Setting {
    pub(super) cloud: Cloud,
    /// Regions whose state parameter does not exist: a write under a wrong name would create a parameter that no
    /// service reads.
    pub(super) without_parameter: BTreeMap<String, Trouble>,
    /// Maximum wait for tasks.
    pub(super) patience: Duration,
    /// The reason of the switch.
    pub(super) reason: Option<String>,
    /// Continue even if no region would be known to be ACTIVE.
    pub(super) force: bool,
}

/// Takes all steps that have something to do.
pub(super) async fn take(setting: &Setting, progress: &mut Progress, report: &Report, interrupt: &Interrupt) {
    let mut groups: Option<Result<Vec<Group>, Trouble>> = None;
    while let Some((position, step)) = progress.next() {
        let started = Instant::now();
        let outcome = tokio::select! {
            outcome = one(setting, progress, &step, &mut groups) => outcome,
            exit = interrupt.heard() => return progress.interrupt(exit),
        };
        progress.finish(position, outcome);
        report.step(progress, position, started.elapsed());
    }
}

async fn one(
    setting: &Setting,
    progress: &Progress,
    step: &Step,
    groups: &mut Option<Result<Vec<Group>, Trouble>>,
) -> StepOutcome {
    let Setting { cloud, without_parameter, reason, force, patience } = setting;
    if !force && let Some(reason) = reason_to_withhold(cloud, progress, step).await {
        return StepOutcome::Withheld(reason);
    }
    if step.is_so() {
        return StepOutcome::Already;
    }
    let done = match step.action {
        Action::Capacity(ref capacity) => raise(&cloud.regions[&step.region], capacity, *patience).await,
        Action::State { to, .. } => match without_parameter.get(&step.region) {
            Some(trouble) => Err(trouble.clone()),
            None => cloud.regions[&step.region].set_state(to, reason.as_deref()).await,
        },
        Action::Dial { to, .. } => {
            if groups.is_none() {
                *groups = Some(cloud.accelerator.groups().await);
            }
            match groups.as_ref() {
                Some(Ok(groups)) => turn(cloud, groups, &step.region, to).await,
                Some(Err(trouble)) => Err(trouble.clone()),
                None => Ok(()),
            }
        }
    };
    done.map_or_else(StepOutcome::NotDone, |()| StepOutcome::Done)
}

/// Why a step would make things worse: no region would be known to be ACTIVE.
async fn reason_to_withhold(cloud: &Cloud, progress: &Progress, step: &Step) -> Option<String> {
    if step.only_adds() {
        return None;
    }
    let active = progress.active();
    if active.is_empty() {
        return Some("no region is known to be ACTIVE".to_owned());
    }
    if !step.takes_work() {
        return None;
    }
    // Some time may have passed, and someone else may be switching, too.
    let mut reasons = Vec::new();
    for region in active {
        match cloud.regions[region].state().await {
            Ok(state) if state.site_state() == Some(SiteState::Active) => return None,
            Ok(state) => reasons.push(format!("{region} is now {}", state.value)),
            Err(trouble) => reasons.push(format!("{region} no longer responds ({trouble})")),
        }
    }
    Some(reasons.join(", "))
}

/// Starts the missing tasks, and waits until they run.
async fn raise(region: &RegionCloud, capacity: &Capacity, patience: Duration) -> Result<(), Trouble> {
    let (mut troubles, mut awaited) = (capacity.unknown.clone(), Vec::new());
    for need in capacity.short() {
        // A minimum that is raised already only needs time.
        let raised = if need.minimum < need.to { region.set_minimum(need.service, need.to).await } else { Ok(()) };
        match raised {
            Ok(()) => awaited.push(need),
            Err(trouble) => troubles.push(format!("{}: {trouble}", need.service.name())),
        }
    }
    troubles.extend(wait_for(region, &awaited, patience).await);
    if troubles.is_empty() { Ok(()) } else { Err(Trouble::new(troubles.join("; "))) }
}

/// Waits until these tasks run; returns what is missing when `patience` has passed.
async fn wait_for(region: &RegionCloud, awaited: &[&Need], patience: Duration) -> Option<String> {
    let started = Instant::now();
    while !awaited.is_empty() {
        let missing = match region.running_tasks().await {
            Ok(running) => {
                let missing =
                    awaited.iter().filter(|need| running.get(&need.service).is_none_or(|tasks| *tasks < need.to));
                let missing: Vec<_> = missing
                    .map(|need| {
                        let running = running.get(&need.service).copied().unwrap_or_default();
                        format!("{running} of {} {} tasks running", need.to, need.service.name())
                    })
                    .collect();
                missing.join(", ")
            }
            Err(trouble) => trouble.to_string(),
        };
        if missing.is_empty() {
            return None;
        }
        if started.elapsed() >= patience {
            return Some(format!("{missing} after {} s; the others are still starting", patience.as_secs()));
        }
        sleep(LOOK_AGAIN.min(patience)).await;
    }
    None
}

async fn turn(cloud: &Cloud, groups: &[Group], region: &str, percent: f32) -> Result<(), Trouble> {
    let groups: Vec<_> = groups.iter().filter(|group| group.region == region).collect();
    if groups.is_empty() {
        return Err(Trouble::new("the accelerator has no endpoint group in this region"));
    }
    for group in groups {
        cloud.accelerator.set_dial(group, percent).await?;
    }
    Ok(())
}
