output "issuer" {
  description = "The issuer in the pool's tokens."
  value       = "https://${aws_cognito_user_pool.this.endpoint}"
}

output "user_pool_id" {
  description = "ID of the pool."
  value       = aws_cognito_user_pool.this.id
}

output "client_ids" {
  description = "IDs of the clients by name, people's among them."
  value = merge(
    { for name, client in aws_cognito_user_pool_client.program : name => client.id },
    { for name, client in aws_cognito_user_pool_client.people : name => client.id },
  )
}

output "token_url" {
  description = "Where clients get tokens."
  value       = "https://${aws_cognito_user_pool_domain.this.domain}.auth.${var.region}.amazoncognito.com/oauth2/token"
}

output "login_url" {
  description = "Where people sign in."
  value       = "https://${aws_cognito_user_pool_domain.this.domain}.auth.${var.region}.amazoncognito.com/oauth2/authorize"
}
