mock_provider "aws" {}

variables {
  zone_id     = "Z0123456789ABCDEFGHIJ"
  domain      = "sales.example.com"
  api_host    = "api.sales.example.com"
  accelerator = { dns_name = "a1234567890abcdef.awsglobalaccelerator.com", zone_id = "Z2BJ6XQ5FK7U4H" }
  regions = {
    sa-east-1 = {
      host   = "api-sa-east-1.sales.example.com"
      own    = { domain_name = "d-aaaaaaaaa1.execute-api.sa-east-1.amazonaws.com", zone_id = "ZCMLWB8V5SYIT" }
      shared = { domain_name = "d-aaaaaaaaa2.execute-api.sa-east-1.amazonaws.com", zone_id = "ZCMLWB8V5SYIT" }
    }
    us-east-1 = {
      host   = "api-us-east-1.sales.example.com"
      own    = { domain_name = "d-bbbbbbbbb1.execute-api.us-east-1.amazonaws.com", zone_id = "Z1UJRXOUMOOFQ8" }
      shared = { domain_name = "d-bbbbbbbbb2.execute-api.us-east-1.amazonaws.com", zone_id = "Z1UJRXOUMOOFQ8" }
    }
  }
}

run "the_domain_leads_to_the_accelerator" {
  command = plan

  assert {
    condition = (
      aws_route53_record.accelerator.name == "sales.example.com" &&
      one(aws_route53_record.accelerator.alias).name == "a1234567890abcdef.awsglobalaccelerator.com"
    )
    error_message = "the domain leads elsewhere"
  }
}

run "the_first_choice_is_what_is_active_and_the_second_what_is_ready" {
  command = plan

  assert {
    condition = { for type, record in aws_route53_record.api : one(record.failover_routing_policy).type => one(record.alias).name } == {
      PRIMARY   = "active.api.sales.example.com"
      SECONDARY = "ready.api.sales.example.com"
    }
    error_message = "the shared host lacks a choice, or has them the other way round"
  }

  assert {
    condition = alltrue([
      for record in aws_route53_record.api :
      record.name == "api.sales.example.com" && record.type == "A" && one(record.alias).zone_id == var.zone_id
    ])
    error_message = "a choice is another name's"
  }

  assert {
    condition = alltrue(flatten([
      for name, records in { active = aws_route53_record.active, ready = aws_route53_record.ready } : [
        for region, record in records :
        record.name == "${name}.api.sales.example.com" && record.set_identifier == region
        && one(record.latency_routing_policy).region == region
        && one(record.alias).name == var.regions[region].shared.domain_name
      ]
    ]))
    error_message = "a record leads to another region, or to a domain that does not answer the shared host"
  }

  assert {
    condition = (
      toset(keys(aws_route53_record.active)) == toset(keys(var.regions))
      && toset(keys(aws_route53_record.ready)) == toset(keys(var.regions))
    )
    error_message = "each region may be either choice, whatever its state"
  }
}

run "the_target_s_health_decides_all_the_way_up" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for records in [aws_route53_record.api, aws_route53_record.active, aws_route53_record.ready] : [
        for record in records : one(record.alias).evaluate_target_health
      ]
    ]))
    error_message = "an alias without evaluate_target_health is answered although nothing behind it is healthy"
  }

  assert {
    condition = alltrue(flatten([
      for records in [aws_route53_record.api, aws_route53_record.active, aws_route53_record.ready] : [
        for record in records : length(record.weighted_routing_policy) == 0
      ]
    ]))
    error_message = "a weight would have to be changed at a switch"
  }
}

run "a_region_is_asked_for_its_state_and_its_readiness_by_its_own_host" {
  command = plan

  assert {
    condition = {
      for name, check in aws_route53_health_check.region : name => "${check.type} ${check.fqdn} ${check.resource_path}"
      } == {
      "active/sa-east-1" = "HTTPS api-sa-east-1.sales.example.com /active"
      "active/us-east-1" = "HTTPS api-us-east-1.sales.example.com /active"
      "ready/sa-east-1"  = "HTTPS api-sa-east-1.sales.example.com /readiness"
      "ready/us-east-1"  = "HTTPS api-us-east-1.sales.example.com /readiness"
    }
    error_message = "the health checks ask something else"
  }

  assert {
    condition     = alltrue([for check in aws_route53_health_check.region : check.enable_sni && check.port == 443])
    error_message = "without the name in the handshake, API Gateway does not know its domain, and all regions are unhealthy"
  }

  assert {
    condition = alltrue([
      for check in aws_route53_health_check.region :
      length(check.regions) >= 3 && check.request_interval * check.failure_threshold <= 30 && check.invert_healthcheck != true
    ])
    error_message = "a switch is noticed within half a minute, by checkers in three places or more"
  }
}

run "a_region_s_own_host_depends_on_nothing" {
  command = plan

  assert {
    condition = alltrue([
      for name, record in aws_route53_record.region :
      record.name == "api-${name}.sales.example.com" && record.health_check_id == null
      && length(record.failover_routing_policy) + length(record.latency_routing_policy) == 0
    ])
    error_message = "a health check would depend on itself"
  }

  assert {
    condition = alltrue([
      for name, record in aws_route53_record.region :
      one(record.alias).name == var.regions[name].own.domain_name && one(record.alias).name != one(aws_route53_record.active[name].alias).name
    ])
    error_message = "API Gateway answers each host at an address of its own"
  }
}

run "each_choice_has_the_health_that_it_is_named_for" {
  assert {
    condition = alltrue([
      for region, record in aws_route53_record.ready : record.health_check_id == output.health_checks[region].ready
    ])
    error_message = "a region that is not ready is a second choice, or one that is ready is none"
  }

  assert {
    condition = alltrue([
      for region, record in aws_route53_record.active : record.health_check_id == aws_route53_health_check.first_choice[region].id
    ])
    error_message = "the first choice has another region's health"
  }

  assert {
    condition = alltrue([
      for region, check in aws_route53_health_check.first_choice :
      check.type == "CALCULATED" && check.child_health_threshold == 2
      && toset(check.child_healthchecks) == toset(values(output.health_checks[region]))
    ])
    error_message = "a region that is ACTIVE and cannot take sales must not keep clients from one that can"
  }
}

run "no_region_is_refused" {
  command = plan

  variables {
    regions = {}
  }

  expect_failures = [var.regions]
}

run "a_health_check_of_the_name_that_it_decides_about_is_refused" {
  command = plan

  variables {
    regions = {
      sa-east-1 = {
        host   = "api.sales.example.com"
        own    = { domain_name = "d-aaaaaaaaa1.execute-api.sa-east-1.amazonaws.com", zone_id = "ZCMLWB8V5SYIT" }
        shared = { domain_name = "d-aaaaaaaaa2.execute-api.sa-east-1.amazonaws.com", zone_id = "ZCMLWB8V5SYIT" }
      }
    }
  }

  expect_failures = [var.regions]
}

run "a_host_without_a_certificate_is_refused" {
  command = plan

  variables {
    api_host = "api.example.com"
  }

  expect_failures = [var.api_host]
}
