output "dials" {
  description = "Global Accelerator's traffic dial of each region, in percent of the traffic that is nearest to it."
  value       = { for region, state in var.states : region => local.dial[state] }
}
