output "dials" {
  description = "Global Accelerator's traffic dial of each region, in percent of the traffic that is nearest to it."
  value       = { for region, state in var.states : region => local.share[state] }
}

output "record_weights" {
  description = "Weight of each region's record in Route 53, relative to those of the others."
  value       = { for region, state in var.states : region => local.share[state] }
}
