//! Reads a service's metrics.

use anyhow::Context;

/// The value of a counter or a gauge in OpenMetrics text, summed over its labels; `None` if it is missing.
pub async fn counter(client: &reqwest::Client, endpoint: &str, name: &str) -> anyhow::Result<Option<u64>> {
    let answer = client.get(format!("{endpoint}/metrics")).send().await?.error_for_status()?;
    Ok(sum_samples(&answer.text().await.context("the metrics broke off")?, name))
}

fn sum_samples(metrics: &str, name: &str) -> Option<u64> {
    let samples = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = if rest.starts_with('{') { end_of_labels(rest)? } else { rest.strip_prefix(' ')? };
        rest.split_whitespace().next()?.parse::<f64>().ok()
    });
    // Counts of sales are far below the point where floats lose integers.
    samples.map(|value| value as u64).reduce(|one, other| one + other)
}

/// The text after the labels, whose quoted values may contain braces.
fn end_of_labels(labels: &str) -> Option<&str> {
    let (mut quoted, mut escaped) = (false, false);
    for (position, character) in labels.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Some(&labels[position + 1..]),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels() {
        let metrics = "# TYPE sales_accepted counter\n\
                       sales_accepted_total{kind=\"new\"} 40\n\
                       sales_accepted_total{kind=\"a } \\\" b\"} 2.0 1700000000 # {trace=\"1\"} 1\n\
                       sales_accepted_total_of_others 7\n\
                       # EOF\n";
        assert_eq!(sum_samples(metrics, "sales_accepted_total"), Some(42));
    }

    #[test]
    fn a_counter_without_labels_is_read_and_a_missing_one_is_told() {
        assert_eq!(sum_samples("sales_accepted_total 3\n", "sales_accepted_total"), Some(3));
        assert_eq!(sum_samples("# EOF\n", "sales_accepted_total"), None);
    }
}
