# One multi-region key: the primary if primary_arn is null, otherwise a replica. In the primary's own region it creates
# nothing.

locals {
  is_primary = var.primary_arn == null
  is_replica = var.primary_arn != null && try(provider::aws::arn_parse(var.primary_arn).region, "") != var.region

  service_roles = "arn:aws:iam::${var.account}:role/aws-service-role"
}

resource "aws_kms_key" "primary" {
  count = local.is_primary ? 1 : 0

  description             = var.description
  multi_region            = true
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_days
  policy                  = data.aws_iam_policy_document.this.json
}

resource "aws_kms_replica_key" "this" {
  count = local.is_replica ? 1 : 0

  description             = var.description
  primary_key_arn         = var.primary_arn
  deletion_window_in_days = var.deletion_window_days
  policy                  = data.aws_iam_policy_document.this.json
}

resource "aws_kms_alias" "this" {
  count = local.is_primary || local.is_replica ? 1 : 0

  name          = var.alias
  target_key_id = local.is_primary ? aws_kms_key.primary[0].key_id : aws_kms_replica_key.this[0].key_id
}

# In a key policy, the resource "*" is the key itself.
data "aws_iam_policy_document" "this" {
  #checkov:skip=CKV_AWS_109:the resource of a key's policy is the key itself
  #checkov:skip=CKV_AWS_111:the resource of a key's policy is the key itself
  #checkov:skip=CKV_AWS_356:the resource of a key's policy is the key itself

  # Without this, no one could change the key any more. Permissions are granted by the policies of roles.
  statement {
    sid       = "RolesOfTheAccount"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.account}:root"]
    }
  }

  # SNS writes to encrypted queues, and alarms to encrypted topics. Without this, messages vanish silently.
  statement {
    sid       = "MessagesOfServices"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = concat(["cloudwatch.amazonaws.com"], var.sns_principals)
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }

  statement {
    sid       = "LogGroups"
    actions   = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${var.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:aws:logs:${var.region}:${var.account}:log-group:*"]
    }
  }

  # DynamoDB's replication role is created with the first global table of an account, and a policy must not name a role that
  # does not exist: hence a condition instead of a principal.
  statement {
    sid       = "ReplicationOfTables"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:CallerAccount"
      values   = [var.account]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = ["${local.service_roles}/replication.dynamodb.amazonaws.com/AWSServiceRoleForDynamoDBReplication"]
    }
  }
}
