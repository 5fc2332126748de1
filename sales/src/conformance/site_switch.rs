//! The switch: the operator's setting for a region.

use super::{Ports, Regions};
use crate::ports::{FailureKind, SiteSwitch};
use crate::site_state::SiteState;

/// Each region has its own.
pub async fn the_switch_says_what_is_set(regions: &Regions<impl Ports>) {
    for (here, there) in [(SiteState::Active, SiteState::Passive), (SiteState::Passive, SiteState::Active)] {
        regions.here.set_state(Some(here)).await;
        regions.there.set_state(Some(there)).await;
        assert_eq!(regions.here.site_switch().read().await.expect("read"), here);
        assert_eq!(regions.there.site_switch().read().await.expect("read"), there);
    }
}

/// And neither ACTIVE, PASSIVE, nor merely unavailable.
pub async fn a_switch_that_is_not_there_is_missing(regions: &Regions<impl Ports>) {
    regions.here.set_state(None).await;
    let error = regions.here.site_switch().read().await.expect_err("there is nothing to read");
    assert_eq!(error.kind, FailureKind::Missing, "{error}");
}
