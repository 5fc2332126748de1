# The hosted zone of the domain. The parent zone must delegate to its name servers, which are an output.

resource "aws_route53_zone" "this" {
  #checkov:skip=CKV2_AWS_38:whether the domain above is signed is not ours to say, and half a chain breaks all names
  #checkov:skip=CKV2_AWS_39:queries are logged in us-east-1 alone, and nothing here asks for them
  name    = var.domain
  comment = "${module.names.prefix}: the accelerator, and the API in front of all regions and of each."
}

# One record validates the certificates of all regions, since they have the same names and account. It is created here, so that
# removing a region does not remove it; validation is not awaited here, because the zone may not be delegated to yet.
resource "aws_acm_certificate" "this" {
  domain_name               = var.domain
  subject_alternative_names = ["*.${var.domain}"]
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # The same record validates the wildcard.
  validation = one([
    for option in aws_acm_certificate.this.domain_validation_options : option if option.domain_name == var.domain
  ])
}

resource "aws_route53_record" "validation" {
  zone_id = aws_route53_zone.this.zone_id
  name    = local.validation.resource_record_name
  type    = local.validation.resource_record_type
  ttl     = 300
  records = [local.validation.resource_record_value]
}
