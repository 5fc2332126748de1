# Permissions of ECS for starting tasks: pull images and write logs. One role for all services and regions.

resource "aws_iam_role" "this" {
  name               = var.name
  description        = "ECS starts tasks with it: images and logs."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "this" {
  name   = "start-tasks"
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
      values   = [for region in var.regions : "arn:aws:ecs:${region}:${var.account}:*"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  #checkov:skip=CKV_AWS_356:a token for the registry is of no repository, so that IAM wants *

  statement {
    sid       = "SignInToTheRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid     = "PullOwnImages"
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [
      for pair in setproduct(var.regions, var.repositories) :
      "arn:aws:ecr:${pair[0]}:${var.account}:repository/${pair[1]}"
    ]
  }

  statement {
    sid     = "WriteOwnLogs"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [
      for pair in setproduct(var.regions, var.log_groups) :
      "arn:aws:logs:${pair[0]}:${var.account}:log-group:${pair[1]}:log-stream:*"
    ]
  }
}
