mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "sa-east-1" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/sales-dev-api-gateway-logs-sa-east-1" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:sa-east-1:111122223333:log-group:/apigateway/sales-dev/access" }
  }

  mock_resource "aws_api_gateway_vpc_link" {
    defaults = { id = "link1" }
  }
}

variables {
  name         = "sales-dev"
  openapi      = file("../../infra/deployment/openapi.json")
  nlb_arn      = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:loadbalancer/net/sales-dev-nlb/1"
  backend_host = "api-sa-east-1.sales.example.com"
  hosts = {
    all    = "api.sales.example.com"
    region = "api-sa-east-1.sales.example.com"
  }
  certificate_arn = "arn:aws:acm:sa-east-1:111122223333:certificate/1"
  throttle        = { rate = 1000, burst = 2000 }
  logs = {
    retention_days = 7
    key_arn        = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }
}

run "only_what_clients_need_is_published" {
  assert {
    condition = toset(keys(jsondecode(aws_api_gateway_rest_api.this.body).paths)) == toset([
      "/sales", "/sales/{id}", "/active", "/healthcheck", "/readiness", "/version"
    ])
    error_message = "metrics stay internal; Route 53's health checks and the checks of a rollout get in"
  }

  assert {
    condition = alltrue([
      for path, methods in { "/sales" = ["post"], "/sales/{id}" = ["get", "delete"], "/active" = ["get"], "/readiness" = ["get"], "/version" = ["get"] } :
      length(setsubtract(methods, keys(jsondecode(aws_api_gateway_rest_api.this.body).paths[path]))) == 0
    ])
    error_message = "each path has the methods that the code describes"
  }
}

run "requests_reach_the_load_balancer_through_the_link_as_they_are" {
  assert {
    condition = alltrue(flatten([
      for path, methods in jsondecode(aws_api_gateway_rest_api.this.body).paths : [
        for operation in values(methods) : (
          operation.x-amazon-apigateway-integration.type == "http_proxy"
          && operation.x-amazon-apigateway-integration.connectionType == "VPC_LINK"
          && operation.x-amazon-apigateway-integration.connectionId == "link1"
          && operation.x-amazon-apigateway-integration.uri == "https://api-sa-east-1.sales.example.com${path}"
        )
      ]
    ]))
    error_message = "the host of the URI is the one that the load balancer's certificate and rules know"
  }

  assert {
    condition = alltrue([
      for operation in values(jsondecode(aws_api_gateway_rest_api.this.body).paths["/sales/{id}"]) :
      operation.x-amazon-apigateway-integration.requestParameters == {
        "integration.request.path.id" = "method.request.path.id"
      } && operation.parameters[0].name == "id"
    ])
    error_message = "the id of a sale is handed on"
  }
}

run "unknown_paths_are_answered_as_the_api_answers_them" {
  assert {
    condition = alltrue([
      for name, response in jsondecode(aws_api_gateway_rest_api.this.body).x-amazon-apigateway-gateway-responses :
      jsondecode(response.responseTemplates["application/json"]).status == response.statusCode
    ])
    error_message = "the body says the same status as the answer"
  }

  assert {
    condition = anytrue([
      for name, response in jsondecode(aws_api_gateway_rest_api.this.body).x-amazon-apigateway-gateway-responses :
      response.statusCode == 404 if name == "MISSING_AUTHENTICATION_TOKEN"
    ])
    error_message = "by itself, API Gateway would ask for a token that does not exist"
  }
}

run "the_domains_are_the_only_way_in" {
  assert {
    condition     = aws_api_gateway_rest_api.this.disable_execute_api_endpoint
    error_message = "the API's own address would be a way around names, weights and health checks"
  }

  assert {
    condition     = toset(values(aws_api_gateway_domain_name.this)[*].domain_name) == toset(values(var.hosts))
    error_message = "each host has a domain"
  }

  assert {
    condition = alltrue([
      for domain in values(aws_api_gateway_domain_name.this) : domain.security_policy == "TLS_1_2"
    ])
    error_message = "TLS below 1.2 is refused"
  }
}

run "a_flood_is_throttled_and_no_sale_is_logged" {
  assert {
    condition = (
      aws_api_gateway_method_settings.all.settings[0].throttling_rate_limit == 1000
      && aws_api_gateway_method_settings.all.settings[0].throttling_burst_limit == 2000
    )
    error_message = "the environment's limits hold for all methods"
  }

  assert {
    condition     = !aws_api_gateway_method_settings.all.settings[0].data_trace_enabled
    error_message = "data traces would log whole requests"
  }

  assert {
    condition = alltrue([
      for value in values(jsondecode(aws_api_gateway_stage.this.access_log_settings[0].format)) :
      !strcontains(value, "body") && !strcontains(value, "userAgent")
    ])
    error_message = "access logs have no bodies, and nothing that clients write freely"
  }
}

run "tokens_are_handed_on_and_neither_logged_nor_cached" {
  # API Gateway keeps the header Authorization from what it forwards to only if it checks it itself.
  assert {
    condition = alltrue(flatten([
      for path, methods in jsondecode(aws_api_gateway_rest_api.this.body).paths : [
        for operation in values(methods) : (
          operation.x-amazon-apigateway-integration.type == "http_proxy"
          && !contains(keys(operation), "security") && !contains(keys(operation), "x-amazon-apigateway-auth")
        )
      ]
    ]))
    error_message = "the API checks tokens, in all regions and at both entrances alike"
  }

  assert {
    condition = alltrue([
      for value in values(jsondecode(aws_api_gateway_stage.this.access_log_settings[0].format)) :
      !strcontains(value, "header") && !strcontains(value, "authorizer") && !strcontains(value, "identity.user")
    ])
    error_message = "access logs would hold tokens, or what they say"
  }

  assert {
    condition     = !coalesce(aws_api_gateway_stage.this.cache_cluster_enabled, false)
    error_message = "an answer to one client would be given to another"
  }
}

run "what_is_served_follows_the_description" {
  assert {
    condition     = aws_api_gateway_deployment.this.triggers.body == sha256(aws_api_gateway_rest_api.this.body)
    error_message = "another document is another deployment"
  }
}

run "paths_that_the_code_does_not_have_are_refused" {
  command = plan

  variables {
    paths = ["/sale"]
  }

  expect_failures = [var.paths]
}

run "metrics_are_refused" {
  command = plan

  variables {
    paths = ["/sales", "/metrics"]
  }

  expect_failures = [var.paths]
}

run "a_timeout_below_the_api_s_own_deadline_is_refused" {
  command = plan

  variables {
    timeout_ms = 3000
  }

  expect_failures = [var.timeout_ms]
}
