mock_provider "aws" {}

variables {
  repositories    = ["sales-dev/sales-api", "sales-dev/sales-worker"]
  account         = "111122223333"
  replica_regions = ["us-east-1", "eu-west-1"]
}

run "a_tag_means_one_image_for_ever_and_each_is_scanned" {
  command = plan

  assert {
    condition = length(aws_ecr_repository.this) == 2 && alltrue([
      for repository in aws_ecr_repository.this : repository.image_tag_mutability == "IMMUTABLE"
    ])
    error_message = "a tag could be moved"
  }

  assert {
    condition = alltrue([
      for repository in aws_ecr_repository.this : repository.image_scanning_configuration[0].scan_on_push
    ])
    error_message = "an image is not scanned"
  }

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.force_delete != true])
    error_message = "images are not deleted by the way"
  }
}

run "images_are_in_every_region" {
  command = plan

  assert {
    condition = (
      toset(aws_ecr_replication_configuration.this[0].replication_configuration[0].rule[0].destination[*].region)
      == toset(["us-east-1", "eu-west-1"])
    )
    error_message = "a region would have to ask another one for its images"
  }

  assert {
    condition = (
      toset(aws_ecr_replication_configuration.this[0].replication_configuration[0].rule[0].repository_filter[*].filter)
      == var.repositories
    )
    error_message = "nothing else in the registry is replicated"
  }
}

run "one_region_replicates_to_nobody" {
  command = plan

  variables {
    replica_regions = []
  }

  assert {
    condition     = length(aws_ecr_replication_configuration.this) == 0
    error_message = "ECR refuses a rule without a destination"
  }
}

run "old_images_go_but_none_that_runs" {
  command = plan

  assert {
    condition = alltrue([
      for lifecycle in aws_ecr_lifecycle_policy.this : jsondecode(lifecycle.policy).rules[0].selection.countNumber >= 50
    ])
    error_message = "each architecture counts as an image, and their index as another one"
  }
}

run "repositories_can_be_deleted_with_their_images" {
  command = plan

  variables {
    force_delete = true
  }

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.force_delete])
    error_message = "they would have to be emptied by hand"
  }
}
