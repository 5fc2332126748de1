# How ECR makes the repositories to which it copies images, in another region than that of the originals: by a template
# that is there before the first image, since it changes none that exists. Without it, tags could be moved, and nothing
# would ever be deleted. A template of its own role is needed only for tags and keys of customers, and these have neither.

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

# What is scanned is a setting of a region's whole registry; a template knows none. Like replication, one environment to an
# account.
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
