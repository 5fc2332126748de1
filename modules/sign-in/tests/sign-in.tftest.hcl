mock_provider "aws" {
  mock_resource "aws_cognito_user_pool" {
    defaults = { id = "sa-east-1_Example", endpoint = "cognito-idp.sa-east-1.amazonaws.com/sa-east-1_Example" }
  }
}

variables {
  name          = "sales-dev"
  region        = "sa-east-1"
  domain_prefix = "sales-dev-111122223333"
  clients = {
    operator = { scopes = ["write", "read", "cancel", "all"] }
    shop-a   = { scopes = ["write", "read"], token_minutes = 30 }
  }
  people              = { callback_urls = ["https://back-office.example.com/signed-in"] }
  deletion_protection = true
}

run "a_program_has_a_secret_and_no_other_way_in" {
  assert {
    condition = alltrue([
      for client in aws_cognito_user_pool_client.program : (
        client.generate_secret
        && client.allowed_oauth_flows_user_pool_client
        && client.allowed_oauth_flows == toset(["client_credentials"])
        && client.explicit_auth_flows == toset(["ALLOW_REFRESH_TOKEN_AUTH"])
      )
    ])
    error_message = "Cognito refuses client_credentials without a secret or beside another grant"
  }

  assert {
    condition = {
      for name, client in aws_cognito_user_pool_client.program : name => client.allowed_oauth_scopes
      } == {
      operator = toset(["sales/write", "sales/read", "sales/cancel", "sales/all"])
      shop-a   = toset(["sales/write", "sales/read"])
    }
    error_message = "a client has the scopes that the data names, in the API's form"
  }

  assert {
    condition = (
      aws_cognito_user_pool_client.program["shop-a"].access_token_validity == 30
      && alltrue([for client in aws_cognito_user_pool_client.program : client.token_validity_units[0].access_token == "minutes"])
    )
    error_message = "without units, Cognito counts hours"
  }
}

run "the_pool_knows_the_scopes_of_the_api" {
  assert {
    condition = (
      aws_cognito_resource_server.this.identifier == "sales"
      && toset(aws_cognito_resource_server.this.scope[*].scope_name) == toset(["write", "read", "cancel", "all"])
    )
    error_message = "the API asks for sales/write, sales/read, sales/cancel and sales/all"
  }
}

# https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain.html
run "there_is_a_domain_since_tokens_come_from_it" {
  assert {
    condition     = output.token_url == "https://sales-dev-111122223333.auth.sa-east-1.amazoncognito.com/oauth2/token"
    error_message = "a pool without a domain has no token endpoint"
  }

  assert {
    condition     = aws_cognito_user_pool_domain.this.managed_login_version == 1
    error_message = "the second generation shows no page without a style for the client"
  }
}

run "people_sign_in_with_a_code_and_no_secret" {
  assert {
    condition = (
      !aws_cognito_user_pool_client.people["people"].generate_secret
      && aws_cognito_user_pool_client.people["people"].allowed_oauth_flows == toset(["code"])
      && contains(aws_cognito_user_pool_client.people["people"].allowed_oauth_scopes, "sales/read")
      && !contains(aws_cognito_user_pool_client.people["people"].allowed_oauth_scopes, "sales/write")
    )
    error_message = "a browser keeps no secret, and people read unless the data says more"
  }

  assert {
    condition     = aws_cognito_user_pool.this.mfa_configuration == "OPTIONAL" && aws_cognito_user_pool.this.software_token_mfa_configuration[0].enabled
    error_message = "a second factor is possible"
  }

  assert {
    condition = (
      aws_cognito_user_pool.this.password_policy[0].minimum_length >= 14
      && aws_cognito_user_pool.this.password_policy[0].password_history_size == 12
      # Cognito ignores a history in the plan LITE.
      && aws_cognito_user_pool.this.user_pool_tier == "ESSENTIALS"
    )
    error_message = "passwords are long, and not the old ones again"
  }

  assert {
    condition     = aws_cognito_user_pool.this.admin_create_user_config[0].allow_admin_create_user_only
    error_message = "anybody could sign up"
  }
}

run "without_people_there_is_no_login" {
  variables {
    people = null
  }

  assert {
    condition     = length(aws_cognito_user_pool_client.people) == 0 && toset(keys(output.client_ids)) == toset(["operator", "shop-a"])
    error_message = "a client for people, whom the data does not name"
  }
}

run "the_issuer_is_what_tokens_say" {
  assert {
    condition     = output.issuer == "https://cognito-idp.sa-east-1.amazonaws.com/sa-east-1_Example"
    error_message = "the API compares it with iss"
  }
}

run "credentials_are_not_deleted_by_mistake" {
  assert {
    condition     = aws_cognito_user_pool.this.deletion_protection == "ACTIVE"
    error_message = "all shops would need new credentials"
  }
}

run "a_scope_that_the_api_does_not_know_is_refused" {
  command = plan

  variables {
    clients = { shop-a = { scopes = ["write", "admin"] } }
  }

  expect_failures = [var.clients]
}

run "a_token_without_an_end_is_refused" {
  command = plan

  variables {
    clients = { shop-a = { scopes = ["write"], token_minutes = 100000 } }
  }

  expect_failures = [var.clients]
}

run "a_domain_that_cognito_reserves_is_refused" {
  command = plan

  variables {
    domain_prefix = "my-aws-sales"
  }

  expect_failures = [var.domain_prefix]
}

run "a_login_that_returns_without_tls_is_refused" {
  command = plan

  variables {
    people = { callback_urls = ["http://back-office.example.com/signed-in"] }
  }

  expect_failures = [var.people]
}
