# A template for the repositories that ECR creates for replicated images. It must exist before the first image, since it does
# not change existing repositories. Without it, tags would be mutable, and images would never be deleted. A role is needed only
# for templates with tags or customer-managed keys.

resource "aws_ecr_repository_creation_template" "this" {
  #checkov:skip=CKV_AWS_136:an image holds no secret, and a key that does not answer would keep tasks from starting
  prefix               = var.prefix
  description          = "Copies of the images of ${var.prefix}."
  applied_for          = ["REPLICATION"]
  image_tag_mutability = "IMMUTABLE"
  lifecycle_policy     = file("${path.module}/../registry/lifecycle.json")

  encryption_configuration {
    encryption_type = "AES256"
  }
}

# Scanning is a setting of a region's whole registry, not of a template. As for replication, an account has one environment.
resource "aws_ecr_registry_scanning_configuration" "this" {
  scan_type = "BASIC"

  rule {
    scan_frequency = "SCAN_ON_PUSH"

    repository_filter {
      filter      = "${var.prefix}/*"
      filter_type = "WILDCARD"
    }
  }
}
