# Analysts read the table with any engine, and query it with Athena, which calls the catalog and S3 as they. They cannot read the
# journal: of its objects they can see the names.

resource "aws_iam_role" "analysts" {
  name                 = var.role_name
  description          = "Queries the lake's table in ${var.region}."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 12 * 60 * 60
}

resource "aws_iam_role_policy" "analysts" {
  name   = "queries"
  role   = aws_iam_role.analysts.id
  policy = data.aws_iam_policy_document.analysts.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = length(var.principals) > 0 ? var.principals : ["arn:aws:iam::${var.account}:root"]
    }
  }
}

locals {
  workgroup = "arn:aws:athena:${var.region}:${var.account}:workgroup/${var.name}"
}

data "aws_iam_policy_document" "analysts" {
  #checkov:skip=CKV_AWS_356:lists have no ARN

  statement {
    sid = "Query"
    actions = [
      "athena:BatchGetNamedQuery",
      "athena:BatchGetQueryExecution",
      "athena:GetNamedQuery",
      "athena:GetQueryExecution",
      "athena:GetQueryResults",
      "athena:GetQueryResultsStream",
      "athena:GetQueryRuntimeStatistics",
      "athena:GetWorkGroup",
      "athena:ListNamedQueries",
      "athena:ListQueryExecutions",
      "athena:StartQueryExecution",
      "athena:StopQueryExecution",
    ]
    resources = [local.workgroup]
  }

  statement {
    sid = "SeeTheCatalog"
    actions = [
      "athena:GetDataCatalog",
      "athena:GetDatabase",
      "athena:GetTableMetadata",
      "athena:ListDatabases",
      "athena:ListTableMetadata",
    ]
    resources = ["arn:aws:athena:${var.region}:${var.account}:datacatalog/AwsDataCatalog"]
  }

  statement {
    sid       = "SeeLists"
    actions   = ["athena:ListDataCatalogs", "athena:ListEngineVersions", "athena:ListWorkGroups"]
    resources = ["*"]
  }

  statement {
    sid = "FindTheTable"
    actions = [
      "glue:GetDatabase",
      "glue:GetDatabases",
      "glue:GetPartitions",
      "glue:GetTable",
      "glue:GetTables",
    ]
    resources = [
      "${local.catalog}:catalog",
      "${local.catalog}:database/${local.database}",
      "${local.catalog}:table/${local.database}/${local.table}",
    ]
  }

  # Athena asks for this database whatever a query is about, and creates it if it is missing.
  statement {
    sid       = "DefaultDatabase"
    actions   = ["glue:CreateDatabase", "glue:GetDatabase"]
    resources = ["${local.catalog}:catalog", "${local.catalog}:database/default"]
  }

  # Without a condition on the prefix, with which S3 would answer that access is denied where a file of the log is not there.
  statement {
    sid       = "ListFiles"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [var.lake.arn]
  }

  # Its log and its files, but not what the builder keeps beside them.
  statement {
    sid       = "ReadTheTable"
    actions   = ["s3:GetObject"]
    resources = ["${var.lake.arn}/${local.prefix}_delta_log/*", "${var.lake.arn}/${local.prefix}dt=*"]
  }

  statement {
    sid       = "FindResults"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.results.arn]
  }

  statement {
    sid = "WriteAndReadResults"
    actions = [
      "s3:AbortMultipartUpload",
      "s3:GetObject",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
    ]
    resources = ["${aws_s3_bucket.results.arn}/results/*"]
  }

  # The key also encrypts the journal, the tables and the logs: it opens nothing that cannot be read from S3 as above.
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }

    # With a bucket key, the encryption context is the bucket; otherwise the object.
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:s3:arn"
      values = [
        var.lake.arn,
        "${var.lake.arn}/${local.prefix}*",
        aws_s3_bucket.results.arn,
        "${aws_s3_bucket.results.arn}/results/*",
      ]
    }
  }
}
