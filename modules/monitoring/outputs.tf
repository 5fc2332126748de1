output "topic_arn" {
  description = "ARN of the topic for alarms."
  value       = aws_sns_topic.alarms.arn
}

output "impaired_alarm" {
  description = "Name of the alarm for an impaired region."
  value       = aws_cloudwatch_composite_alarm.impaired.alarm_name
}

output "dashboard" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
