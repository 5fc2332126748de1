mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1", key_id = "mrk-1" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_acm_certificate" {
    defaults = {
      domain_validation_options = [{
        domain_name           = "sales.example.com"
        resource_record_name  = "_1.sales.example.com."
        resource_record_type  = "CNAME"
        resource_record_value = "_2.acm-validations.aws."
      }]
    }
  }
}

variables {
  project     = "sales"
  environment = "dev"
  domain      = "sales.example.com"
  regions = {
    sa-east-1 = { cidr = "10.10.0.0/16" }
    us-east-1 = { cidr = "10.11.0.0/16" }
    eu-west-1 = { cidr = "10.12.0.0/16" }
  }
  home_region   = "sa-east-1"
  backup_region = "us-west-2"
  states        = { sa-east-1 = "ACTIVE", us-east-1 = "PASSIVE", eu-west-1 = "PASSIVE" }
  state_store   = { bucket = "sales-dev-terraform-111122223333", region = "us-west-2" }
}

run "it_is_applied_whole" {
  assert {
    condition     = output.key_arn == "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
    error_message = "the key is at home"
  }

  assert {
    condition = (
      aws_route53_record.validation.name == "_1.sales.example.com."
      && aws_route53_record.validation.type == "CNAME"
    )
    error_message = "one record validates the certificates of all regions"
  }

  assert {
    condition     = one(aws_acm_certificate.this.subject_alternative_names) == "*.sales.example.com"
    error_message = "api.DOMAIN and api-REGION.DOMAIN are covered by the wildcard"
  }

  assert {
    condition     = local.key_arns["us-east-1"] == "arn:aws:kms:us-east-1:111122223333:key/mrk-1"
    error_message = "replicas of a key have its id"
  }

  assert {
    condition     = toset(keys(output.repositories)) == toset(["api", "worker", "lake"])
    error_message = "a service has no repository"
  }

  assert {
    condition     = output.sign_in == null
    error_message = "a user pool where sign-in is off"
  }

  assert {
    condition     = length(output.github_role_arns) == 0
    error_message = "no repository, no roles"
  }
}

run "prod_without_sign_in_is_refused" {
  command = plan

  variables {
    environment = "prod"
  }

  expect_failures = [var.sign_in]
}

run "prod_with_a_pool_is_not" {
  command = plan

  variables {
    environment = "prod"
    sign_in = {
      mode    = "cognito"
      clients = { operator = { scopes = ["write", "read", "cancel", "all"] } }
    }
  }

  assert {
    condition     = length(module.sign_in) == 1
    error_message = "the home region has no user pool"
  }
}

run "issuers_without_audiences_are_refused" {
  command = plan

  variables {
    sign_in = { mode = "oidc", issuers = ["https://login.example.com"] }
  }

  expect_failures = [var.sign_in]
}

run "issuers_without_tls_are_refused" {
  command = plan

  variables {
    sign_in = { mode = "oidc", issuers = ["http://login.example.com"], audiences = ["sales-api"] }
  }

  expect_failures = [var.sign_in]
}

run "clients_in_vain_are_refused" {
  command = plan

  variables {
    sign_in = { clients = { operator = { scopes = ["write", "read", "cancel"] } } }
  }

  expect_failures = [var.sign_in]
}

run "a_pool_whose_rollouts_could_not_be_checked_is_refused" {
  command = plan

  variables {
    sign_in = { mode = "cognito", clients = { operator = { scopes = ["read"] } } }
  }

  expect_failures = [var.sign_in]
}

run "workflows_of_one_repository_get_roles" {
  variables {
    github_repository = "example/sales"
  }

  assert {
    condition     = toset(keys(output.github_role_arns)) == toset(["apply", "operator", "plan"])
    error_message = "plan, apply and operator"
  }
}

run "the_same_repository_by_its_ids_keeps_its_roles" {
  variables {
    github_repository = "example@123456/sales@789"
  }

  # Made anew beside the old ones, they would be refused: their names are taken, and an account has one provider.
  assert {
    condition     = output.github_role_arns == run.workflows_of_one_repository_get_roles.github_role_arns
    error_message = "other roles than before"
  }
}

run "half_an_id_is_refused" {
  command = plan

  variables {
    github_repository = "example@123456/sales"
  }

  expect_failures = [var.github_repository]
}

run "no_active_region_is_refused" {
  command = plan

  variables {
    states = { sa-east-1 = "PASSIVE", us-east-1 = "PASSIVE", eu-west-1 = "PASSIVE" }
  }

  expect_failures = [var.states]
}

run "a_home_that_is_no_region_is_refused" {
  command = plan

  variables {
    home_region = "us-east-2"
  }

  expect_failures = [var.home_region]
}

run "a_state_that_is_lost_with_a_region_is_refused" {
  command = plan

  variables {
    state_store = { bucket = "sales-dev-terraform-111122223333", region = "us-east-1" }
  }

  expect_failures = [var.state_store]
}

run "backups_that_are_lost_with_a_region_are_refused" {
  command = plan

  variables {
    backup_region = "eu-west-1"
  }

  expect_failures = [var.backup_region]
}
