# Every name and ARN that more than one stage must agree on. Nothing is created here.

locals {
  prefix = "${var.project}-${var.environment}"

  # Regions that every account has. All later ones are opted in to; so is Osaka for SNS, which lists it among them.
  default_regions = [
    "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1",
    "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
    "us-east-1", "us-east-2", "us-west-1", "us-west-2",
  ]

  regions = {
    for region in var.regions : region => {
      sales_table           = "${local.prefix}-sales"
      sales_table_arn       = "arn:aws:dynamodb:${region}:${var.account}:table/${local.prefix}-sales"
      idempotency_table     = "${local.prefix}-sales-idempotency"
      idempotency_table_arn = "arn:aws:dynamodb:${region}:${var.account}:table/${local.prefix}-sales-idempotency"
      topic                 = "${local.prefix}-sales"
      topic_arn             = "arn:aws:sns:${region}:${var.account}:${local.prefix}-sales"
      queue                 = "${local.prefix}-sales"
      queue_arn             = "arn:aws:sqs:${region}:${var.account}:${local.prefix}-sales"
      dead_letter_queue     = "${local.prefix}-sales-dead-letters"
      dead_letter_queue_arn = "arn:aws:sqs:${region}:${var.account}:${local.prefix}-sales-dead-letters"
      # Names of buckets are shared by all accounts.
      lake                = "${local.prefix}-lake-${var.account}-${region}"
      lake_arn            = "arn:aws:s3:::${local.prefix}-lake-${var.account}-${region}"
      state_parameter     = "/${local.prefix}/site/state"
      state_parameter_arn = "arn:aws:ssm:${region}:${var.account}:parameter/${local.prefix}/site/state"
      # The map of states as it was last applied, beside the parameter that operators switch.
      applied_state_parameter = "/${local.prefix}/site/applied-state"
      key_alias               = "alias/${local.prefix}"
      api_repository          = "${var.account}.dkr.ecr.${region}.amazonaws.com/${local.prefix}/sales-api"
      worker_repository       = "${var.account}.dkr.ecr.${region}.amazonaws.com/${local.prefix}/sales-worker"
      # One label below the domain, so that one wildcard certificate covers all of them.
      api_host = "api-${region}.${var.domain}"
    }
  }
}
