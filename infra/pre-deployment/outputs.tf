output "key_arn" {
  description = "ARN of the primary of the environment's key."
  value       = module.key.arn
}

output "sales_table_arn" {
  description = "ARN of the sales table at home."
  value       = module.sales_table.arn
}

output "idempotency_table_arn" {
  description = "ARN of the idempotency table at home."
  value       = module.idempotency_table.arn
}

output "repositories" {
  description = "Addresses of the image repositories to which images are pushed, by service."
  value = {
    api    = module.registry.urls[module.names.api_repository]
    worker = module.registry.urls[module.names.worker_repository]
  }
}

output "execution_role_arn" {
  description = "ARN of the role by which ECS starts tasks."
  value       = module.execution_role.arn
}

output "github_role_arns" {
  description = "ARNs of the roles plan, apply and operator of GitHub's workflows; empty without github_repository."
  value       = merge([for github in values(module.github) : github.role_arns]...)
}

output "zone_id" {
  description = "Id of the zone of the pipeline's name."
  value       = aws_route53_zone.this.zone_id
}

output "name_servers" {
  description = "Name servers to which the domain above delegates."
  value       = aws_route53_zone.this.name_servers
}
