output "vault" {
  description = "Name of the vault in the home region."
  value       = aws_backup_vault.home.name
}

output "copies_vault" {
  description = "Name of the vault in the backup region."
  value       = aws_backup_vault.copies.name
}
