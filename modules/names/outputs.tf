output "prefix" {
  description = "Prefix of all names: PROJECT-ENVIRONMENT."
  value       = local.prefix
}

output "regions" {
  description = "The names and ARNs in each region, by region."
  value       = local.regions
}

output "url_host" {
  description = "Host name of Global Accelerator, for all regions."
  value       = var.domain
}

output "api_host" {
  description = "Host name of API Gateway, for all regions; DNS follows health checks."
  value       = "api.${var.domain}"
}

output "cluster" {
  description = "Name of the ECS cluster, the same in each region."
  value       = local.prefix
}

output "api_service" {
  description = "Name of the API's ECS service, the same in each region."
  value       = "${local.prefix}-api"
}

output "worker_service" {
  description = "Name of the worker's ECS service, the same in each region."
  value       = "${local.prefix}-worker"
}

output "lake_service" {
  description = "Name of the ECS service that builds the lake's table, the same in each region."
  value       = "${local.prefix}-lake"
}

output "api_repository" {
  description = "Name of the API's image repository."
  value       = "${local.prefix}/sales-api"
}

output "worker_repository" {
  description = "Name of the worker's image repository."
  value       = "${local.prefix}/sales-worker"
}

output "lake_repository" {
  description = "Name of the image repository of the table's builder."
  value       = "${local.prefix}/sales-lake"
}

output "execution_role" {
  description = "Name of the execution role of ECS tasks."
  value       = "${local.prefix}-execution"
}

output "execution_role_arn" {
  description = "ARN of that role."
  value       = "arn:aws:iam::${var.account}:role/${local.prefix}-execution"
}

# https://docs.aws.amazon.com/sns/latest/dg/sns-cross-region-delivery.html: deliveries between regions use the principal of the
# opt-in region; between two of them, that of the queue's region. With only the wrong principal in a policy, messages are lost
# without an error.
output "sns_principals" {
  description = "Service principals of SNS for deliveries between these regions, for the policies of queues and keys."
  value = concat(["sns.amazonaws.com"], [
    for region in sort(setsubtract(var.regions, local.default_regions)) : "sns.${region}.amazonaws.com"
  ])
}
