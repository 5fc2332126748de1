mock_provider "aws" {
  mock_resource "aws_globalaccelerator_accelerator" {
    defaults = { arn = "arn:aws:globalaccelerator::111122223333:accelerator/1234abcd-abcd-1234-abcd-1234abcdefgh" }
  }
  mock_resource "aws_globalaccelerator_listener" {
    defaults = { arn = "arn:aws:globalaccelerator::111122223333:accelerator/1234abcd-abcd-1234-abcd-1234abcdefgh/listener/0123vxyz" }
  }
}

variables {
  name = "sales-dev"
  regions = {
    sa-east-1 = {
      load_balancer_arn = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:loadbalancer/net/sales-dev/0123456789abcdef"
      dial              = 100
    }
    us-east-1 = {
      load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/sales-dev/0123456789abcdef"
      dial              = 0
    }
  }
}

run "the_dial_is_the_switch_and_not_the_weight" {
  command = plan

  assert {
    condition     = { for name, group in aws_globalaccelerator_endpoint_group.region : name => group.traffic_dial_percentage } == { sa-east-1 = 100, us-east-1 = 0 }
    error_message = "a dial is not what was given"
  }

  assert {
    condition = alltrue([
      for group in aws_globalaccelerator_endpoint_group.region :
      length(group.endpoint_configuration) == 1 && one(group.endpoint_configuration).weight == 128
    ])
    error_message = "a PASSIVE region's endpoint must be as ready as the other's"
  }
}

run "each_endpoint_is_in_the_region_of_its_group" {
  command = plan

  assert {
    condition = alltrue([
      for name, group in aws_globalaccelerator_endpoint_group.region :
      group.endpoint_group_region == name && strcontains(one(group.endpoint_configuration).endpoint_id, ":${name}:")
    ])
    error_message = "an endpoint is in another region"
  }
}

run "only_tls_gets_in_and_the_client_stays_known" {
  command = plan

  assert {
    condition = (
      aws_globalaccelerator_listener.tls.protocol == "TCP" &&
      one(aws_globalaccelerator_listener.tls.port_range).from_port == 443 &&
      one(aws_globalaccelerator_listener.tls.port_range).to_port == 443
    )
    error_message = "another port is open"
  }

  assert {
    condition = alltrue([
      for group in aws_globalaccelerator_endpoint_group.region : one(group.endpoint_configuration).client_ip_preservation_enabled
    ])
    error_message = "the client's address is lost"
  }
}

run "an_accelerator_that_leads_nowhere_is_refused" {
  command = plan

  variables {
    regions = {
      sa-east-1 = {
        load_balancer_arn = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:loadbalancer/net/sales-dev/0123456789abcdef"
        dial              = 0
      }
    }
  }

  expect_failures = [var.regions]
}

run "a_load_balancer_of_another_region_is_refused" {
  command = plan

  variables {
    regions = {
      sa-east-1 = {
        load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/sales-dev/0123456789abcdef"
        dial              = 100
      }
    }
  }

  expect_failures = [var.regions]
}

run "more_than_all_is_refused" {
  command = plan

  variables {
    regions = {
      sa-east-1 = {
        load_balancer_arn = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:loadbalancer/net/sales-dev/0123456789abcdef"
        dial              = 101
      }
    }
  }

  expect_failures = [var.regions]
}
