resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the environment's choice
  name              = "/apigateway/${var.name}/access"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.logs.key_arn
}

# Otherwise API Gateway creates the group, without encryption or retention.
resource "aws_cloudwatch_log_group" "execution" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the environment's choice
  name              = "API-Gateway-Execution-Logs_${aws_api_gateway_rest_api.this.id}/live"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.logs.key_arn
}

# The logging role of API Gateway is a setting per account and region, not per API. Environments in one account share it: the
# last one applied sets the role, and all roles are equal.
resource "aws_api_gateway_account" "this" {
  cloudwatch_role_arn = aws_iam_role.logs.arn

  depends_on = [aws_iam_role_policy_attachment.logs]
}

data "aws_region" "current" {}

resource "aws_iam_role" "logs" {
  name               = "${var.name}-api-gateway-logs-${data.aws_region.current.name}"
  description        = "Writes the logs of API Gateway"
  assume_role_policy = data.aws_iam_policy_document.logs_trust.json
}

# API Gateway rejects a role with fewer permissions.
resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.logs.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

data "aws_iam_policy_document" "logs_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }
  }
}
