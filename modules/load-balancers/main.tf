# The entry point: a network load balancer, a possible target of Global Accelerator and of API Gateway's VPC link, and behind it
# an application load balancer, which routes by host and path. Both are internal.

resource "aws_lb" "network" {
  #checkov:skip=CKV_AWS_91:a network load balancer logs its TLS listeners only, and this one hands TLS on as it is
  name                             = "${var.name}-nlb"
  load_balancer_type               = "network"
  internal                         = true
  subnets                          = var.network.subnet_ids
  security_groups                  = [aws_security_group.network.id]
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.deletion_protection
}

resource "aws_lb_listener" "network" {
  load_balancer_arn = aws_lb.network.arn
  port              = 443
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.application.arn
  }
}

resource "aws_lb_target_group" "application" {
  name        = "${var.name}-alb"
  target_type = "alb"
  vpc_id      = var.network.vpc_id
  port        = 443
  protocol    = "TCP"

  # Answered by tasks: a region without healthy tasks is unhealthy, and Global Accelerator stops using it.
  health_check {
    protocol            = "HTTPS"
    path                = "/healthcheck"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

# An application load balancer without a listener cannot be a target.
resource "aws_lb_target_group_attachment" "application" {
  target_group_arn = aws_lb_target_group.application.arn
  target_id        = aws_lb.application.arn
  port             = 443

  depends_on = [aws_lb_listener.application]
}

resource "aws_lb" "application" {
  #checkov:skip=CKV2_AWS_28:the firewall is associated by who composes the modules
  name                       = "${var.name}-alb"
  load_balancer_type         = "application"
  internal                   = true
  subnets                    = var.network.subnet_ids
  security_groups            = [aws_security_group.application.id]
  enable_deletion_protection = var.deletion_protection
  drop_invalid_header_fields = true

  # Below the 75 s for which the API keeps idle connections (KEEP_ALIVE in sales-service/src/http/server.rs): otherwise
  # requests could use connections that the API has just closed, and get 502.
  idle_timeout = 60

  access_logs {
    enabled = true
    bucket  = aws_s3_bucket.access_logs.id
  }

  # Log delivery is tested as soon as it is enabled.
  depends_on = [aws_s3_bucket_policy.access_logs]
}

# Paths without a rule are not found. Not 200, or a region without tasks would be healthy.
resource "aws_lb_listener" "application" {
  load_balancer_arn = aws_lb.application.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type = "fixed-response"

    fixed_response {
      status_code  = "404"
      content_type = "application/json"
      message_body = jsonencode({
        type   = "about:blank"
        title  = "Not Found"
        status = 404
        detail = "there is nothing at this path"
        error  = "there is nothing at this path"
      })
    }
  }
}

# Health checks have no host name.
resource "aws_lb_listener_rule" "health" {
  listener_arn = aws_lb_listener.application.arn
  priority     = 10

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }

  condition {
    path_pattern {
      values = ["/healthcheck"]
    }
  }
}

# A rule has at most five values, so a rule has at most two paths. Other paths, such as /metrics, are for operators and
# rejected here.
resource "aws_lb_listener_rule" "api" {
  for_each = {
    sales       = { priority = 20, paths = ["/sales", "/sales/*"] }
    description = { priority = 30, paths = ["/openapi.json", "/docs*"] }
    readiness   = { priority = 40, paths = ["/readiness", "/version"] }
    # For Route 53's health checks only, never for those of a load balancer: a PASSIVE region's tasks are healthy.
    active = { priority = 50, paths = ["/active"] }
  }

  listener_arn = aws_lb_listener.application.arn
  priority     = each.value.priority

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }

  condition {
    host_header {
      values = var.hosts
    }
  }

  condition {
    path_pattern {
      values = each.value.paths
    }
  }
}

resource "aws_lb_target_group" "api" {
  name                          = "${var.name}-api"
  target_type                   = "ip"
  vpc_id                        = var.network.vpc_id
  port                          = 8080
  protocol                      = "HTTPS"
  load_balancing_algorithm_type = "least_outstanding_requests"

  # Longer than the longest request: 10 s for its body (BODY_TIME in sales-api/src/routes/extractors.rs) and 4.8 s for its response
  # (DEADLINE in sales-api/src/routes/sale.rs).
  deregistration_delay = 20

  health_check {
    protocol            = "HTTPS"
    path                = "/healthcheck"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}
