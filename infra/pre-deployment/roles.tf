# Global roles. The task roles belong to a region; infra/deployment creates them.

module "execution_role" {
  source = "../../modules/execution-role"

  name         = module.names.execution_role
  account      = data.aws_caller_identity.current.account_id
  regions      = keys(var.regions)
  repositories = [module.names.api_repository, module.names.worker_repository, module.names.lake_repository]
  log_groups   = [for service in ["api", "worker", "lake"] : "/ecs/${module.names.prefix}-${service}"]
}

module "github" {
  source = "../../modules/github-oidc"
  # A fixed key, independent of the repository's name: an account has one provider for GitHub, and role names are unique.
  for_each = { for repository in var.github_repository[*] : "github" => repository }

  repository       = each.value
  environment      = var.environment
  prefix           = module.names.prefix
  tags             = { project = var.project, environment = var.environment }
  account          = data.aws_caller_identity.current.account_id
  state_bucket_arn = "arn:aws:s3:::${try(var.state_store.bucket, "${module.names.prefix}-terraform")}"
  state_key_alias  = "${local.names.key_alias}-terraform"

  regions = {
    for region, names in module.names.regions : region => {
      sales_table_arn       = names.sales_table_arn
      idempotency_table_arn = names.idempotency_table_arn
      queue_arn             = names.queue_arn
      dead_letter_queue_arn = names.dead_letter_queue_arn
      lake_arn              = names.lake_arn
      state_parameter_arn   = names.state_parameter_arn
      key_arn               = local.key_arns[region]
    }
  }
}
