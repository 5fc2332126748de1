# Clients to the network load balancer to the application load balancer to tasks; no other traffic.

resource "aws_security_group" "network" {
  name        = "${var.name}-nlb"
  description = "Network load balancer: HTTPS from clients, on to the application load balancer"
  vpc_id      = var.network.vpc_id

  tags = { Name = "${var.name}-nlb" }
}

# From everywhere: Global Accelerator preserves client addresses, and the addresses of API Gateway's private link cannot be
# listed. The load balancer is internal, so only these two can reach it.
resource "aws_vpc_security_group_ingress_rule" "network" {
  security_group_id = aws_security_group.network.id
  description       = "HTTPS through Global Accelerator and API Gateway"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"

  tags = { Name = "${var.name}-nlb" }
}

resource "aws_vpc_security_group_egress_rule" "network" {
  security_group_id            = aws_security_group.network.id
  description                  = "HTTPS to the application load balancer"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.application.id

  tags = { Name = "${var.name}-nlb" }
}

resource "aws_security_group" "application" {
  name        = "${var.name}-alb"
  description = "Application load balancer: HTTPS from the network load balancer, on to the tasks"
  vpc_id      = var.network.vpc_id

  tags = { Name = "${var.name}-alb" }
}

resource "aws_vpc_security_group_ingress_rule" "application" {
  security_group_id            = aws_security_group.application.id
  description                  = "HTTPS from the network load balancer"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.network.id

  tags = { Name = "${var.name}-alb" }
}

# The tasks' group admits traffic from this one only.
resource "aws_vpc_security_group_egress_rule" "application" {
  security_group_id = aws_security_group.application.id
  description       = "HTTPS to the tasks"
  ip_protocol       = "tcp"
  from_port         = 8080
  to_port           = 8080
  cidr_ipv4         = var.network.cidr

  tags = { Name = "${var.name}-alb" }
}
