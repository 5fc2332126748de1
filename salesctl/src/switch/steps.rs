//! Taking the steps, one after the other; what cannot be done is noted and holds up nothing that is safe without it.

use std::collections::BTreeMap;

use sales::site::SiteState;

use super::{
    plan::{Action, Step},
    report::{Outcome, Report},
};
use crate::{
    cloud::{Cloud, accelerator::Group, trouble::Trouble},
    interrupt::Interrupt,
};

/// What the steps need to know beside the plan.
pub(super) struct Setting {
    pub(super) cloud: Cloud,
    /// Regions whose state parameter does not exist: under a wrong name it would be created, and nobody would read it.
    pub(super) without_parameter: BTreeMap<String, Trouble>,
    /// Go on even if no region is known to be ACTIVE then.
    pub(super) force: bool,
}

/// Takes all steps that are not so already.
pub(super) async fn take(setting: &Setting, report: &mut Report, interrupt: &Interrupt) {
    let mut groups: Option<Result<Vec<Group>, Trouble>> = None;
    while let Some((position, step)) = report.next() {
        report.begin();
        let outcome = tokio::select! {
            outcome = one(setting, report, &step, &mut groups) => outcome,
            exit = interrupt.heard() => {
                report.interrupted(exit);
                return;
            }
        };
        report.finish(position, outcome);
    }
}

async fn one(
    setting: &Setting,
    report: &Report,
    step: &Step,
    groups: &mut Option<Result<Vec<Group>, Trouble>>,
) -> Outcome {
    let Setting { cloud, without_parameter, force } = setting;
    if !force && let Some(reason) = reason_to_withhold(cloud, report, step).await {
        return Outcome::Withheld(reason);
    }
    if step.is_so() {
        return Outcome::Already;
    }
    let done = match step.action {
        Action::State { to, .. } => match without_parameter.get(&step.region) {
            Some(trouble) => Err(trouble.clone()),
            None => cloud.regions[&step.region].set_state(to).await,
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
    done.map_or_else(Outcome::Owed, |()| Outcome::Done)
}

/// Why a step would make things worse: nobody who is known to be ACTIVE would be left.
async fn reason_to_withhold(cloud: &Cloud, report: &Report, step: &Step) -> Option<String> {
    if matches!(step.action, Action::State { to: SiteState::Active, .. }) {
        return None;
    }
    let active = report.active();
    if active.is_empty() {
        return Some("no region is known to be ACTIVE".to_owned());
    }
    if !step.takes_work() {
        return None;
    }
    // It may be a while since then, and somebody else may be switching, too.
    let mut reasons = Vec::new();
    for region in active {
        match cloud.regions[region].state().await {
            Ok(state) if state.site_state() == Some(SiteState::Active) => return None,
            Ok(state) => reasons.push(format!("{region} is {} by now", state.value)),
            Err(trouble) => reasons.push(format!("{region} does not answer any more ({trouble})")),
        }
    }
    Some(reasons.join(", "))
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
