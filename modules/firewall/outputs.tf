output "name" {
  description = "Name of the web ACL, as metrics call it."
  value       = aws_wafv2_web_acl.this.name
}
