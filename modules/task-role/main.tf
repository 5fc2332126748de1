# The task role of one service in one region. permissions.json lists the calls of each service per resource; a test compares it
# with the code.

locals {
  permissions = jsondecode(file("${path.module}/permissions.json"))[var.service]

  arns = {
    sales_table         = var.resources.sales_table_arn
    sales_table_indexes = "${var.resources.sales_table_arn}/index/*"
    idempotency_table   = var.resources.idempotency_table_arn
    topic               = var.resources.topic_arn
    queue               = var.resources.queue_arn
    dead_letter_queue   = var.resources.dead_letter_queue_arn
    lake                = var.resources.lake_arn
    journal             = "${var.resources.lake_arn}/journal/*"
    table               = "${var.resources.lake_arn}/table/sales/*"
    state_parameter     = var.resources.state_parameter_arn
    key                 = var.resources.key_arn
  }

  # KMS is only called through these services. The state parameter is not secret.
  services_with_key = sort(setsubtract(
    distinct([for action in flatten(values(local.permissions)) : split(":", action)[0]]),
    ["kms", "ssm"],
  ))
}

resource "aws_iam_role" "this" {
  name               = var.name
  description        = "Task role of sales-${var.service} in ${var.region}."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "this" {
  name   = "calls"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:aws:ecs:${var.region}:${var.account}:*"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = local.permissions

    content {
      sid       = replace(title(replace(statement.key, "_", " ")), " ", "")
      actions   = statement.value
      resources = [local.arns[statement.key]]

      dynamic "condition" {
        for_each = statement.key == "key" ? [local.services_with_key] : []

        content {
          test     = "StringEquals"
          variable = "kms:ViaService"
          values   = [for service in condition.value : "${service}.${var.region}.amazonaws.com"]
        }
      }
    }
  }
}
