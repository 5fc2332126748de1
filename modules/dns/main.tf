# The names that clients use. Only A records: neither the accelerator nor a regional API Gateway has an IPv6 address here.

resource "aws_route53_record" "accelerator" {
  zone_id = var.zone_id
  name    = var.domain
  type    = "A"

  alias {
    name    = var.accelerator.dns_name
    zone_id = var.accelerator.zone_id
    # There is nothing else that could be answered.
    evaluate_target_health = false
  }
}

# Each region by itself: for its health check, for operators, and for API Gateway's own way to the load balancer.
resource "aws_route53_record" "region" {
  #checkov:skip=CKV2_AWS_23:It leads to the API Gateway of a region, which another stage has made
  for_each = var.regions

  zone_id = var.zone_id
  name    = each.value.host
  type    = "A"

  alias {
    name                   = each.value.own.domain_name
    zone_id                = each.value.own.zone_id
    evaluate_target_health = false
  }
}

# All the way through: API Gateway, both load balancers, a task. It does not tell ACTIVE from PASSIVE.
resource "aws_route53_health_check" "region" {
  for_each = var.regions

  type              = "HTTPS"
  fqdn              = each.value.host
  port              = 443
  resource_path     = "/healthcheck"
  enable_sni        = true
  request_interval  = 30
  failure_threshold = 3

  tags = { Name = each.value.host }
}

resource "aws_route53_record" "api" {
  #checkov:skip=CKV2_AWS_23:It leads to the API Gateway of a region, which another stage has made
  for_each = var.regions

  zone_id         = var.zone_id
  name            = var.api_host
  type            = "A"
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.region[each.key].id

  weighted_routing_policy {
    weight = each.value.weight
  }

  alias {
    name    = each.value.shared.domain_name
    zone_id = each.value.shared.zone_id
    # The health check sees more than API Gateway itself.
    evaluate_target_health = false
  }
}
