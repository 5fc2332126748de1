output "health_checks" {
  description = "IDs of each region's health checks: active and ready."
  value = {
    for region in keys(var.regions) : region => {
      for question in keys(local.questions) : question => aws_route53_health_check.region["${question}/${region}"].id
    }
  }
}

output "choices" {
  description = "Names of the first and the second choice behind api_host."
  value       = { first = local.choices.PRIMARY.name, second = local.choices.SECONDARY.name }
}

output "answers" {
  description = "Target, routing rule and health check of each record of the choices."
  value = {
    for record in concat(values(aws_route53_record.api), values(aws_route53_record.active), values(aws_route53_record.ready)) :
    "${record.name} ${record.set_identifier}" => {
      target       = one(record.alias).name
      health_check = record.health_check_id
      rules = concat(
        [for rule in record.failover_routing_policy : "failover ${rule.type}"],
        [for rule in record.latency_routing_policy : "latency ${rule.region}"],
        [for rule in record.weighted_routing_policy : "weight ${rule.weight}"],
      )
    }
  }
}
