# Connections from a region to all others. Applied when all of them exist: subscriptions need the topic, and replication the
# destination bucket.

data "terraform_remote_state" "pre_deployment" {
  backend = "s3"
  config  = merge(local.remote_state, { key = "pre-deployment.tfstate" })
}

locals {
  names  = module.names.regions[local.region]
  others = setsubtract(keys(var.regions), [local.region])

  # The replicas of a multi-region key have the same ID.
  key_arns = {
    for region in keys(var.regions) : region =>
    replace(data.terraform_remote_state.pre_deployment.outputs.key_arn, ":${var.home_region}:", ":${region}:")
  }
}

module "subscriptions" {
  source = "../../modules/subscriptions"

  topic_arn             = local.names.topic_arn
  queue_arns            = { for region, names in module.names.regions : region => names.queue_arn }
  dead_letter_queue_arn = local.names.dead_letter_queue_arn
}

module "lake_replication" {
  source = "../../modules/lake-replication"
  # A single region has no destination.
  for_each = toset(length(local.others) > 0 ? [local.region] : [])

  role_name = "${module.names.prefix}-lake-replication-${each.value}"

  source_lake = {
    region  = each.value
    bucket  = local.names.lake
    arn     = local.names.lake_arn
    key_arn = local.key_arns[each.value]
  }

  destinations = {
    for region in local.others : region => {
      arn     = module.names.regions[region].lake_arn
      key_arn = local.key_arns[region]
    }
  }
}

output "lake_replication" {
  description = "For the replication check of pipeline.sh: bucket, prefix, and the bucket of each other region; null if there is only one region."
  value = one([for replication in values(module.lake_replication) : {
    bucket       = local.names.lake
    prefix       = replication.prefix
    destinations = { for region in local.others : region => module.names.regions[region].lake }
  }])
}
