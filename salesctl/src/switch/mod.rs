//! `switch`: selects the region that processes sales and gets the traffic.
//!
//! A region becomes ACTIVE by an action in that region alone; a step that fails, because the other region or a control
//! plane is lost, is reported as not done, and repeating the command tries it again. No region is made PASSIVE before
//! another one is known to be ACTIVE. DNS follows the regions' states automatically, and is only checked.

pub(crate) mod capacity;
mod drain;
mod entrance;
mod plan;
mod progress;
mod report;
mod situation;
mod steps;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};

use crate::{
    cloud::{
        Cloud, reason,
        services::Services,
        trouble::{Trouble, TroubleKind},
    },
    config::{Config, ConfigOptions, InvalidConfig},
    exit::Exit,
    interrupt::Interrupt,
    output::{self, Format},
    prompt,
};
use plan::Step;
use progress::Progress;
use report::Report;
use situation::{Before, Target};
use steps::Setting;

const EXAMPLES: &str = "\
Examples:
  salesctl switch --to us-east-1 --dry-run     show the plan
  salesctl switch --to us-east-1               ask, then switch
  salesctl switch --to us-east-1 --yes --wait  do not ask; wait until nothing is pending and DNS follows
  salesctl switch --both                       both regions process and get traffic
  salesctl switch --both --reason 'more load'  with a reason, shown by `salesctl history`

Exit code 2: some steps were not done. Repeat the command to complete them. No sale is lost meanwhile.";

/// Options of `switch`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group(ArgGroup::new("target").required(true).args(["to", "both", "none"])))]
pub(crate) struct SwitchOptions {
    /// This region alone processes sales and gets the traffic
    #[arg(long, value_name = "REGION")]
    to: Option<String>,
    /// Every region processes sales and gets traffic
    #[arg(long)]
    both: bool,
    /// No region processes sales: they are accepted and wait; needs --force
    #[arg(long)]
    none: bool,
    /// Reason in one line, stored with the changed states and shown by `salesctl history`
    #[arg(long, value_name = "TEXT", value_parser = reason::parse)]
    reason: Option<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait until no sale from before the switch is pending and DNS answers with the target
    #[arg(long)]
    wait: bool,
    /// Maximum time to wait with --wait
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Maximum wait for the target's tasks before it gets traffic; remaining tasks start in the background
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    capacity_timeout: u64,
    /// Continue even if no region would be known to process sales
    #[arg(long)]
    force: bool,
}

impl SwitchOptions {
    fn target(&self) -> Target {
        match &self.to {
            Some(region) => Target::Only(region.clone()),
            None if self.both => Target::All,
            None => Target::None,
        }
    }
}

/// Switches, and reports each step.
pub(crate) async fn switch(
    place: &ConfigOptions,
    format: Format,
    options: &SwitchOptions,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let target = options.target();
    if let Target::Only(region) = &target {
        config.selected(Some(region))?;
    }
    if target == Target::None && !options.force {
        return Err(InvalidConfig::new(
            "this would leave no region ACTIVE: sales would be accepted and wait. To confirm, pass \
             --none --force",
        )
        .into());
    }
    let Prepared { cloud, services, before, without_parameter, remarks, warnings } =
        interrupt.unless_heard(prepare(&config, &target)).await??;
    let plan = plan::steps(&target, &before, config.accelerator_arn.is_some());
    let nothing_to_do = plan.iter().all(Step::is_so);
    let mut progress = Progress::new(target, plan, options.wait);
    let report = Report::new(format);
    report.plan(&progress, &remarks);
    for warning in &warnings {
        output::progress(format, format_args!("warning: {warning}"));
    }
    if options.dry_run {
        report.dry_run(&progress)?;
        return Ok(Exit::Done);
    }
    if !warnings.is_empty() && !options.force && !nothing_to_do {
        bail!(
            "nothing was done: no region would be known to process sales. Fix the region, choose another one, \
             or pass --force"
        );
    }
    if !options.yes && !nothing_to_do && !interrupt.unless_heard(prompt::confirm("Proceed?")).await?? {
        bail!("nothing was done");
    }
    let setting = Setting {
        cloud,
        without_parameter,
        patience: Duration::from_secs(options.capacity_timeout),
        reason: options.reason.clone(),
        force: options.force,
    };
    steps::take(&setting, &mut progress, &report, interrupt).await;
    if progress.went_on() && *progress.target() != Target::None {
        let timeout = options.wait.then(|| Duration::from_secs(options.timeout));
        drain::look_or_wait((&setting.cloud, &services), &mut progress, &report, timeout, interrupt).await;
    }
    report.end(&progress)?;
    progress.exit().context("nothing was changed: see above")
}

/// The situation before the first step.
struct Prepared {
    cloud: Cloud,
    services: Services,
    before: BTreeMap<String, Before>,
    /// Regions whose state parameter does not exist.
    without_parameter: BTreeMap<String, Trouble>,
    /// Why values are unknown.
    remarks: Vec<String>,
    /// Why the target may not be able to process sales.
    warnings: Vec<String>,
}

async fn prepare(config: &Config, target: &Target) -> anyhow::Result<Prepared> {
    let (cloud, services) = (Cloud::open(config).await?, Services::new());
    let regions = cloud.regions.values().map(async |region| {
        let key = region.key("worker_url");
        let worker_url = region.resources.worker_url.as_ref();
        let (state, worker, fleet) = tokio::join!(region.state(), services.ask(&key, worker_url), region.fleet());
        (region.name.clone(), state, worker, fleet)
    });
    let (groups, regions) = tokio::join!(cloud.accelerator.groups(), futures::future::join_all(regions));
    let (mut remarks, mut troubles) = (Vec::new(), Vec::new());
    let groups = groups.unwrap_or_else(|trouble| {
        let effect = if trouble.kind() == TroubleKind::NotSet { "left unchanged" } else { "trying anyway" };
        remarks.push(format!("traffic dials: {trouble}; {effect}"));
        Vec::new()
    });
    let (mut before, mut without_parameter) = (BTreeMap::new(), BTreeMap::new());
    for (name, state, worker, fleet) in regions {
        let dials = groups.iter().filter(|group| group.region == name).map(|group| group.dial);
        let dial = dials.min_by(f32::total_cmp);
        let state = match state {
            Ok(state) => Some(state.value),
            Err(trouble) => {
                remarks.push(format!("state of {name}: {trouble}"));
                if matches!(trouble.kind(), TroubleKind::Missing | TroubleKind::NotSet) {
                    without_parameter.insert(name.clone(), trouble);
                }
                None
            }
        };
        if target.includes(&name)
            && let Err(trouble) = worker
            && trouble.kind() != TroubleKind::NotSet
        {
            troubles.push(format!("the worker of {name} does not answer ({trouble})"));
        }
        before.insert(name, Before { state, dial, fleet });
    }
    // One worker that responds is enough.
    let targets = before.keys().filter(|region| target.includes(region)).count();
    let warnings = if troubles.len() == targets { troubles } else { Vec::new() };
    Ok(Prepared { cloud, services, before, without_parameter, remarks, warnings })
}
