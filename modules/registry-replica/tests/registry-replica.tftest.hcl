mock_provider "aws" {}

variables {
  prefix = "sales-dev"
}

run "copies_are_kept_as_the_originals_are" {
  command = plan

  assert {
    condition = (
      toset(aws_ecr_repository_creation_template.this.applied_for) == toset(["REPLICATION"])
      && aws_ecr_repository_creation_template.this.image_tag_mutability == "IMMUTABLE"
    )
    error_message = "a tag could be moved in one region"
  }

  assert {
    condition = (
      jsondecode(aws_ecr_repository_creation_template.this.lifecycle_policy).rules[0].selection.countNumber >= 50
    )
    error_message = "old images stay for ever, or what runs is deleted"
  }

  assert {
    condition = (
      aws_ecr_repository_creation_template.this.custom_role_arn == null
      && length(coalesce(aws_ecr_repository_creation_template.this.resource_tags, {})) == 0
      && aws_ecr_repository_creation_template.this.encryption_configuration[0].encryption_type == "AES256"
    )
    error_message = "tags and keys of customers need a role of the template's, without which no repository is made"
  }

  assert {
    condition = one(aws_ecr_registry_scanning_configuration.this.rule[*].scan_frequency) == "SCAN_ON_PUSH" && one(
      flatten([for rule in aws_ecr_registry_scanning_configuration.this.rule : rule.repository_filter[*].filter])
    ) == "sales-dev/*"
    error_message = "a copy is not scanned"
  }
}

run "a_prefix_with_a_slash_would_match_nothing" {
  command = plan

  variables {
    prefix = "sales-dev/"
  }

  expect_failures = [var.prefix]
}
