output "rules" {
  description = "Names of the replication rules, as in metrics, by destination region."
  value       = { for rule in local.rules : rule.region => "to-${rule.region}" }
}

output "prefix" {
  description = "Prefix of the replicated objects' keys."
  value       = local.prefix
}
