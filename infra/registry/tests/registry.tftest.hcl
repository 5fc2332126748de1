mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

variables {
  project     = "sales"
  environment = "dev"
  domain      = "sales.example.com"
  region      = "us-east-1"
  regions = {
    sa-east-1 = { cidr = "10.10.0.0/16" }
    us-east-1 = { cidr = "10.11.0.0/16" }
  }
  home_region   = "sa-east-1"
  backup_region = "us-west-2"
  states        = { sa-east-1 = "ACTIVE", us-east-1 = "PASSIVE" }
  state_store   = { bucket = "sales-dev-terraform-111122223333", region = "us-west-2" }
}

run "the_template_is_for_the_repositories_of_both_services" {
  assert {
    condition = alltrue([
      for repository in [module.names.api_repository, module.names.worker_repository, module.names.lake_repository] :
      startswith(repository, "${module.registry_replica.prefix}/")
    ])
    error_message = "ECR would make a repository as it makes all others"
  }
}

run "a_region_has_a_pool_if_the_data_says_so" {
  command = plan

  variables {
    sign_in = {
      mode    = "cognito"
      clients = { operator = { scopes = ["write", "read", "cancel", "all"] }, shop-a = { scopes = ["write"] } }
    }
  }

  assert {
    condition     = toset(keys(module.sign_in["us-east-1"].client_ids)) == toset(["operator", "shop-a"])
    error_message = "a lost region's clients would have no other to get a token from"
  }
}

run "without_the_data_there_is_no_pool" {
  command = plan

  assert {
    condition     = output.sign_in == null
    error_message = "a user pool where sign-in is off"
  }
}
