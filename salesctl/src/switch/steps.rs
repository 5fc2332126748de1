//! Taking the steps, one after the other; what cannot be done is noted and holds up nothing that is safe without it.

use sales::site::SiteState;

use super::{
    plan::{Action, Step},
    report::{Outcome, Report},
};
use crate::{
    cloud::{
        Cloud,
        accelerator::Group,
        trouble::{Trouble, TroubleKind},
    },
    interrupt::Interrupt,
};

/// Takes all steps that are not so already.
pub(super) async fn take(cloud: &Cloud, report: &mut Report, force: bool, interrupt: &Interrupt) {
    let mut groups: Option<Result<Vec<Group>, Trouble>> = None;
    for position in 0..report.steps().len() {
        let step = report.steps()[position].clone();
        report.begin();
        let outcome = tokio::select! {
            outcome = one(cloud, report, &step, force, &mut groups) => outcome,
            exit = interrupt.heard() => {
                report.interrupted(exit);
                return;
            }
        };
        report.finish(position, outcome);
    }
}

async fn one(
    cloud: &Cloud,
    report: &Report,
    step: &Step,
    force: bool,
    groups: &mut Option<Result<Vec<Group>, Trouble>>,
) -> Outcome {
    if !force && let Some(reason) = reason_to_withhold(cloud, report, step).await {
        return Outcome::Withheld(reason);
    }
    if step.is_so() {
        return Outcome::Already;
    }
    let done = match step.action {
        Action::State { to, .. } => set_state(cloud, &step.region, to).await,
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

async fn set_state(cloud: &Cloud, region: &str, to: SiteState) -> Result<(), Trouble> {
    let region = &cloud.regions[region];
    // A parameter under a wrong name would be created, and nobody would ever read it.
    match region.state().await {
        Err(trouble) if matches!(trouble.kind(), TroubleKind::Missing | TroubleKind::NotSet) => Err(trouble),
        _ => region.set_state(to).await,
    }
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
