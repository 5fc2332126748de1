output "name" {
  description = "Name of the web ACL in metrics."
  value       = aws_wafv2_web_acl.this.name
}
