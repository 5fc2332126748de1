mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "sa-east-1" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:sa-east-1:111122223333:regional/webacl/sales-dev/1" }
  }

  mock_resource "aws_wafv2_ip_set" {
    defaults = { arn = "arn:aws:wafv2:sa-east-1:111122223333:regional/ipset/sales-dev-inside/1" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:sa-east-1:111122223333:log-group:aws-waf-logs-sales-dev" }
  }
}

variables {
  name       = "sales-dev"
  has_tokens = true
  vpc_cidr   = "10.10.0.0/16"
  protected = {
    alb = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:loadbalancer/app/sales-dev-alb/1"
    api = "arn:aws:apigateway:sa-east-1::/restapis/1/stages/live"
  }
  logs = {
    retention_days = 7
    key_arn        = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }
}

run "both_ways_in_are_protected" {
  assert {
    condition = alltrue([
      for name, arn in var.protected : aws_wafv2_web_acl_association.this[name].resource_arn == arn
    ])
    error_message = "the firewall stands before the load balancer and the stage"
  }
}

run "rules_of_aws_block_what_they_find" {
  command = plan

  assert {
    condition = toset(flatten([
      for rule in aws_wafv2_web_acl.this.rule : [
        for statement in rule.statement : [for group in statement.managed_rule_group_statement : group.name]
      ]
      ])) == toset([
      "AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesCommonRuleSet"
    ])
    error_message = "three rule groups of AWS are used"
  }

  assert {
    condition = alltrue(flatten([
      for rule in aws_wafv2_web_acl.this.rule : [for override in rule.override_action : length(override.count) == 0]
    ]))
    error_message = "no group as a whole only counts"
  }
}

run "what_the_api_promises_itself_only_counts" {
  command = plan

  assert {
    condition = toset(flatten([
      for rule in aws_wafv2_web_acl.this.rule : [for statement in rule.statement : [
        for group in statement.managed_rule_group_statement : [for override in group.rule_action_override : override.name]
      ]]
    ])) == toset(["SizeRestrictions_BODY", "NoUserAgent_HEADER"])
    error_message = "too large bodies get the API's 413, clients without a User-Agent are served; all else blocks"
  }
}

run "a_single_address_cannot_take_it_all" {
  command = plan

  variables {
    requests_per_address = 5000
  }

  assert {
    condition = flatten([
      for rule in aws_wafv2_web_acl.this.rule : [
        for statement in rule.statement : statement.rate_based_statement[*].limit
      ]
    ]) == [5000]
    error_message = "requests per address are limited"
  }

  assert {
    condition     = aws_wafv2_ip_set.inside.addresses == toset(["10.10.0.0/16"])
    error_message = "what comes through API Gateway is not one client"
  }
}

run "a_token_has_a_limit_where_there_are_tokens" {
  command = plan

  variables {
    requests_per_token = 6000
  }

  assert {
    condition = flatten([
      for rule in aws_wafv2_web_acl.this.rule : [
        for statement in rule.statement : [
          for rate in statement.rate_based_statement : "${rule.name} ${rate.aggregate_key_type} ${rate.limit}"
        ]
      ]
    ]) == ["rate-per-address IP 30000", "rate-per-token CUSTOM_KEYS 6000"]
    error_message = "requests with one token are limited, whatever addresses they come from"
  }

  assert {
    condition = flatten([
      for rule in aws_wafv2_web_acl.this.rule : [
        for statement in rule.statement : [
          for rate in statement.rate_based_statement : [
            for key in rate.custom_key : [
              for header in key.header : [for transformation in header.text_transformation : "${header.name} ${transformation.type}"]
            ]
          ]
        ]
      ]
    ]) == ["authorization MD5"]
    error_message = "the log of a blocked request would show the token"
  }
}

run "without_tokens_there_is_no_limit_for_them" {
  command = plan

  assert {
    condition     = !contains([for rule in aws_wafv2_web_acl.this.rule : rule.name], "rate-per-token")
    error_message = "a rule that counts nothing costs a dollar a month"
  }
}

run "tokens_are_in_neither_logs_nor_samples" {
  command = plan

  assert {
    condition = toset(flatten([
      for fields in aws_wafv2_web_acl_logging_configuration.this.redacted_fields : [for header in fields.single_header : header.name]
    ])) == toset(["authorization", "cookie"])
    error_message = "a log line would hold a token"
  }

  assert {
    condition = alltrue(flatten([
      for config in aws_wafv2_web_acl.this.data_protection_config : [
        for protection in config.data_protection : (
          protection.action == "SUBSTITUTION" && !protection.exclude_rate_based_details && !protection.exclude_rule_match_details
        )
      ]
      ])) && toset(flatten([
      for config in aws_wafv2_web_acl.this.data_protection_config : [
        for protection in config.data_protection : [for field in protection.field : field.field_keys]
      ]
    ])) == toset(["authorization", "cookie"])
    error_message = "a sampled request, which everyone sees who reads the firewall, would show a token"
  }
}

run "a_limit_for_tokens_where_there_are_none_is_refused" {
  command = plan

  variables {
    has_tokens         = false
    requests_per_token = 6000
  }

  expect_failures = [var.requests_per_token]
}

run "a_limit_that_waf_does_not_know_is_refused" {
  command = plan

  variables {
    requests_per_token = 5
  }

  expect_failures = [var.requests_per_token]
}

run "health_checkers_of_route_53_get_through" {
  command = plan

  assert {
    condition = alltrue([
      for path in ["/active", "/readiness"] : anytrue(flatten([
        for rule in aws_wafv2_web_acl.this.rule : [
          for statement in rule.statement : [
            for group in statement.managed_rule_group_statement : [
              for down in group.scope_down_statement : [
                for not in down.not_statement : [
                  for inner in not.statement : [
                    for match in inner.regex_match_statement : can(regex(match.regex_string, path))
                  ]
                ]
              ]
            ] if group.name == "AWSManagedRulesAmazonIpReputationList"
          ]
        ]
      ]))
    ])
    error_message = "a list of addresses could make all regions unhealthy at once"
  }

  # Some hundred requests of one checker in five minutes, were it to ask for all regions at one of them.
  assert {
    condition = alltrue(flatten([
      for rule in aws_wafv2_web_acl.this.rule : [
        for statement in rule.statement : [for limit in statement.rate_based_statement[*].limit : limit >= 1000]
      ]
    ]))
    error_message = "a checker asks each path every 10 s"
  }
}

run "logs_go_where_waf_may_write" {
  command = plan

  assert {
    condition = (
      aws_cloudwatch_log_group.this.name == "aws-waf-logs-sales-dev"
      && aws_cloudwatch_log_group.this.kms_key_id == var.logs.key_arn
    )
    error_message = "WAF asks for a name that begins with aws-waf-logs-"
  }
}

run "a_firewall_before_nothing_is_refused" {
  command = plan

  variables {
    protected = {}
  }

  expect_failures = [var.protected]
}
