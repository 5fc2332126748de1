# The zone of the pipeline's name. Whoever owns the domain above delegates to its name servers, which are an output.

resource "aws_route53_zone" "this" {
  #checkov:skip=CKV2_AWS_38:whether the domain above is signed is not ours to say, and half a chain breaks all names
  #checkov:skip=CKV2_AWS_39:queries are logged in us-east-1 alone, and nothing here asks for them
  name    = var.domain
  comment = "${module.names.prefix}: the accelerator, and the API in front of all regions and of each."
}

# The certificates of all regions are validated by one and the same record, since they have the same names and account.
# It is owned here, so that no region takes it along when it goes; nobody waits here, because the zone may not be
# delegated yet.
resource "aws_acm_certificate" "this" {
  domain_name               = var.domain
  subject_alternative_names = ["*.${var.domain}"]
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # The wildcard has the same one.
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
