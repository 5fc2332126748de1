//! CPU pinning: a service under measurement shares no core with the load and the AWS endpoint.

use anyhow::{Context, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of the services, and those of everything else.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    services: CpuSet,
    others: CpuSet,
}

impl Cores {
    /// Reserves the first `count` cores of this process for the services, and moves this thread, and the processes that
    /// it starts, to the others. With all cores, nothing is pinned.
    ///
    /// # Errors
    /// If there are fewer.
    pub(crate) fn divide(count: u16) -> anyhow::Result<Self> {
        let all = sched_getaffinity(None).context("cannot read the cores of this machine")?;
        let (services, others) = divide(&all, usize::from(count))?;
        sched_setaffinity(None, &others).context("cannot pin this process to some of its cores")?;
        Ok(Self { services, others })
    }

    /// Runs `start` so that the process it starts runs on the cores of the services.
    ///
    /// # Errors
    /// Those of `start`.
    pub(crate) fn for_service<T>(&self, start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        sched_setaffinity(None, &self.services)?;
        let started = start();
        sched_setaffinity(None, &self.others)?;
        started
    }
}

fn divide(all: &CpuSet, count: usize) -> anyhow::Result<(CpuSet, CpuSet)> {
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
    if count > cores.len() {
        bail!("--cores {count} is more than the {} that this machine has", cores.len());
    }
    if cores.len() == 1 {
        bail!("this machine has only one core, and the services need a separate one");
    }
    if count == cores.len() {
        return Ok((*all, *all));
    }
    let set = |cores: &[usize]| {
        let mut set = CpuSet::new();
        cores.iter().for_each(|core| set.set(*core));
        set
    };
    let (services, others) = cores.split_at(count);
    Ok((set(services), set(others)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_share_no_core_unless_they_get_all() {
        let mut all = CpuSet::new();
        [1, 4, 5].into_iter().for_each(|core| all.set(core));
        let numbers = |set: CpuSet| (0..8).filter(|core| set.is_set(*core)).collect::<Vec<_>>();
        let divided = |count| divide(&all, count).map(|(services, others)| (numbers(services), numbers(others)));
        assert_eq!(divided(1).unwrap(), (vec![1], vec![4, 5]));
        assert_eq!(divided(2).unwrap(), (vec![1, 4], vec![5]));
        assert_eq!(divided(3).unwrap(), (vec![1, 4, 5], vec![1, 4, 5]));
        assert!(divided(4).is_err());
    }

    #[test]
    fn a_machine_of_one_core_is_refused() {
        let mut all = CpuSet::new();
        all.set(0);
        assert!(divide(&all, 1).unwrap_err().to_string().contains("one core"));
    }
}
