# One multi-region key: the primary where primary_arn is null, a replica of it elsewhere. In the primary's own region
# there is nothing to make.

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

# In the policy of a key, the resource "*" is the key itself.
data "aws_iam_policy_document" "this" {
  #checkov:skip=CKV_AWS_109:the resource of a key's policy is the key itself
  #checkov:skip=CKV_AWS_111:the resource of a key's policy is the key itself
  #checkov:skip=CKV_AWS_356:the resource of a key's policy is the key itself

  # Without this nobody could ever change the key again; who may do what is said by the policies of roles.
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

  # The role by which DynamoDB replicates comes into being with the first global table of an account, and a policy may
  # not name a role that is not there yet: hence a condition, not a principal.
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
