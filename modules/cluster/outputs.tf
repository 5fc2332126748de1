output "name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name

  # Services would not start before the cluster has the capacity provider Fargate.
  depends_on = [aws_ecs_cluster_capacity_providers.this]
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_ecs_cluster.this.arn
}
