output "name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name

  # Services of a cluster that has no Fargate yet would not start.
  depends_on = [aws_ecs_cluster_capacity_providers.this]
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_ecs_cluster.this.arn
}
