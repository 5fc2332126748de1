resource "aws_iam_role" "this" {
  name               = var.role_name
  description        = "Replicates the journal of ${var.source_lake.region} to the other regions."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

# Without conditions: S3 does not document that it passes the source bucket or account when it assumes a replication role, and
# a condition on a missing key would silently prevent replication. The role's permissions are limited to these buckets, and
# iam:PassRole limits who may assign it to a bucket.
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "replication"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadTheLake"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [var.source_lake.arn]
  }

  statement {
    sid       = "ReadItsObjects"
    actions   = ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"]
    resources = ["${var.source_lake.arn}/${local.prefix}*"]
  }

  # Deletions are not replicated.
  statement {
    sid       = "WriteCopies"
    actions   = ["s3:ReplicateObject", "s3:ReplicateTags"]
    resources = [for lake in values(var.destinations) : "${lake.arn}/${local.prefix}*"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [var.source_lake.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.source_lake.region}.amazonaws.com"]
    }

    # With a bucket key, the encryption context is the bucket and does not tell its objects apart; otherwise the object.
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:s3:arn"
      values   = [var.source_lake.arn, "${var.source_lake.arn}/${local.prefix}*"]
    }
  }

  dynamic "statement" {
    for_each = local.rules

    content {
      sid = "EncryptIn${replace(title(replace(statement.value.region, "-", " ")), " ", "")}"
      # S3 decrypts a bucket key before reusing it.
      actions   = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
      resources = [statement.value.key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${statement.value.region}.amazonaws.com"]
      }

      condition {
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:s3:arn"
        values   = [statement.value.arn, "${statement.value.arn}/${local.prefix}*"]
      }
    }
  }
}
