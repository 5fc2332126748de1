# A region planned and applied whole, to a provider that only pretends.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_region" {
    defaults = { name = "sa-east-1" }
  }

  mock_data "aws_availability_zones" {
    defaults = { names = ["sa-east-1a", "sa-east-1b", "sa-east-1c"] }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1", key_id = "mrk-1" }
  }

  mock_resource "aws_kms_replica_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:111122223333:key/mrk-1", key_id = "mrk-1" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:sa-east-1:111122223333:sales-dev-sales" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales"
      id  = "https://sqs.sa-east-1.amazonaws.com/111122223333/sales-dev-sales"
      url = "https://sqs.sa-east-1.amazonaws.com/111122223333/sales-dev-sales"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/sales-dev" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:sa-east-1:111122223333:log-group:sales-dev" }
  }

  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:sa-east-1:111122223333:cluster/sales-dev" }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:sa-east-1:111122223333:task-definition/sales-dev:1" }
  }

  mock_data "aws_ecs_service" {
    defaults = { task_definition = "arn:aws:ecs:sa-east-1:111122223333:task-definition/sales-dev:1" }
  }

  mock_resource "aws_acm_certificate" {
    defaults = { arn = "arn:aws:acm:sa-east-1:111122223333:certificate/1" }
  }

  mock_resource "aws_lb" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:loadbalancer/app/sales-dev-alb/1"
      arn_suffix = "app/sales-dev-alb/1"
    }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:listener/app/sales-dev-alb/1/1" }
  }

  mock_resource "aws_lb_target_group" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:targetgroup/sales-dev-api/1"
      arn_suffix = "targetgroup/sales-dev-api/1"
    }
  }

  mock_resource "aws_api_gateway_stage" {
    defaults = { arn = "arn:aws:apigateway:sa-east-1::/restapis/1/stages/live" }
  }

  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:sa-east-1:111122223333:regional/webacl/sales-dev/1" }
  }

  mock_resource "aws_wafv2_ip_set" {
    defaults = { arn = "arn:aws:wafv2:sa-east-1:111122223333:regional/ipset/sales-dev/1" }
  }

  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:sa-east-1:111122223333:alarm:sales-dev" }
  }
}

override_data {
  target = data.terraform_remote_state.pre_deployment
  values = {
    outputs = {
      key_arn               = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
      sales_table_arn       = "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales"
      idempotency_table_arn = "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales-idempotency"
    }
  }
}

variables {
  project     = "sales"
  environment = "dev"
  domain      = "sales.example.com"
  region      = "sa-east-1"
  regions = {
    sa-east-1 = { cidr = "10.10.0.0/16" }
    us-east-1 = { cidr = "10.11.0.0/16" }
    eu-west-1 = { cidr = "10.12.0.0/16" }
  }
  home_region   = "sa-east-1"
  backup_region = "us-west-2"
  states        = { sa-east-1 = "ACTIVE", us-east-1 = "PASSIVE", eu-west-1 = "PASSIVE" }
  state_store   = { bucket = "sales-dev-terraform-111122223333", region = "us-west-2" }
  images = {
    api    = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    worker = "sha256:123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"
    lake   = "sha256:23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01"
  }
}

run "the_home_region_is_applied_whole" {
  assert {
    condition = toset(keys(output.region)) == toset([
      "nlb_arn", "nlb_dns_name", "nlb_zone_id", "api_url", "queue_url", "dead_letter_queue_url", "minimum",
      "network", "services", "queries",
      "api_gateway_domain_name", "api_gateway_zone_id", "api_gateway_region_domain_name", "api_gateway_region_zone_id",
    ])
    error_message = "what the stages after this one read is all there"
  }

  assert {
    condition     = length(module.table_replica) == 0
    error_message = "at home are the tables themselves"
  }

  assert {
    condition = alltrue([
      for name in ["AWS_REGION", "SNS_SALES_PROCESSING_TOPIC", "SSM_PARAMETER_STORE_STATE", "DYNAMO_SALES_TABLE"] :
      contains(keys(output.region.services.api), name)
    ])
    error_message = "the API's required variables are set"
  }

  assert {
    condition = alltrue([
      for name in [
        "AWS_REGION", "SQS_SALES_QUEUE", "SSM_PARAMETER_STORE_STATE", "DYNAMO_SALES_TABLE",
        "DYNAMO_SALES_IDEMPOTENCY_TABLE", "S3_SALES_BUCKET",
      ] : contains(keys(output.region.services.worker), name)
    ])
    error_message = "the worker's required variables are set"
  }

  assert {
    condition = toset(keys(output.region.services.lake)) == toset([
      "AWS_REGION", "S3_SALES_BUCKET", "DYNAMO_SALES_IDEMPOTENCY_TABLE",
    ])
    error_message = "the builder's required variables are set, and it does not know the region's state"
  }

  assert {
    condition = alltrue([
      for service in ["api", "worker"] : output.region.services[service].PENDING_SHARDS == "16"
    ])
    error_message = "both services agree on the shards"
  }

  assert {
    condition     = output.region.services.worker.PENDING_GRACE_SECONDS == "30"
    error_message = "the worker's grace period is the one that salesctl is told"
  }

  assert {
    condition     = output.region.services.api.TLS == "self-signed"
    error_message = "the way to the task is encrypted to its end"
  }

  assert {
    condition = local.images.api == join("@", [
      "111122223333.dkr.ecr.sa-east-1.amazonaws.com/sales-dev/sales-api", var.images.api
    ])
    error_message = "a region does not depend on another one's registry"
  }
}

run "without_sign_in_the_api_gets_none_of_its_variables" {
  command = plan

  assert {
    condition     = !anytrue([for name in keys(output.region.services.api) : startswith(name, "OIDC_")])
    error_message = "the API ends at once where one is set without issuers"
  }
}

run "clients_of_another_identity_provider_are_known_by_data" {
  command = plan

  variables {
    sign_in = {
      mode             = "oidc"
      issuers          = ["https://login.example.com/one", "https://login.example.com/two"]
      audiences        = ["sales-api"]
      jwks_urls        = ["https://login.example.com/one/keys", "https://login.example.com/two/keys"]
      scope_prefix     = "shop:"
      separate_issuers = true
    }
  }

  assert {
    condition = {
      for name, value in output.region.services.api : name => value if startswith(name, "OIDC_")
      } == {
      OIDC_ISSUERS          = "https://login.example.com/one,https://login.example.com/two"
      OIDC_AUDIENCES        = "sales-api"
      OIDC_JWKS_URLS        = "https://login.example.com/one/keys,https://login.example.com/two/keys"
      OIDC_SCOPE_PREFIX     = "shop:"
      OIDC_SEPARATE_ISSUERS = "true"
    }
    error_message = "the API is told something else than the data"
  }
}

run "each_region_accepts_the_tokens_of_all_pools_and_knows_a_client_by_all_its_ids" {
  command = plan

  variables {
    region = "us-east-1"
    sign_in = {
      mode    = "cognito"
      clients = { operator = { scopes = ["write", "read", "cancel", "all"] }, shop-a = { scopes = ["write"] } }
    }
  }

  override_data {
    target = data.terraform_remote_state.pre_deployment
    values = {
      outputs = {
        key_arn               = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
        sales_table_arn       = "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales"
        idempotency_table_arn = "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales-idempotency"
        sign_in = {
          issuer     = "https://cognito-idp.sa-east-1.amazonaws.com/sa-east-1_Home"
          client_ids = { operator = "id1", shop-a = "id2" }
        }
      }
    }
  }

  override_data {
    target = data.terraform_remote_state.registry["us-east-1"]
    values = {
      outputs = {
        sign_in = {
          issuer     = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other"
          client_ids = { operator = "id3", shop-a = "id4" }
        }
      }
    }
  }

  override_data {
    target = data.terraform_remote_state.registry["eu-west-1"]
    values = {
      outputs = {
        sign_in = {
          issuer     = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Third"
          client_ids = { operator = "id5", shop-a = "id6" }
        }
      }
    }
  }

  assert {
    condition = output.region.services.api.OIDC_ISSUERS == join(",", [
      "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Third",
      "https://cognito-idp.sa-east-1.amazonaws.com/sa-east-1_Home",
      "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other",
    ])
    error_message = "a client of a lost region could not go on with a token of another"
  }

  assert {
    condition     = output.region.services.api.OIDC_AUDIENCES == "id1,id3,id5,id2,id4,id6"
    error_message = "the tokens of a client would be refused in some regions"
  }

  assert {
    condition     = output.region.services.api.OIDC_CLIENTS == "id1=operator,id3=operator,id5=operator,id2=shop-a,id4=shop-a,id6=shop-a"
    error_message = "a shop would not see its own sales with the token of another region"
  }
}

run "a_region_without_its_pool_is_refused" {
  command = plan

  variables {
    sign_in = {
      mode    = "cognito"
      clients = { operator = { scopes = ["write", "read", "cancel"] } }
    }
  }

  override_data {
    target = data.terraform_remote_state.registry["us-east-1"]
    values = { outputs = {} }
  }

  override_data {
    target = data.terraform_remote_state.registry["eu-west-1"]
    values = { outputs = {} }
  }

  expect_failures = [terraform_data.user_pools]
}

run "the_operator_s_command_finds_the_services_by_the_names_that_all_stages_know" {
  command = plan

  assert {
    condition = {
      cluster = module.names.cluster
      api     = module.names.api_service
      worker  = module.names.worker_service
      lake    = module.names.lake_service
      } == {
      cluster = module.cluster.name
      api     = module.api.service_name
      worker  = module.worker.service_name
      lake    = module.builder.service_name
    }
    error_message = "the cluster or a service has another name than salesctl.toml says"
  }
}

run "another_region_has_replicas_and_names_of_its_own" {
  command = plan

  variables {
    region = "us-east-1"
  }

  assert {
    condition     = toset(keys(module.table_replica)) == toset(["sales", "idempotency"])
    error_message = "both tables have a replica in a region that is not home"
  }

  assert {
    condition     = output.region.api_url == "https://api-us-east-1.sales.example.com"
    error_message = "each region has a host of its own"
  }

  assert {
    condition     = output.region.services.api.AWS_REGION == "us-east-1"
    error_message = "services know where they are"
  }
}

run "a_region_is_added_by_data_alone_and_its_state_is_not_built_in" {
  command = plan

  variables {
    region = "eu-west-1"
    states = { sa-east-1 = "PASSIVE", us-east-1 = "PASSIVE", eu-west-1 = "ACTIVE" }
  }

  assert {
    condition     = !strcontains(jsonencode(output.region.services), "ACTIVE")
    error_message = "services read the state of their region as they run"
  }

  assert {
    condition     = local.hosts == ["sales.example.com", "api.sales.example.com", "api-eu-west-1.sales.example.com"]
    error_message = "its load balancer answers for the common hosts and for its own"
  }
}

run "a_passive_region_keeps_all_of_its_tasks_unless_told_otherwise" {
  command = plan

  variables {
    region  = "us-east-1"
    compute = { api = { minimum = 12 }, worker = { minimum = 3 } }
  }

  assert {
    condition     = output.region.minimum == { api = 12, worker = 3 }
    error_message = "a switch would send a load to fewer tasks than it had"
  }
}

run "a_passive_region_keeps_a_share_and_two_tasks_at_the_least" {
  command = plan

  variables {
    region  = "us-east-1"
    compute = { api = { minimum = 12 }, worker = { minimum = 3 } }
    standby = 0.3
  }

  assert {
    condition     = output.region.minimum == { api = 4, worker = 2 }
    error_message = "a part of a task is a task, and one alone would be lost with its zone"
  }
}

run "an_active_region_keeps_all_whatever_stands_by" {
  command = plan

  variables {
    compute = { api = { minimum = 12 }, worker = { minimum = 3 } }
    standby = 0.3
  }

  assert {
    condition     = output.region.minimum == { api = 12, worker = 3 }
    error_message = "the share is a PASSIVE region's"
  }
}

run "a_region_that_becomes_active_is_brought_to_capacity_before_it_is" {
  command = plan

  variables {
    region  = "us-east-1"
    states  = { sa-east-1 = "PASSIVE", us-east-1 = "ACTIVE", eu-west-1 = "PASSIVE" }
    compute = { api = { minimum = 12 }, worker = { minimum = 3 } }
    standby = 0.3
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.site
    values = { names = ["/sales-dev/site/state"], values = ["PASSIVE"] }
  }

  assert {
    condition     = output.region.minimum == { api = 12, worker = 3 }
    error_message = "the traffic would be there before the tasks"
  }
}

run "a_region_that_becomes_passive_gives_nothing_up_before_it_is" {
  command = plan

  variables {
    states  = { sa-east-1 = "PASSIVE", us-east-1 = "ACTIVE", eu-west-1 = "PASSIVE" }
    compute = { api = { minimum = 12 }, worker = { minimum = 3 } }
    standby = 0.3
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.site
    values = { names = ["/sales-dev/site/applied-state", "/sales-dev/site/state"], values = ["ACTIVE", "ACTIVE"] }
  }

  assert {
    condition     = output.region.minimum == { api = 12, worker = 3 }
    error_message = "the region that still has the traffic would be made smaller"
  }
}

run "a_region_that_an_operator_has_switched_on_is_not_made_smaller" {
  command = plan

  variables {
    region  = "us-east-1"
    compute = { api = { minimum = 12 }, worker = { minimum = 3 } }
    standby = 0.3
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.site
    values = { names = ["/sales-dev/site/applied-state", "/sales-dev/site/state"], values = ["PASSIVE", "ACTIVE"] }
  }

  assert {
    condition     = output.region.minimum == { api = 12, worker = 3 }
    error_message = "the map does not know of the switch, but the region does"
  }
}

run "a_passive_region_without_tasks_is_refused" {
  command = plan

  variables {
    standby = 0
  }

  expect_failures = [var.standby]
}

run "a_region_that_is_to_be_destroyed_is_else_as_it_was" {
  command = plan

  variables {
    teardown = true
  }

  assert {
    condition     = output.region.api_url == "https://api-sa-east-1.sales.example.com"
    error_message = "nothing else changes before all is destroyed"
  }
}

run "a_replica_of_the_key_that_is_there_is_taken_over" {
  command = plan

  variables {
    region   = "us-east-1"
    kept_key = "mrk-1"
  }

  # What is imported; mocks have nothing there.
  override_resource {
    target = module.key.aws_kms_replica_key.this[0]
    values = { arn = "arn:aws:kms:us-east-1:111122223333:key/mrk-1-as-it-was", key_id = "mrk-1" }
  }

  assert {
    condition     = module.key.arn == "arn:aws:kms:us-east-1:111122223333:key/mrk-1-as-it-was"
    error_message = "another one beside it would be refused"
  }
}
