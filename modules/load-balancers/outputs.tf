output "nlb_arn" {
  description = "ARN of the network load balancer, after everything behind it exists."
  value       = aws_lb.network.arn

  depends_on = [aws_lb_listener.network, aws_lb_target_group_attachment.application, aws_lb_listener_rule.health]
}

output "nlb_dns_name" {
  description = "DNS name of the network load balancer."
  value       = aws_lb.network.dns_name
}

output "nlb_zone_id" {
  description = "Hosted zone of that DNS name, for alias records."
  value       = aws_lb.network.zone_id
}

output "alb_arn" {
  description = "ARN of the application load balancer."
  value       = aws_lb.application.arn
}

output "alb_arn_suffix" {
  description = "Identifier of the application load balancer in metrics."
  value       = aws_lb.application.arn_suffix
}

output "alb_security_group_id" {
  description = "ID of the application load balancer's security group, from which tasks accept traffic."
  value       = aws_security_group.application.id
}

output "target_group_arn" {
  description = "ARN of the target group of the API's tasks, after the load balancer uses it."
  value       = aws_lb_target_group.api.arn

  # ECS rejects a target group without a listener.
  depends_on = [aws_lb_listener_rule.health, aws_lb_listener_rule.api]
}

output "target_group_arn_suffix" {
  description = "Identifier of the target group of the API's tasks in metrics."
  value       = aws_lb_target_group.api.arn_suffix
}
