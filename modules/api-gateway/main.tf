# The public API in one region, with a private link to the network load balancer.

resource "aws_api_gateway_vpc_link" "this" {
  name        = var.name
  description = "To the network load balancer of ${var.name}"
  target_arns = [var.nlb_arn]
}

resource "aws_api_gateway_rest_api" "this" {
  name              = var.name
  description       = local.description.info.description
  body              = local.body
  put_rest_api_mode = "overwrite"

  # Clients must use the custom domains.
  disable_execute_api_endpoint = true

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

# A changed API is served only after a new deployment.
resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  triggers = {
    body = sha256(local.body)
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_73:traces are the clients' own (traceparent goes through), and X-Ray would not join them
  #checkov:skip=CKV_AWS_120:whether a sale is processed must not be answered from a cache
  #checkov:skip=CKV2_AWS_29:the firewall is associated by who composes the modules
  #checkov:skip=CKV2_AWS_51:clients have no certificates, and the way to the load balancer is private
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = "live"

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    # No bodies, and no free text from clients, because API Gateway does not escape it.
    format = jsonencode({
      requestId            = "$context.requestId"
      requestTime          = "$context.requestTime"
      sourceIp             = "$context.identity.sourceIp"
      domainName           = "$context.domainName"
      httpMethod           = "$context.httpMethod"
      resourcePath         = "$context.resourcePath"
      status               = "$context.status"
      errorType            = "$context.error.responseType"
      responseLength       = "$context.responseLength"
      responseLatencyMs    = "$context.responseLatency"
      integrationStatus    = "$context.integration.status"
      integrationLatencyMs = "$context.integration.latency"
    })
  }

  depends_on = [aws_api_gateway_account.this, aws_cloudwatch_log_group.execution]
}

resource "aws_api_gateway_method_settings" "all" {
  #checkov:skip=CKV_AWS_225:whether a sale is processed must not be answered from a cache
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
    metrics_enabled        = true
    logging_level          = "ERROR"
    # It would log complete requests, including sales.
    data_trace_enabled = false
  }
}

resource "aws_api_gateway_domain_name" "this" {
  for_each = var.hosts

  domain_name              = each.value
  regional_certificate_arn = var.certificate_arn
  security_policy          = "TLS_1_2"

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_base_path_mapping" "this" {
  for_each = var.hosts

  domain_name = aws_api_gateway_domain_name.this[each.key].domain_name
  api_id      = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
}
