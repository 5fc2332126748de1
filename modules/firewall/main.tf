# The firewall at both entry points: API Gateway and the load balancer.

resource "aws_wafv2_web_acl" "this" {
  name        = var.name
  description = "Sales API of ${var.name}"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  rule {
    name     = "ip-reputation"
    priority = 10

    override_action {
      none {}
    }

    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesAmazonIpReputationList"

        # The only rule based on addresses alone. If it ever listed Route 53's health checkers, all regions would become
        # unhealthy at once; and the responses of these paths are not secret.
        scope_down_statement {
          not_statement {
            statement {
              regex_match_statement {
                regex_string = "^/(active|readiness)$"

                field_to_match {
                  uri_path {}
                }

                text_transformation {
                  priority = 0
                  type     = "NONE"
                }
              }
            }
          }
        }
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "ip-reputation"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "rate-per-address"
    priority = 20

    action {
      block {
        custom_response {
          response_code = 429

          response_header {
            name  = "Retry-After"
            value = "60"
          }
        }
      }
    }

    statement {
      rate_based_statement {
        limit                 = var.requests_per_address
        aggregate_key_type    = "IP"
        evaluation_window_sec = 300

        # Requests through API Gateway are counted there, and reach the load balancer from a few addresses of the VPC, as do
        # health checks: all clients together would count as one.
        scope_down_statement {
          not_statement {
            statement {
              ip_set_reference_statement {
                arn = aws_wafv2_ip_set.inside.arn
              }
            }
          }
        }
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "rate-per-address"
      sampled_requests_enabled   = true
    }
  }

  # By the token, since the firewall cannot look into it: a client that gets a token an hour has a new count with each. Requests
  # without a token, or with another one each time, have the limit per address. Hashed, because a log line of a blocked request
  # shows the value that was counted.
  dynamic "rule" {
    for_each = var.requests_per_token[*]

    content {
      name     = "rate-per-token"
      priority = 25

      action {
        block {
          custom_response {
            response_code = 429

            response_header {
              name  = "Retry-After"
              value = "60"
            }
          }
        }
      }

      statement {
        rate_based_statement {
          limit                 = rule.value
          aggregate_key_type    = "CUSTOM_KEYS"
          evaluation_window_sec = 300

          custom_key {
            header {
              name = "authorization"

              text_transformation {
                priority = 0
                type     = "MD5"
              }
            }
          }

          # As above: counted once, at the entry point.
          scope_down_statement {
            not_statement {
              statement {
                ip_set_reference_statement {
                  arn = aws_wafv2_ip_set.inside.arn
                }
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "rate-per-token"
        sampled_requests_enabled   = true
      }
    }
  }

  rule {
    name     = "known-bad-inputs"
    priority = 30

    override_action {
      none {}
    }

    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesKnownBadInputsRuleSet"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "known-bad-inputs"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "common"
    priority = 40

    override_action {
      none {}
    }

    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesCommonRuleSet"

        # It blocks bodies above 8 KiB with 403. Most sales have some hundred bytes, but the longest product with all
        # characters escaped takes 12 KiB, and above 64 KiB the API promises 413. So this rule only counts.
        rule_action_override {
          name = "SizeRestrictions_BODY"

          action_to_use {
            count {}
          }
        }

        # Clients are programs, many without User-Agent.
        rule_action_override {
          name = "NoUserAgent_HEADER"

          action_to_use {
            count {}
          }
        }
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "common"
      sampled_requests_enabled   = true
    }
  }

  # Also in the sampled requests, which show all headers, and in what a rule has matched or counted.
  dynamic "data_protection_config" {
    for_each = var.has_tokens ? [local.secret_headers] : []

    content {
      dynamic "data_protection" {
        for_each = data_protection_config.value

        content {
          action                     = "SUBSTITUTION"
          exclude_rate_based_details = false
          exclude_rule_match_details = false

          field {
            field_type = "SINGLE_HEADER"
            field_keys = [data_protection.value]
          }
        }
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = true
  }
}

locals {
  # Never in a log or sample.
  secret_headers = ["authorization", "cookie"]
}

resource "aws_wafv2_ip_set" "inside" {
  name               = "${var.name}-inside"
  description        = "The VPC's own addresses"
  scope              = "REGIONAL"
  ip_address_version = "IPV4"
  addresses          = [var.vpc_cidr]
}

resource "aws_wafv2_web_acl_association" "this" {
  for_each = var.protected

  web_acl_arn  = aws_wafv2_web_acl.this.arn
  resource_arn = each.value
}
