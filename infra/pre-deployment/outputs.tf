output "key_arn" {
  description = "ARN of the environment's primary key."
  value       = module.key.arn
}

output "sales_table_arn" {
  description = "ARN of the sales table in the home region."
  value       = module.sales_table.arn
}

output "idempotency_table_arn" {
  description = "ARN of the idempotency table in the home region."
  value       = module.idempotency_table.arn
}

output "repositories" {
  description = "URLs of the repositories that images are pushed to, by service."
  value = {
    api    = module.registry.urls[module.names.api_repository]
    worker = module.registry.urls[module.names.worker_repository]
    lake   = module.registry.urls[module.names.lake_repository]
  }
}

output "execution_role_arn" {
  description = "ARN of the execution role of ECS tasks."
  value       = module.execution_role.arn
}

output "github_role_arns" {
  description = "ARNs of the roles plan, apply and operator of the GitHub workflows; empty without github_repository."
  value       = merge([for github in values(module.github) : github.role_arns]...)
}

output "zone_id" {
  description = "ID of the domain's hosted zone."
  value       = aws_route53_zone.this.zone_id
}

output "name_servers" {
  description = "Name servers that the parent zone must delegate to."
  value       = aws_route53_zone.this.name_servers
}

output "sign_in" {
  description = "The home region's user pool: issuer, IDs of pool and clients, and where tokens come from; null without one."
  value       = one(values(module.sign_in))
}
