//! The regions of every run.

use sales::region::Region;

/// Number of regions.
pub const REGIONS: usize = 2;

/// Their names.
pub const NAMES: [&str; REGIONS] = ["sa-east-1", "us-east-1"];

/// A region's name as the services know it.
#[must_use]
pub fn region(number: usize) -> Region {
    NAMES[number].parse().expect("the name of a region")
}
