# Access for GitHub workflows without stored keys: each run presents a token that identifies it, and assumes one of three
# roles.
#
# The token's subject names the repository in one of two forms: OWNER/NAME, or OWNER@ID/NAME@ID in repositories that were
# created, renamed or moved since mid-2026, or have opted in. Only the configured form is trusted: someone who acquires an
# abandoned name gets its subject, but never its IDs.

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  trust = {
    # For pull requests from within the repository: read-only.
    plan = [
      "repo:${var.repository}:pull_request",
      "repo:${var.repository}:ref:refs/heads/${var.branch}",
      "repo:${var.repository}:environment:${var.environment}",
    ]
    # Only after the GitHub environment's protection rules: approval, and the allowed branch.
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

    # Exact, without wildcards: "repo:OWNER/NAME:*" would admit every branch.
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
