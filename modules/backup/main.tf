# Backups in the home region, copied to a region where nothing else runs. Point-in-time recovery covers the last 35 days by
# the second; backups cover the loss of tables, and earlier years.

locals {
  # Backups in the home region are kept until long after they have been copied.
  home_days  = 7
  daily_days = 35

  # Cold storage costs a third, with a minimum of 90 days. Backups of buckets always stay warm.
  cold_after = 30
  is_cold    = var.retention_days >= local.cold_after + 90

  rules = {
    daily = {
      schedule = "cron(0 5 * * ? *)"
      copy     = { delete_after = local.daily_days, cold_storage_after = null }
    }
    # Backups of tables are not incremental: daily backups kept for years would cost more than the pipeline.
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

# A separate key: the copies must be readable even if the pipeline's regions and their keys are lost.
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

# Copying tables to other regions and cold storage require AWS Backup's advanced features, and backups of buckets an opt-in.
# Both are account settings, which are set once: see docs/infrastructure.md.
resource "aws_backup_plan" "this" {
  name = var.name

  dynamic "rule" {
    for_each = local.rules

    content {
      rule_name         = rule.key
      target_vault_name = aws_backup_vault.home.name
      schedule          = rule.value.schedule
      # In minutes. The first backup of a bucket is a full one.
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

# It can create backups but not restore them: a role for restoring is created when needed.
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

# Managed by AWS, which keeps it up to date with the service's calls.
resource "aws_iam_role_policy_attachment" "this" {
  for_each = toset([
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
    "arn:aws:iam::aws:policy/AWSBackupServiceRolePolicyForS3Backup",
  ])

  role       = aws_iam_role.this.name
  policy_arn = each.key
}
