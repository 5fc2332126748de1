# The role that applies creates roles, and could so extend its permissions indirectly: the gate is the approval by the GitHub
# environment. The role is limited to what Terraform manages here: the services in use; resources with our prefix, if they have
# names; and roles with our prefix, which it can pass only to the services that run here. It cannot create users or access keys,
# nor change its own trust or permissions, which a person applies.

resource "aws_iam_role_policy" "apply" {
  for_each = {
    resources = data.aws_iam_policy_document.apply_resources.json
    roles     = data.aws_iam_policy_document.apply_roles.json
  }

  name   = each.key
  role   = aws_iam_role.this["apply"].id
  policy = each.value
}

locals {
  own = {
    # There is only the workgroup, but calls about tags want the permission for each kind.
    athena = [
      for name in ["capacity-reservation/${var.prefix}", "datacatalog/${var.prefix}", "workgroup/${var.prefix}", "workgroup/${var.prefix}/session/*"] :
      "arn:aws:athena:*:${var.account}:${name}"
    ]
    cloudwatch = [
      "arn:aws:cloudwatch:*:${var.account}:alarm:${var.prefix}-*",
      "arn:aws:cloudwatch::${var.account}:dashboard/${var.prefix}-*",
    ]
    dynamodb = ["arn:aws:dynamodb:*:${var.account}:table/${var.prefix}-*"]
    ecr      = ["arn:aws:ecr:*:${var.account}:repository/${var.prefix}/*"]
    ecs = [
      for kind in ["cluster", "service", "task-definition"] : "arn:aws:ecs:*:${var.account}:${kind}/${var.prefix}*"
    ]
    # Databases are named with underscores.
    glue = [
      "arn:aws:glue:*:${var.account}:catalog",
      "arn:aws:glue:*:${var.account}:database/${replace(var.prefix, "-", "_")}",
      "arn:aws:glue:*:${var.account}:table/${replace(var.prefix, "-", "_")}/*",
      # A database is deleted with what is in it.
      "arn:aws:glue:*:${var.account}:userDefinedFunction/${replace(var.prefix, "-", "_")}/*",
    ]
    # API Gateway chooses the names of its log groups.
    logs = [
      for name in ["*${var.prefix}*", "API-Gateway-Execution-Logs_*"] :
      "arn:aws:logs:*:${var.account}:log-group:${name}"
    ]
    s3  = ["arn:aws:s3:::${var.prefix}-*"]
    sns = ["arn:aws:sns:*:${var.account}:${var.prefix}-*"]
    sqs = ["arn:aws:sqs:*:${var.account}:${var.prefix}-*"]
    ssm = ["arn:aws:ssm:*:${var.account}:parameter/${var.prefix}/*"]
  }
}

data "aws_iam_policy_document" "apply_resources" {
  #checkov:skip=CKV_AWS_107:whoever pushes images signs in to the registry
  #checkov:skip=CKV_AWS_108:it moves no data out; what it may read is its own state and what it manages
  #checkov:skip=CKV_AWS_109:see the top of this file
  #checkov:skip=CKV_AWS_111:see the top of this file
  #checkov:skip=CKV_AWS_356:these services name what is made by numbers, not by us

  dynamic "statement" {
    for_each = local.own

    content {
      sid       = title(statement.key)
      actions   = ["${statement.key}:*"]
      resources = statement.value
    }
  }

  # Their resources have generated IDs, or their actions take no resource.
  statement {
    sid = "ServicesWithoutNames"
    actions = [
      "acm:*",
      "apigateway:*",
      "application-autoscaling:*",
      "backup-storage:*",
      "backup:*",
      "budgets:*",
      "cognito-idp:*",
      "ec2:*",
      "elasticloadbalancing:*",
      "globalaccelerator:*",
      "kms:*",
      "route53:*",
      "wafv2:*",
    ]
    resources = ["*"]
  }

  # Keys have generated IDs, but our tags; data encrypted with a lost key is lost permanently.
  dynamic "statement" {
    for_each = var.tags

    content {
      sid       = "KeysOfOthersBy${title(statement.key)}"
      effect    = "Deny"
      actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:DisableKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]
      resources = ["*"]

      condition {
        test     = "StringNotEquals"
        variable = "aws:ResourceTag/${statement.key}"
        values   = [statement.value]
      }
    }
  }

  # Lists and account settings, which have no ARN of ours. .ci/permissions compares all policies with AWS's service
  # authorization tables, and checks that they cover Terraform's calls.
  statement {
    sid = "WithoutResource"
    actions = [
      "cloudwatch:Describe*",
      "cloudwatch:List*",
      # Although alarms have names, composite alarms require the permission for all.
      "cloudwatch:PutCompositeAlarm",
      "dynamodb:List*",
      "ecr:*RepositoryCreationTemplate",
      "ecr:DescribeRegistry",
      "ecr:DescribeRepositoryCreationTemplates",
      "ecr:GetAuthorizationToken",
      "ecr:GetRegistryScanningConfiguration",
      "ecr:PutRegistryScanningConfiguration",
      "ecr:PutReplicationConfiguration",
      "ecs:DeregisterTaskDefinition",
      "ecs:DescribeTaskDefinition",
      "ecs:List*",
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DeleteResourcePolicy",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
      "s3:ListAllMyBuckets",
      # In IAM, subscriptions are not resources.
      "sns:GetSubscriptionAttributes",
      "sns:List*",
      "sns:SetSubscriptionAttributes",
      "sns:Unsubscribe",
      "sqs:ListQueues",
      "ssm:DescribeParameters",
    ]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "apply_roles" {
  #checkov:skip=CKV_AWS_356:only what reads is allowed for all roles

  statement {
    sid       = "Read"
    actions   = ["iam:Get*", "iam:List*"]
    resources = ["*"]
  }

  statement {
    sid = "OwnRoles"
    actions = [
      "iam:AttachRolePolicy",
      "iam:CreateRole",
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:DetachRolePolicy",
      "iam:PutRolePolicy",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
      "iam:UpdateRoleDescription",
    ]
    resources = ["arn:aws:iam::${var.account}:role/${var.prefix}-*"]
  }

  statement {
    sid       = "PassOwnRoles"
    actions   = ["iam:PassRole"]
    resources = ["arn:aws:iam::${var.account}:role/${var.prefix}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values = [
        "apigateway.amazonaws.com",
        "backup.amazonaws.com",
        "ecs-tasks.amazonaws.com",
        "s3.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
      ]
    }
  }

  # Service-linked roles, created when a service is first used.
  statement {
    sid       = "RolesOfServices"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:aws:iam::${var.account}:role/aws-service-role/*"]
  }

  statement {
    sid    = "NotItself"
    effect = "Deny"
    actions = [
      "iam:AttachRolePolicy",
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:DetachRolePolicy",
      "iam:PassRole",
      "iam:PutRolePolicy",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
    ]
    resources = ["arn:aws:iam::${var.account}:role/${var.prefix}-github-*"]
  }
}
