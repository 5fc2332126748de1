variable "endpoint" {
  description = "Global Accelerator's API."
  type        = string
}

variable "dials" {
  description = "The traffic dial of each region, in percent."
  type        = map(number)
}

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region                      = "us-west-2"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true

  endpoints {
    globalaccelerator = var.endpoint
  }
}

resource "aws_globalaccelerator_accelerator" "sales" {
  name = "sales"
  tags = { product = "sales" }

  attributes {
    flow_logs_enabled   = true
    flow_logs_s3_bucket = "flow-logs"
    flow_logs_s3_prefix = "sales/"
  }
}

resource "aws_globalaccelerator_listener" "sales" {
  accelerator_arn = aws_globalaccelerator_accelerator.sales.id
  client_affinity = "SOURCE_IP"
  protocol        = "TCP"

  port_range {
    from_port = 80
    to_port   = 80
  }

  port_range {
    from_port = 443
    to_port   = 443
  }
}

resource "aws_globalaccelerator_endpoint_group" "region" {
  for_each = var.dials

  listener_arn                  = aws_globalaccelerator_listener.sales.id
  endpoint_group_region         = each.key
  traffic_dial_percentage       = each.value
  health_check_interval_seconds = 10
  health_check_path             = "/healthcheck"
  health_check_port             = 8080
  health_check_protocol         = "HTTP"
  threshold_count               = 2

  endpoint_configuration {
    endpoint_id                    = "arn:aws:elasticloadbalancing:${each.key}:111122223333:loadbalancer/net/sales/0123456789abcdef"
    client_ip_preservation_enabled = true
    weight                         = 128
  }

  port_override {
    listener_port = 443
    endpoint_port = 8443
  }
}
