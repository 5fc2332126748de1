# GitHub's workflows without stored keys: each run shows a token that says where it comes from, and gets one of three
# roles for it.
#
# The token's subject names the repository in one of two forms: OWNER/NAME, or OWNER@ID/NAME@ID in repositories that were
# created, renamed or moved since mid-2026, or have chosen so. Only the form that is given is believed: whoever gets hold
# of a name that was given up has its subject, but never its ids.

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  trust = {
    # Everybody who opens a pull request from within the repository: reads, and changes nothing.
    plan = [
      "repo:${var.repository}:pull_request",
      "repo:${var.repository}:ref:refs/heads/${var.branch}",
      "repo:${var.repository}:environment:${var.environment}",
    ]
    # These only after what the environment demands: approval, and the branch that may deploy to it.
    apply    = ["repo:${var.repository}:environment:${var.environment}"]
    operator = ["repo:${var.repository}:environment:${var.environment}"]
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.trust

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    # Exact, without wildcards: "repo:OWNER/NAME:*" would let in every branch.
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = each.value
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.trust

  name                 = "${var.prefix}-github-${each.key}"
  description          = "Workflows of ${var.repository}: ${each.key}."
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 2 * 60 * 60
}
