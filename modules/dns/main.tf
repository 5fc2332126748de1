# DNS names for clients. Only A records: neither the accelerator nor a regional API Gateway has an IPv6 address here.

resource "aws_route53_record" "accelerator" {
  zone_id = var.zone_id
  name    = var.domain
  type    = "A"

  alias {
    name    = var.accelerator.dns_name
    zone_id = var.accelerator.zone_id
    # There is no alternative target.
    evaluate_target_health = false
  }
}

# Each region's own host: for its health checks, for operators, and as API Gateway's backend.
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
