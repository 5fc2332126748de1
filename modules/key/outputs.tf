output "arn" {
  description = "ARN of the key in this region."
  value = (
    local.is_primary ? aws_kms_key.primary[0].arn :
    local.is_replica ? aws_kms_replica_key.this[0].arn :
    var.primary_arn
  )
}
