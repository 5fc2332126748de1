mock_provider "aws" {
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  repository       = "example/sales"
  environment      = "dev"
  prefix           = "sales-dev"
  account          = "111122223333"
  tags             = { project = "sales", environment = "dev" }
  state_bucket_arn = "arn:aws:s3:::sales-dev-terraform-111122223333"
  state_key_alias  = "alias/sales-dev-terraform"
  regions = {
    sa-east-1 = {
      sales_table_arn       = "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales"
      idempotency_table_arn = "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales-idempotency"
      queue_arn             = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales"
      dead_letter_queue_arn = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales-dead-letters"
      lake_arn              = "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1"
      state_parameter_arn   = "arn:aws:ssm:sa-east-1:111122223333:parameter/sales-dev/site/state"
      key_arn               = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
    }
  }
}

run "a_token_is_believed_for_exact_subjects_of_one_repository" {
  assert {
    condition = alltrue(flatten([
      for document in data.aws_iam_policy_document.trust : [
        for condition in document.statement[0].condition : [
          for value in condition.values : condition.test == "StringEquals" && !strcontains(value, "*")
        ]
      ]
    ]))
    error_message = "a wildcard lets in what nobody thought of"
  }

  assert {
    condition = alltrue(flatten([
      for document in data.aws_iam_policy_document.trust : [
        for condition in document.statement[0].condition : [
          for value in condition.values : startswith(value, "repo:example/sales:")
        ] if endswith(condition.variable, ":sub")
      ]
    ]))
    error_message = "another repository is let in"
  }
}

run "with_ids_only_the_subject_with_ids_is_believed" {
  variables {
    repository = "example@123456/sales.api_1@789"
  }

  assert {
    condition = flatten([
      for condition in data.aws_iam_policy_document.trust["apply"].statement[0].condition :
      tolist(condition.values) if endswith(condition.variable, ":sub")
    ]) == ["repo:example@123456/sales.api_1@789:environment:dev"]
    error_message = "the form without ids belongs to whoever has the name, and was not asked for"
  }

  assert {
    condition = alltrue(flatten([
      for document in data.aws_iam_policy_document.trust : [
        for condition in document.statement[0].condition : [
          for value in condition.values :
          condition.test == "StringEquals" && startswith(value, "repo:example@123456/sales.api_1@789:")
        ] if endswith(condition.variable, ":sub")
      ]
    ]))
    error_message = "each role, exactly"
  }
}

run "only_jobs_of_the_environment_apply_and_switch" {
  assert {
    condition = alltrue(flatten([
      for role in ["apply", "operator"] : [
        for condition in data.aws_iam_policy_document.trust[role].statement[0].condition : [
          for value in condition.values : value == "repo:example/sales:environment:dev"
        ] if endswith(condition.variable, ":sub")
      ]
    ]))
    error_message = "a pull request could apply"
  }
}

run "a_plan_changes_nothing_and_reads_no_data" {
  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.plan.statement : [
        for action in statement.actions : startswith(action, "kms:") || alltrue([
          for arn in statement.resources : endswith(arn, ".tflock")
        ])
      ] if statement.effect != "Deny"
    ]))
    error_message = "a plan writes locks, and nothing else"
  }

  assert {
    condition = contains(flatten([
      for statement in data.aws_iam_policy_document.plan.statement :
      tolist(statement.actions) if statement.effect == "Deny"
    ]), "dynamodb:Scan")
    error_message = "a plan could read sales"
  }
}

run "apply_makes_no_users_and_cannot_change_itself" {
  assert {
    condition = !anytrue(flatten([
      for statement in concat(
        data.aws_iam_policy_document.apply_roles.statement,
        data.aws_iam_policy_document.apply_resources.statement,
        ) : [
        for action in statement.actions :
        contains(["*", "iam:*", "iam:CreateUser", "iam:CreateAccessKey"], action) || startswith(action, "sts:")
      ] if statement.effect != "Deny"
    ]))
    error_message = "apply could make itself another way in"
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.apply_roles.statement :
      statement.effect == "Deny" && contains(statement.actions, "iam:PutRolePolicy")
      && contains(statement.resources, "arn:aws:iam::111122223333:role/sales-dev-github-*")
    ])
    error_message = "apply could change what it may do"
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.apply_roles.statement :
      length(statement.condition) == 1 if contains(statement.actions, "iam:PassRole") && statement.effect != "Deny"
    ])
    error_message = "roles are passed to the services that run here alone"
  }
}

run "apply_destroys_no_keys_of_others" {
  assert {
    condition = toset([
      for statement in data.aws_iam_policy_document.apply_resources.statement :
      one(statement.condition).variable
      if statement.effect == "Deny" && contains(statement.actions, "kms:ScheduleKeyDeletion")
    ]) == toset(["aws:ResourceTag/environment", "aws:ResourceTag/project"])
    error_message = "each tag must be ours"
  }

  assert {
    condition = alltrue(flatten([
      for name, arns in local.own : [
        for arn in arns : strcontains(arn, var.prefix) || strcontains(arn, "API-Gateway-Execution-Logs_")
      ] if name != "glue"
    ]))
    error_message = "what has a name has ours"
  }

  # An account has one catalog in each region; each call names what it is about, too.
  assert {
    condition = toset(local.own.glue) == toset([
      "arn:aws:glue:*:111122223333:catalog",
      "arn:aws:glue:*:111122223333:database/sales_dev",
      "arn:aws:glue:*:111122223333:table/sales_dev/*",
      "arn:aws:glue:*:111122223333:userDefinedFunction/sales_dev/*",
    ])
    error_message = "what has a name has ours"
  }
}

run "the_operator_switches_without_wildcards" {
  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.operator.statement :
      contains(statement.actions, "ssm:PutParameter")
      && one(statement.resources) == "arn:aws:ssm:sa-east-1:111122223333:parameter/sales-dev/site/state"
    ])
    error_message = "the operator may set the state parameters, and no others"
  }
}

run "the_operator_reads_the_lake_and_writes_the_journal_alone" {
  assert {
    condition = {
      for statement in data.aws_iam_policy_document.operator.statement :
      one(statement.resources) => toset(statement.actions) if anytrue([
        for action in statement.actions : startswith(action, "s3:")
      ])
      } == {
      "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1"               = toset(["s3:ListBucket", "s3:ListBucketVersions"])
      "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1/journal/*"     = toset(["s3:GetObject", "s3:PutObject"])
      "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1/table/sales/*" = toset(["s3:GetObject"])
    }
    error_message = "the operator lists the lake, reads journal and table, and copies objects of the journal"
  }
}

run "the_operator_brings_services_to_capacity_and_no_others" {
  assert {
    condition = [
      for statement in data.aws_iam_policy_document.operator.statement :
      one(statement.resources) if contains(statement.actions, "ecs:UpdateService")
    ] == ["arn:aws:ecs:sa-east-1:111122223333:service/sales-dev/sales-dev-*"]
    error_message = "the services of this environment's cluster, and of no other"
  }

  assert {
    condition = {
      for condition in flatten([
        for statement in data.aws_iam_policy_document.operator.statement :
        tolist(statement.condition) if contains(statement.actions, "application-autoscaling:RegisterScalableTarget")
      ]) : condition.variable => one(condition.values)
      } == {
      "application-autoscaling:service-namespace"  = "ecs"
      "application-autoscaling:scalable-dimension" = "ecs:service:DesiredCount"
    }
    error_message = "of what scales, the number of tasks of services alone"
  }
}

# The service authorization tables know no resource for these, and refuse them by any other name than *.
run "the_operator_has_a_wildcard_for_what_takes_no_resource_alone" {
  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.operator.statement :
      tolist(statement.actions) if contains(statement.resources, "*")
      ])) == toset([
      "application-autoscaling:DescribeScalableTargets", "cloudtrail:LookupEvents", "cloudwatch:GetMetricData",
    ])
    error_message = "an action on everything, or one that AWS would refuse"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.operator.statement : tolist(statement.actions)
      if contains(statement.resources, "arn:aws:ssm:sa-east-1:111122223333:parameter/sales-dev/site/state")
      ])) == toset([
      "ssm:GetParameter", "ssm:GetParameterHistory", "ssm:PutParameter",
    ])
    error_message = "who has switched, and why, is kept with the parameter"
  }
}

# Inter-region peering is part of what it applies.
run "apply_may_connect_networks" {
  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.apply_resources.statement :
      contains(statement.actions, "ec2:*") || length(setsubtract([
        "ec2:AcceptVpcPeeringConnection", "ec2:CreateVpcPeeringConnection", "ec2:DeleteVpcPeeringConnection",
        "ec2:DescribeVpcPeeringConnections", "ec2:ModifyVpcPeeringConnectionOptions",
      ], statement.actions)) == 0
    ])
    error_message = "a rollout would end at its last stage"
  }
}

run "a_repository_by_wildcard_is_refused" {
  command = plan

  variables {
    repository = "example/*"
  }

  expect_failures = [var.repository]
}

run "ids_are_given_for_both_or_for_none" {
  command = plan

  variables {
    repository = "example@123456/sales"
  }

  expect_failures = [var.repository]
}

run "an_id_is_a_number" {
  command = plan

  variables {
    repository = "example@*/sales@789"
  }

  expect_failures = [var.repository]
}
