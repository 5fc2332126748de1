# One accelerator for all regions. Its API is only in us-west-2, so the provider must be there.

locals {
  port = 443
}

resource "aws_globalaccelerator_accelerator" "this" {
  #checkov:skip=CKV_AWS_75:The load balancers and the VPCs log every connection with its client's address
  name = var.name
  # The load balancers have no IPv6 address.
  ip_address_type = "IPV4"
}

resource "aws_globalaccelerator_listener" "tls" {
  accelerator_arn = aws_globalaccelerator_accelerator.this.arn
  protocol        = "TCP"

  port_range {
    from_port = local.port
    to_port   = local.port
  }
}

resource "aws_globalaccelerator_endpoint_group" "region" {
  for_each = var.regions

  listener_arn          = aws_globalaccelerator_listener.tls.arn
  endpoint_group_region = each.key
  # The one switch: an endpoint's weight would only shift traffic between the endpoints of one region.
  traffic_dial_percentage = each.value.dial

  # Global Accelerator uses the health of the load balancer's target group. Set nevertheless: AWS fills in defaults, which
  # Terraform would report as drift.
  health_check_port             = local.port
  health_check_protocol         = "TCP"
  health_check_interval_seconds = 10
  threshold_count               = 3

  endpoint_configuration {
    endpoint_id = each.value.load_balancer_arn
    # The only endpoint of its group, so any weight above 0 means all traffic; 128 is AWS's default.
    weight = 128
    # For the firewall's rate limits and the access logs. The load balancer's security group must admit clients.
    client_ip_preservation_enabled = true
  }
}
