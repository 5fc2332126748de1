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
      weight = 100
    }
    us-east-1 = {
      host   = "api-us-east-1.sales.example.com"
      own    = { domain_name = "d-bbbbbbbbb1.execute-api.us-east-1.amazonaws.com", zone_id = "Z1UJRXOUMOOFQ8" }
      shared = { domain_name = "d-bbbbbbbbb2.execute-api.us-east-1.amazonaws.com", zone_id = "Z1UJRXOUMOOFQ8" }
      weight = 0
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

run "the_shared_host_leads_to_each_region_by_its_weight" {
  command = plan

  assert {
    condition     = { for name, record in aws_route53_record.api : name => one(record.weighted_routing_policy).weight } == { sa-east-1 = 100, us-east-1 = 0 }
    error_message = "a weight is not what was given"
  }

  assert {
    condition = alltrue([
      for name, record in aws_route53_record.api :
      record.name == "api.sales.example.com" && record.set_identifier == name && strcontains(one(record.alias).name, ".${name}.")
    ])
    error_message = "a record leads to another region"
  }
}

run "a_region_is_checked_all_the_way_by_its_own_host" {
  command = plan

  assert {
    condition = alltrue([
      for name, check in aws_route53_health_check.region :
      check.type == "HTTPS" && check.fqdn == "api-${name}.sales.example.com" && check.resource_path == "/healthcheck"
    ])
    error_message = "the health check asks something else"
  }

  assert {
    condition = alltrue([
      for name, record in aws_route53_record.region :
      record.name == "api-${name}.sales.example.com" && length(record.weighted_routing_policy) == 0
    ])
    error_message = "a region's own host must not depend on its weight"
  }

  assert {
    condition = alltrue([
      for name, record in aws_route53_record.region :
      one(record.alias).name == var.regions[name].own.domain_name && one(record.alias).name != one(aws_route53_record.api[name].alias).name
    ])
    error_message = "API Gateway answers each host at an address of its own"
  }
}

run "an_unhealthy_region_is_left_out" {
  assert {
    condition     = alltrue([for name, record in aws_route53_record.api : record.health_check_id == output.health_checks[name]])
    error_message = "a record is answered whatever its region's health"
  }
}

run "records_that_lead_nowhere_are_refused" {
  command = plan

  variables {
    regions = {
      sa-east-1 = {
        host   = "api-sa-east-1.sales.example.com"
        own    = { domain_name = "d-aaaaaaaaa1.execute-api.sa-east-1.amazonaws.com", zone_id = "ZCMLWB8V5SYIT" }
        shared = { domain_name = "d-aaaaaaaaa2.execute-api.sa-east-1.amazonaws.com", zone_id = "ZCMLWB8V5SYIT" }
        weight = 0
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
