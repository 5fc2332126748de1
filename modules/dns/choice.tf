# The host of API Gateway for all regions follows a switch by health checks alone. No record depends on the map of states, so
# nothing has to be changed when a region is switched or lost, and Route 53's control plane, which is in us-east-1, is not
# needed.
#
#   api.DOMAIN
#   |- primary:   active.api.DOMAIN, the nearest region that is ACTIVE and ready
#   `- secondary: ready.api.DOMAIN, the nearest region that is ready, in whatever state: all accept sales
#
# If no region is either, Route 53 treats all records as healthy, from the primary on, and returns the nearest region.

locals {
  # Three locations on three continents, the minimum of Route 53. One that is isolated changes nothing: a region is healthy
  # while more than 18 % of the checkers report success.
  checkers = ["ap-southeast-1", "eu-west-1", "us-west-2"]

  questions = { active = "/active", ready = "/readiness" }

  checks = {
    for pair in setproduct(keys(local.questions), keys(var.regions)) : "${pair[0]}/${pair[1]}" => {
      host = var.regions[pair[1]].host
      path = local.questions[pair[0]]
    }
  }

  choices = {
    PRIMARY   = { name = "active.${var.api_host}", set_identifier = "active" }
    SECONDARY = { name = "ready.${var.api_host}", set_identifier = "ready" }
  }
}

# End to end: API Gateway, both load balancers, a task.
resource "aws_route53_health_check" "region" {
  for_each = local.checks

  type          = "HTTPS"
  fqdn          = each.value.host
  port          = 443
  resource_path = each.value.path
  # API Gateway selects the domain by the name in the TLS handshake.
  enable_sni = true
  regions    = local.checkers
  # Half a minute until a switch or a failure is detected.
  request_interval  = 10
  failure_threshold = 3

  tags = { Name = "${each.value.host}${each.value.path}" }
}

# Otherwise an ACTIVE region whose table fails would keep its clients and answer 503, while another one could accept the sale.
resource "aws_route53_health_check" "first_choice" {
  for_each = var.regions

  type                   = "CALCULATED"
  child_health_threshold = length(local.questions)
  child_healthchecks     = [for question in keys(local.questions) : aws_route53_health_check.region["${question}/${each.key}"].id]

  tags = { Name = "${each.value.host} is active and ready" }
}

resource "aws_route53_record" "active" {
  #checkov:skip=CKV2_AWS_23:It leads to the API Gateway of a region, which another stage has made
  for_each = var.regions

  zone_id         = var.zone_id
  name            = local.choices.PRIMARY.name
  type            = "A"
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.first_choice[each.key].id

  latency_routing_policy {
    region = each.key
  }

  alias {
    name                   = each.value.shared.domain_name
    zone_id                = each.value.shared.zone_id
    evaluate_target_health = true
  }
}

resource "aws_route53_record" "ready" {
  #checkov:skip=CKV2_AWS_23:It leads to the API Gateway of a region, which another stage has made
  for_each = var.regions

  zone_id         = var.zone_id
  name            = local.choices.SECONDARY.name
  type            = "A"
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.region["ready/${each.key}"].id

  latency_routing_policy {
    region = each.key
  }

  alias {
    name                   = each.value.shared.domain_name
    zone_id                = each.value.shared.zone_id
    evaluate_target_health = true
  }
}

resource "aws_route53_record" "api" {
  #checkov:skip=CKV2_AWS_23:It leads to the records above
  for_each = local.choices

  zone_id        = var.zone_id
  name           = var.api_host
  type           = "A"
  set_identifier = each.value.set_identifier

  failover_routing_policy {
    type = each.key
  }

  alias {
    name    = each.value.name
    zone_id = var.zone_id
    # Without it, the primary would be returned even if no region is ACTIVE.
    evaluate_target_health = true
  }

  # Route 53 rejects an alias to a name that does not exist.
  depends_on = [aws_route53_record.active, aws_route53_record.ready]
}
