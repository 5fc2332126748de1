# Names and ARNs that are used by more than one stage. Nothing is created here.

locals {
  prefix = "${var.project}-${var.environment}"

  # Regions that are enabled by default. All later ones are opt-in; for SNS, so is Osaka.
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
      # Bucket names are unique among all accounts.
      lake     = "${local.prefix}-lake-${var.account}-${region}"
      lake_arn = "arn:aws:s3:::${local.prefix}-lake-${var.account}-${region}"
      # Results of analysts' queries.
      queries             = "${local.prefix}-queries-${var.account}-${region}"
      state_parameter     = "/${local.prefix}/site/state"
      state_parameter_arn = "arn:aws:ssm:${region}:${var.account}:parameter/${local.prefix}/site/state"
      # The last applied state, in the same path as the parameter that salesctl switches.
      applied_state_parameter = "/${local.prefix}/site/applied-state"
      key_alias               = "alias/${local.prefix}"
      api_repository          = "${var.account}.dkr.ecr.${region}.amazonaws.com/${local.prefix}/sales-api"
      worker_repository       = "${var.account}.dkr.ecr.${region}.amazonaws.com/${local.prefix}/sales-worker"
      lake_repository         = "${var.account}.dkr.ecr.${region}.amazonaws.com/${local.prefix}/sales-lake"
      # First label of the user pool's domain; unique in its region among all accounts.
      sign_in_domain = "${local.prefix}-${var.account}"
      # One label below the domain, covered by the wildcard certificate.
      api_host = "api-${region}.${var.domain}"
    }
  }
}
