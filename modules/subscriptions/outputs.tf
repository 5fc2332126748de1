output "arns" {
  description = "ARNs of the subscriptions, by the region of the queue."
  value       = { for region, subscription in aws_sns_topic_subscription.this : region => subscription.arn }
}
