//! `lose` and `restore`: failures for drills.

pub(crate) mod control;

use sales_testbed::resources::REGIONS;
use serde::{Deserialize, Serialize};

use crate::{part::Part, stack::Stack};

/// A request of another command to the running instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    Lose(Part),
    Restore(Part),
}

impl Change {
    /// Executes the change, and returns what was done.
    pub(crate) async fn carry_out(self, stack: &Stack) -> anyhow::Result<String> {
        match self {
            Self::Lose(part) => Ok(lose(stack, part).await),
            Self::Restore(part) => restore(stack, part).await,
        }
    }
}

async fn lose(stack: &Stack, part: Part) -> String {
    match part {
        Part::Region(position) => {
            let name = REGIONS[position];
            if stack.site(position).await.lose().await {
                let endpoint = stack.aws_endpoint(position);
                format!("{name} is lost: its services are killed, its AWS endpoint {endpoint} refuses")
            } else {
                format!("{name} was lost before")
            }
        }
        Part::Ssm => {
            let mut lost = false;
            for position in 0..REGIONS.len() {
                lost |= stack.site(position).await.endpoint().lose_ssm();
            }
            if lost { "SSM is lost in every region: its calls are answered with 503" } else { "SSM was lost before" }
                .to_owned()
        }
        Part::Accelerator => {
            let mut api = stack.accelerator_api().await;
            if api.lose().await {
                format!("Global Accelerator's API is lost: {} refuses; the traffic goes on", api.url())
            } else {
                "Global Accelerator's API was lost before".to_owned()
            }
        }
    }
}

async fn restore(stack: &Stack, part: Part) -> anyhow::Result<String> {
    Ok(match part {
        Part::Region(position) => {
            let name = REGIONS[position];
            if stack.site(position).await.restore().await? {
                format!("{name} is restored: its AWS endpoint is open, its services serve")
            } else {
                format!("nothing of {name} was lost")
            }
        }
        Part::Ssm => {
            let mut restored = false;
            for position in 0..REGIONS.len() {
                restored |= stack.site(position).await.endpoint().restore_ssm();
            }
            if restored { "SSM is restored in every region" } else { "SSM was not lost" }.to_owned()
        }
        Part::Accelerator => {
            let mut api = stack.accelerator_api().await;
            if api.restore().await? {
                format!("Global Accelerator's API is restored: {} answers", api.url())
            } else {
                "Global Accelerator's API was not lost".to_owned()
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_by_the_names_of_the_command_line() {
        for (part, name) in [(Part::Region(1), "us-east-1"), (Part::Ssm, "ssm"), (Part::Accelerator, "accelerator")] {
            let text = serde_json::to_string(&Change::Lose(part)).expect("text");
            assert_eq!(text, format!(r#"{{"Lose":"{name}"}}"#));
            assert_eq!(serde_json::from_str::<Change>(&text).expect("a change"), Change::Lose(part));
        }
        assert!(serde_json::from_str::<Change>(r#"{"Lose":"mars-east-1"}"#).is_err());
    }
}
