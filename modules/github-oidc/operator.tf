# The calls of salesctl, for drills and switches from GitHub.

locals {
  permissions = jsondecode(file("${path.module}/../task-role/permissions.json"))["operator"]

  arns = {
    sales_table         = [for region in var.regions : region.sales_table_arn]
    sales_table_indexes = [for region in var.regions : "${region.sales_table_arn}/index/*"]
    idempotency_table   = [for region in var.regions : region.idempotency_table_arn]
    queue               = [for region in var.regions : region.queue_arn]
    dead_letter_queue   = [for region in var.regions : region.dead_letter_queue_arn]
    lake                = [for region in var.regions : region.lake_arn]
    journal             = [for region in var.regions : "${region.lake_arn}/journal/*"]
    table               = [for region in var.regions : "${region.lake_arn}/table/sales/*"]
    state_parameter     = [for region in var.regions : region.state_parameter_arn]
    key                 = [for region in var.regions : region.key_arn]
    services = [
      for region in keys(var.regions) : "arn:aws:ecs:${region}:${var.account}:service/${var.prefix}/${var.prefix}-*"
    ]
    # These have generated IDs.
    accelerator = ["arn:aws:globalaccelerator::${var.account}:accelerator/*"]
    scaling = [
      for region in keys(var.regions) : "arn:aws:application-autoscaling:${region}:${var.account}:scalable-target/*"
    ]
    # These have no ARN: metrics, CloudTrail events, and the list of scalable targets.
    metrics      = ["*"]
    history      = ["*"]
    scaling_list = ["*"]
  }

  conditions = {
    key = {
      "kms:ViaService" = [
        for pair in setproduct(["dynamodb", "s3", "sqs"], keys(var.regions)) : "${pair[0]}.${pair[1]}.amazonaws.com"
      ]
    }
    scaling = {
      "application-autoscaling:service-namespace"  = ["ecs"]
      "application-autoscaling:scalable-dimension" = ["ecs:service:DesiredCount"]
    }
  }
}

resource "aws_iam_role_policy" "operator" {
  name   = "salesctl"
  role   = aws_iam_role.this["operator"].id
  policy = data.aws_iam_policy_document.operator.json
}

data "aws_iam_policy_document" "operator" {
  #checkov:skip=CKV_AWS_356:metrics, CloudTrail's look-up and the list of scalable targets have no ARN

  dynamic "statement" {
    for_each = local.permissions

    content {
      sid       = replace(title(replace(statement.key, "_", " ")), " ", "")
      actions   = statement.value
      resources = local.arns[statement.key]

      dynamic "condition" {
        for_each = lookup(local.conditions, statement.key, {})

        content {
          test     = "StringEquals"
          variable = condition.key
          values   = condition.value
        }
      }
    }
  }
}
