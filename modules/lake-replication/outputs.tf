output "rules" {
  description = "Names of the rules of replication, which its metrics bear, by region of destination."
  value       = { for rule in local.rules : rule.region => "to-${rule.region}" }
}

output "prefix" {
  description = "What the keys of the objects begin with that are replicated."
  value       = local.prefix
}
