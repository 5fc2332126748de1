mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/sales-dev-backup" }
  }
  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:sa-east-1:111122223333:backup-vault:sales-dev" }
  }
}

mock_provider "aws" {
  alias = "copies"

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-west-2:111122223333:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:us-west-2:111122223333:backup-vault:sales-dev-copies" }
  }
}

variables {
  name    = "sales-dev"
  account = "111122223333"
  key_arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-00000000000000000000000000000000"
  resources = [
    "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales",
    "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1",
  ]
}

run "a_month_is_kept_for_three_years_in_the_other_region" {
  assert {
    condition = one([
      for rule in aws_backup_plan.this.rule : one(one(rule.copy_action).lifecycle).delete_after if rule.rule_name == "monthly"
    ]) == 1095
    error_message = "the copies are not kept for three years"
  }

  assert {
    condition = alltrue([
      for rule in aws_backup_plan.this.rule : one(rule.copy_action).destination_vault_arn == aws_backup_vault.copies.arn
    ])
    error_message = "a rule's copies are not in the other region"
  }

  assert {
    condition     = aws_backup_vault.copies.kms_key_arn == aws_kms_key.copies.arn && aws_backup_vault.copies.kms_key_arn != var.key_arn
    error_message = "the copies hang on the key of the region that may be lost"
  }
}

run "what_is_cold_stays_cold_for_the_days_that_are_billed" {
  assert {
    condition = alltrue([
      for rule in aws_backup_plan.this.rule :
      one(one(rule.copy_action).lifecycle).delete_after >= one(one(rule.copy_action).lifecycle).cold_storage_after + 90
      if coalesce(one(one(rule.copy_action).lifecycle).cold_storage_after, 0) != 0
    ])
    error_message = "AWS refuses backups that are cold for less than 90 days"
  }
}

run "a_short_retention_has_no_cold_storage" {
  variables {
    retention_days = 60
  }

  assert {
    condition = alltrue([
      for rule in aws_backup_plan.this.rule : coalesce(one(one(rule.copy_action).lifecycle).cold_storage_after, 0) == 0
    ])
    error_message = "60 days are too short for cold storage"
  }
}

run "all_that_is_named_is_backed_up" {
  assert {
    condition     = aws_backup_selection.this.resources == var.resources
    error_message = "something is left out"
  }
}

run "the_role_cannot_restore" {
  assert {
    condition     = !anytrue([for policy in keys(aws_iam_role_policy_attachment.this) : strcontains(policy, "Restore")])
    error_message = "what makes backups must not be able to overwrite with them"
  }
}

run "the_lock_is_a_choice" {
  assert {
    condition     = length(aws_backup_vault_lock_configuration.copies) == 0
    error_message = "the vault is locked without having been asked"
  }
}

run "a_locked_vault_takes_what_the_plan_copies" {
  variables {
    lock = true
  }

  assert {
    condition = alltrue([
      for rule in aws_backup_plan.this.rule :
      one(one(rule.copy_action).lifecycle).delete_after >= aws_backup_vault_lock_configuration.copies[0].min_retention_days &&
      one(one(rule.copy_action).lifecycle).delete_after <= aws_backup_vault_lock_configuration.copies[0].max_retention_days
    ])
    error_message = "a copy that the lock does not allow fails"
  }
}

run "less_than_the_daily_backups_is_refused" {
  command = plan

  variables {
    retention_days = 7
  }

  expect_failures = [var.retention_days]
}

run "a_backup_of_nothing_is_refused" {
  command = plan

  variables {
    resources = []
  }

  expect_failures = [var.resources]
}

run "backups_go_with_their_vaults_only_where_that_is_said" {
  assert {
    condition     = !aws_backup_vault.home.force_destroy && !aws_backup_vault.copies.force_destroy
    error_message = "backups would be deleted by the way"
  }
}

run "vaults_can_be_deleted_with_their_backups" {
  variables {
    force_destroy = true
  }

  assert {
    condition     = aws_backup_vault.home.force_destroy && aws_backup_vault.copies.force_destroy
    error_message = "they would have to be emptied by hand"
  }
}

# In compliance mode nobody could ever take it off again.
run "the_lock_can_be_taken_off" {
  variables {
    lock = true
  }

  assert {
    condition     = aws_backup_vault_lock_configuration.copies[0].changeable_for_days == null
    error_message = "the lock is in compliance mode: no vault with a backup could be destroyed for three years"
  }
}

run "a_locked_vault_that_is_to_be_emptied_is_refused" {
  command = plan

  variables {
    lock          = true
    force_destroy = true
  }

  expect_failures = [var.force_destroy]
}
