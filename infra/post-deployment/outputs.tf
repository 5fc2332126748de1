output "states" {
  description = "The applied map of states: ACTIVE or PASSIVE for each region."
  value       = var.states
}

output "url" {
  description = "URL of Global Accelerator, for all regions."
  value       = local.url
}

output "api_url" {
  description = "URL of API Gateway, for all regions; DNS follows health checks."
  value       = "https://${module.names.api_host}"
}

output "dns" {
  description = "The DNS configuration of api_url: zone, name, the names of both choices, the health checks of each region, and all records."
  value = {
    zone_id       = data.terraform_remote_state.pre_deployment.outputs.zone_id
    host          = module.names.api_host
    choices       = module.dns.choices
    health_checks = module.dns.health_checks
    answers       = module.dns.answers
  }
}

output "accelerator_arn" {
  description = "ARN of the accelerator."
  value       = module.accelerator.arn
}

output "backup_vaults" {
  description = "Names of the backup vaults, by region."
  value = {
    (var.home_region)   = module.backup.vault
    (var.backup_region) = module.backup.copies_vault
  }
}

output "salesctl_toml" {
  description = "The configuration of salesctl, salesctl.toml."
  value       = local.salesctl_toml
}

locals {
  url = "https://${module.names.url_host}"

  # A JSON string is also a TOML string.
  salesctl_toml = join("\n", concat(
    [
      "url = ${jsonencode(local.url)}",
      "dns_url = ${jsonencode("https://${module.names.api_host}")}",
      "accelerator_arn = ${jsonencode(module.accelerator.arn)}",
      "pending_shards = ${var.pending_shards}",
      "pending_grace_seconds = ${var.pending_grace_seconds}",
    ],
    flatten([
      for region, deployment in local.deployments : [
        "",
        "[regions.${region}]",
        "api_url = ${jsonencode(deployment.api_url)}",
        "state_parameter = ${jsonencode(module.names.regions[region].state_parameter)}",
        "sales_table = ${jsonencode(module.names.regions[region].sales_table)}",
        "idempotency_table = ${jsonencode(module.names.regions[region].idempotency_table)}",
        "queue_url = ${jsonencode(deployment.queue_url)}",
        "dead_letter_queue_url = ${jsonencode(deployment.dead_letter_queue_url)}",
        "lake_bucket = ${jsonencode(module.names.regions[region].lake)}",
        "cluster = ${jsonencode(module.names.cluster)}",
        "api_service = ${jsonencode(module.names.api_service)}",
        "worker_service = ${jsonencode(module.names.worker_service)}",
        "api_minimum = ${var.compute.api.minimum}",
        "worker_minimum = ${var.compute.worker.minimum}",
      ]
    ]),
    [""],
  ))
}
