# Backups of what the pipeline may not lose, made in the home region and copied to a region where nothing else runs.
# Point-in-time recovery covers the last 35 days by the second; this covers the loss of tables, and the years before.

locals {
  # What is made at home lives until its copy has long been made.
  home_days  = 7
  daily_days = 35

  # Cold storage costs a third, and bills at least 90 days. Backups of buckets stay warm, whatever is said here.
  cold_after = 30
  is_cold    = var.retention_days >= local.cold_after + 90

  rules = {
    daily = {
      schedule = "cron(0 5 * * ? *)"
      copy     = { delete_after = local.daily_days, cold_storage_after = null }
    }
    # A backup of a table is a whole one each time: one a day for years would cost more than the pipeline.
    monthly = {
      schedule = "cron(0 6 1 * ? *)"
      copy     = { delete_after = var.retention_days, cold_storage_after = local.is_cold ? local.cold_after : null }
    }
  }
}

resource "aws_backup_vault" "home" {
  name          = var.name
  kms_key_arn   = var.key_arn
  force_destroy = var.force_destroy
}

resource "aws_backup_vault" "copies" {
  provider = aws.copies

  name          = "${var.name}-copies"
  kms_key_arn   = aws_kms_key.copies.arn
  force_destroy = var.force_destroy
}

resource "aws_backup_vault_lock_configuration" "copies" {
  count    = var.lock ? 1 : 0
  provider = aws.copies

  backup_vault_name  = aws_backup_vault.copies.name
  min_retention_days = local.daily_days
  max_retention_days = var.retention_days
}

# Its own key: the copies must be readable when everything in the regions of the pipeline is gone, keys included.
resource "aws_kms_key" "copies" {
  provider = aws.copies

  description             = "Copies of the backups of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "copies" {
  provider = aws.copies

  name          = "alias/${var.name}-copies"
  target_key_id = aws_kms_key.copies.key_id
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:A key's policy is about this key alone
  #checkov:skip=CKV_AWS_111:A key's policy is about this key alone
  #checkov:skip=CKV_AWS_356:A key's policy is about this key alone
  statement {
    sid       = "TheAccountDecidesByItsRoles"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.account}:root"]
    }
  }
}

# Tables are copied to other regions, and get cold, only with the service's own format of backups, and buckets are backed
# up only where that is opted in to. Both are settings of the account, not of an environment: docs/infrastructure.md says
# how they are made, once.
resource "aws_backup_plan" "this" {
  name = var.name

  dynamic "rule" {
    for_each = local.rules

    content {
      rule_name         = rule.key
      target_vault_name = aws_backup_vault.home.name
      schedule          = rule.value.schedule
      # In minutes. A bucket's first backup is a full one.
      start_window      = 60
      completion_window = 2880

      lifecycle {
        delete_after = local.home_days
      }

      copy_action {
        destination_vault_arn = aws_backup_vault.copies.arn

        lifecycle {
          delete_after       = rule.value.copy.delete_after
          cold_storage_after = rule.value.copy.cold_storage_after
        }
      }
    }
  }
}

resource "aws_backup_selection" "this" {
  name         = var.name
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn
  resources    = var.resources

  depends_on = [aws_iam_role_policy_attachment.this]
}

# It makes backups and cannot restore any: who restores is given a role for that on the day.
resource "aws_iam_role" "this" {
  name               = "${var.name}-backup"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["backup.amazonaws.com"]
    }
  }
}

# AWS's own, which it keeps in step with what the service calls.
resource "aws_iam_role_policy_attachment" "this" {
  for_each = toset([
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
    "arn:aws:iam::aws:policy/AWSBackupServiceRolePolicyForS3Backup",
  ])

  role       = aws_iam_role.this.name
  policy_arn = each.key
}
