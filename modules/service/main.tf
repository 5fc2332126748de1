# One service on Fargate: at least two tasks in different zones, or one without scaling; replaced without downtime, rolled back
# if new ones fail.

data "aws_region" "current" {}

locals {
  container = "service"
  port      = 8080

  # Reported by /version, so that a rollout can identify the running image. Only the digest: clients must not learn the account.
  environment = merge(var.environment, { IMAGE = split("@", var.image)[1] })
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.size.cpu
  memory                   = var.size.memory
  task_role_arn            = var.roles.task
  execution_role_arn       = var.roles.execution

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.size.architecture
  }

  container_definitions = jsonencode([{
    name                   = local.container
    image                  = var.image
    essential              = true
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    stopTimeout            = var.stop_timeout
    environment            = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
    portMappings           = [{ containerPort = local.port, hostPort = local.port, protocol = "tcp" }]
    mountPoints            = []
    volumesFrom            = []
    systemControls         = []
    linuxParameters        = { capabilities = { add = [], drop = ["ALL"] } }

    healthCheck = {
      command     = concat(["CMD"], var.health_check)
      interval    = 15
      timeout     = 5
      retries     = 3
      startPeriod = 20
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = local.container
        # Logs must not delay sales.
        mode            = "non-blocking"
        max-buffer-size = "4m"
      }
    }
  }])

  lifecycle {
    # ECS rolls back to the old one, which it can only do while that is registered. It is deregistered after the service
    # has been updated and `data.aws_ecs_service.running` has shown that the new one runs.
    create_before_destroy = true
  }
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster.arn
  task_definition = aws_ecs_task_definition.this.arn
  # Initial value; see ignore_changes.
  desired_count = var.size.minimum
  launch_type   = "FARGATE"

  availability_zone_rebalancing      = "ENABLED"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = var.load_balancer == null ? null : 60
  wait_for_steady_state              = var.wait_for_steady_state
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.network.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = var.load_balancer[*]

    content {
      target_group_arn = load_balancer.value.target_group_arn
      container_name   = local.container
      container_port   = local.port
    }
  }

  lifecycle {
    # Determined by scaling and by switches to this region. A raised minimum takes effect through the scalable target: AWS
    # compares the number of tasks whenever the target is registered, and raises it to a higher minimum. A lower minimum stops
    # no tasks: scaling in does, when the load has been low for a quarter of an hour.
    ignore_changes = [desired_count]
  }

  depends_on = [aws_vpc_security_group_egress_rule.https, aws_vpc_security_group_ingress_rule.load_balancer]
}

# The running task definition. If new tasks fail, ECS rolls back to the previous task definition: the service is steady then, and
# the apply would succeed with the old tasks. Read from ECS after the service, not from Terraform's configuration.
data "aws_ecs_service" "running" {
  service_name = aws_ecs_service.this.name
  cluster_arn  = var.cluster.arn

  depends_on = [aws_ecs_service.this]

  lifecycle {
    postcondition {
      condition     = self.task_definition == aws_ecs_task_definition.this.arn
      error_message = <<-TEXT
        ${var.name}: new tasks failed, and ECS rolled back to the previous task definition.
          rolled out:   ${aws_ecs_task_definition.this.arn}
          running:      ${self.task_definition}
        To see why: aws ecs describe-services --cluster ${var.cluster.name} --services ${var.name} --query
        'services[0].events[:10].message', and the log group ${aws_cloudwatch_log_group.this.name}.
      TEXT
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the environment's choice
  name              = "/ecs/${var.name}"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.logs.key_arn
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "Tasks of ${var.name}: traffic from its load balancer alone, operators' looks, HTTPS outwards"
  vpc_id      = var.network.vpc_id

  tags = { Name = var.name }
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  for_each = { for balancer in var.load_balancer[*] : "load-balancer" => balancer.security_group_id }

  security_group_id            = aws_security_group.this.id
  description                  = "HTTPS from the load balancer"
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  referenced_security_group_id = each.value

  tags = { Name = var.name }
}

# Rules for operators in other regions are in modules/peering.
resource "aws_vpc_security_group_ingress_rule" "operators" {
  security_group_id            = aws_security_group.this.id
  description                  = "Health and metrics for operators"
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  referenced_security_group_id = var.network.operators_security_group_id

  tags = { Name = "${var.name}-operators" }
}

# To VPC endpoints, and through NAT to services without one.
resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS to AWS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"

  tags = { Name = var.name }
}
