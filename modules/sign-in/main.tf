# A region's user pool: an OIDC issuer with a client for each program, and managed login for people. The API of every region
# accepts its tokens, and needs its keys only.

locals {
  # The API's OIDC_SCOPE_PREFIX is this and a slash.
  resource_server = "sales"

  scopes = {
    write  = "post sales"
    read   = "read sales"
    cancel = "cancel sales"
    all    = "the same for the sales of every client"
  }

  people = { for people in var.people[*] : "people" => people }
}

resource "aws_cognito_user_pool" "this" {
  name                = var.name
  deletion_protection = var.deletion_protection ? "ACTIVE" : "INACTIVE"
  # The least plan with a history of passwords.
  user_pool_tier = "ESSENTIALS"

  # Of people. Programs have neither a user nor a password.
  username_attributes      = ["email"]
  auto_verified_attributes = ["email"]
  mfa_configuration        = "OPTIONAL"

  software_token_mfa_configuration {
    enabled = true
  }

  username_configuration {
    case_sensitive = false
  }

  admin_create_user_config {
    allow_admin_create_user_only = true
  }

  password_policy {
    minimum_length                   = 14
    require_lowercase                = true
    require_uppercase                = true
    require_numbers                  = true
    require_symbols                  = true
    password_history_size            = 12
    temporary_password_validity_days = 3
  }

  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }

  user_attribute_update_settings {
    attributes_require_verification_before_update = ["email"]
  }
}

resource "aws_cognito_resource_server" "this" {
  user_pool_id = aws_cognito_user_pool.this.id
  identifier   = local.resource_server
  name         = "Sales API of ${var.name}"

  dynamic "scope" {
    for_each = local.scopes

    content {
      scope_name        = scope.key
      scope_description = scope.value
    }
  }
}

# With the token endpoint, which programs need, too. The pages are those of the first generation: the second shows none until a
# style is assigned to each client, which this version of the provider cannot do.
resource "aws_cognito_user_pool_domain" "this" {
  user_pool_id          = aws_cognito_user_pool.this.id
  domain                = var.domain_prefix
  managed_login_version = 1
}

# Programs, one client for each shop. Cognito allows client_credentials only for clients with a secret and without any other
# grant, and gives no ID or refresh token for it.
resource "aws_cognito_user_pool_client" "program" {
  for_each = var.clients

  user_pool_id = aws_cognito_user_pool.this.id
  name         = each.key

  generate_secret                      = true
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["client_credentials"]
  allowed_oauth_scopes                 = [for scope in each.value.scopes : "${aws_cognito_resource_server.this.identifier}/${scope}"]
  # Without this, Cognito would allow sign-in with a password.
  explicit_auth_flows           = ["ALLOW_REFRESH_TOKEN_AUTH"]
  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true
  access_token_validity         = each.value.token_minutes
  id_token_validity             = 60
  refresh_token_validity        = 1

  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "days"
  }
}

# People, in a browser or with a tool that opens one: the code grant with PKCE, without a secret, which neither could keep.
resource "aws_cognito_user_pool_client" "people" {
  for_each = local.people

  user_pool_id = aws_cognito_user_pool.this.id
  name         = each.key

  generate_secret                      = false
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes = concat(
    ["openid", "email"],
    [for scope in each.value.scopes : "${aws_cognito_resource_server.this.identifier}/${scope}"],
  )
  callback_urls                 = each.value.callback_urls
  logout_urls                   = each.value.logout_urls
  supported_identity_providers  = ["COGNITO"]
  explicit_auth_flows           = ["ALLOW_REFRESH_TOKEN_AUTH"]
  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true
  access_token_validity         = 60
  id_token_validity             = 60
  refresh_token_validity        = 1

  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "days"
  }
}
