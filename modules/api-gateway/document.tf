# The published part of the OpenAPI document: the paths for clients, and of each operation only what is needed to forward it.
# Schemas are left out: the API validates bodies itself, with decimals that API Gateway does not support, and the document is
# OpenAPI 3.1, of which API Gateway supports 3.0.
#
# Proxy integrations pass all headers on. Of the API's answers they rename one, WWW-Authenticate, to
# x-amzn-Remapped-WWW-Authenticate, and cannot map it back: that takes an integration in which each header, status and method is
# named (https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-parameter-mapping.html), so that what the API adds
# would be lost here. Clients find the same in the body.

locals {
  description = jsondecode(var.openapi)

  integrations = {
    for path in var.paths : path => {
      type              = "http_proxy"
      connectionType    = "VPC_LINK"
      connectionId      = aws_api_gateway_vpc_link.this.id
      uri               = "https://${var.backend_host}${path}"
      timeoutInMillis   = var.timeout_ms
      requestParameters = local.handed_on[path]
    }
  }

  parameters = { for path in var.paths : path => flatten(regexall("{([a-z_]+)}", path)) }

  handed_on = {
    for path, names in local.parameters : path => {
      for name in names : "integration.request.path.${name}" => "method.request.path.${name}"
    }
  }

  path_parameters = {
    for path, names in local.parameters : path => [
      for name in names : { name = name, in = "path", required = true, schema = { type = "string" } }
    ]
  }

  operations = {
    for path in var.paths : path => {
      for method, operation in local.description.paths[path] : method => {
        operationId = operation.operationId
        summary     = operation.summary
        parameters  = local.path_parameters[path]
        responses = {
          for status, response in operation.responses : status => {
            description = try(response.description, "as described")
          }
        }
        "x-amazon-apigateway-integration" = merge(local.integrations[path], { httpMethod = upper(method) })
      } if contains(["get", "post", "put", "patch", "delete"], method)
    }
  }

  # HEAD, and methods that a path does not have, are answered by the API.
  any_method = {
    for path in var.paths : path => {
      "x-amazon-apigateway-any-method" = {
        parameters                        = local.path_parameters[path]
        responses                         = { default = { description = "what the API answers" } }
        "x-amazon-apigateway-integration" = merge(local.integrations[path], { httpMethod = "ANY" })
      }
    }
  }

  # Errors by API Gateway itself, in the format of the API's errors.
  refusals = {
    MISSING_AUTHENTICATION_TOKEN = { status = 404, title = "Not Found", detail = "there is nothing at this path" }
    REQUEST_TOO_LARGE            = { status = 413, title = "Content Too Large", detail = "the body is too large" }
    THROTTLED                    = { status = 429, title = "Too Many Requests", detail = "try again later" }
    INTEGRATION_FAILURE          = { status = 503, title = "Service Unavailable", detail = "try again" }
    INTEGRATION_TIMEOUT          = { status = 503, title = "Service Unavailable", detail = "try again" }
  }

  gateway_responses = {
    for name, refusal in local.refusals : name => {
      statusCode = refusal.status
      responseParameters = merge(
        { "gatewayresponse.header.Content-Type" = "'application/problem+json'" },
        contains([429, 503], refusal.status) ? { "gatewayresponse.header.Retry-After" = "'1'" } : {},
      )
      responseTemplates = {
        "application/json" = jsonencode(merge(refusal, { type = "about:blank", error = refusal.detail }))
      }
    }
  }

  body = jsonencode({
    openapi = "3.0.1"
    info = {
      title       = var.name
      description = local.description.info.description
      version     = local.description.info.version
    }
    paths = {
      for path in var.paths : path => merge(local.operations[path], local.any_method[path])
    }
    "x-amazon-apigateway-gateway-responses" = local.gateway_responses
  })
}
