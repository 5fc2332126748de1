# A region's lake: the journal, whose objects are never changed, and the table that sales-lake makes of it.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:three roles write and a mark names the object of each sale; who else reads is CloudTrail's
  #checkov:skip=CKV_AWS_144:replicated to all other regions by modules/lake-replication, once their lakes are there
  #checkov:skip=CKV2_AWS_62:nothing waits for objects to appear
  bucket        = var.name
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    # One KMS call for many objects.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    # An object has one version unless it has expired, or is deleted or overwritten by hand, which can be undone for this time.
    noncurrent_version_expiration {
      noncurrent_days = var.version_retention_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  # Read again where a table is rebuilt or compared, which must not take hours: the coldest class that is read at once. S3 moves
  # no object below 128 KB, for which that class costs more. Lines remain in the table when their objects expire.
  rule {
    id     = "journal"
    status = "Enabled"

    filter {
      prefix = "journal/"
    }

    transition {
      days          = local.cold_after
      storage_class = "GLACIER_IR"
    }

    expiration {
      days = var.journal_retention_days
    }
  }

  # sales-lake rewrites files and removes those that no version of the last seven days needs. The general rule would keep these
  # for months, several times the table. The shorter of two rules applies. Current files never expire: they are the table.
  rule {
    id     = "old-files-of-the-table"
    status = "Enabled"

    filter {
      prefix = "table/"
    }

    noncurrent_version_expiration {
      noncurrent_days = min(local.removed_files_days, var.version_retention_days)
    }
  }

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

locals {
  # Days. By then, a sale is rarely looked at again.
  cold_after = 90

  # To undo a mistaken removal.
  removed_files_days = 7
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.this.json

  # S3 rejects concurrent changes of a bucket's access.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
