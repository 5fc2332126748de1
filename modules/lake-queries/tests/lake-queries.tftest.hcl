mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::sales-dev-queries-111122223333-sa-east-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name    = "sales-dev"
  account = "111122223333"
  region  = "sa-east-1"
  lake = {
    bucket = "sales-dev-lake-111122223333-sa-east-1"
    arn    = "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1"
  }
  results_bucket      = "sales-dev-queries-111122223333-sa-east-1"
  role_name           = "sales-dev-analysts-sa-east-1"
  key_arn             = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  gigabytes_per_query = 10
  retention_days      = 30
}

# What the guides of Athena and Spark ask for; a table_type of DELTA is the statement's, and ignored here.
run "the_catalog_says_that_the_table_is_a_delta_lake_table_and_where" {
  assert {
    condition = (
      aws_glue_catalog_table.sales.table_type == "EXTERNAL_TABLE"
      && aws_glue_catalog_table.sales.parameters["EXTERNAL"] == "TRUE"
      && aws_glue_catalog_table.sales.parameters["spark.sql.sources.provider"] == "delta"
    )
    error_message = "Athena would read each file of the folder, removed ones too"
  }

  assert {
    condition = (
      aws_glue_catalog_table.sales.storage_descriptor[0].location == "s3://sales-dev-lake-111122223333-sa-east-1/table/sales/"
      && aws_glue_catalog_table.sales.storage_descriptor[0].ser_de_info[0].parameters["path"]
      == aws_glue_catalog_table.sales.storage_descriptor[0].location
    )
    error_message = "engines other than Athena take the place from the parameter path"
  }

  assert {
    condition = concat(
      [for column in aws_glue_catalog_table.sales.storage_descriptor[0].columns : "${column.name} ${column.type}"],
      [for column in aws_glue_catalog_table.sales.partition_keys : "${column.name} ${column.type}"],
      ) == [
      "id string", "product string", "amount decimal(38,18)", "accepted_at timestamp", "region string", "cancelled_at timestamp",
      "dt date",
    ]
    error_message = "views see the columns of the catalog, and these are not the table's"
  }

  assert {
    condition     = aws_glue_catalog_database.this.name == "sales_dev"
    error_message = "a name with hyphens would need quotes in each query"
  }
}

run "a_query_has_a_limit_that_no_client_can_lift" {
  assert {
    condition = (
      aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 10000000000
      && aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration
    )
    error_message = "a query of everything costs what it costs"
  }

  assert {
    condition     = aws_athena_workgroup.this.configuration[0].engine_version[0].selected_engine_version == "Athena engine version 3"
    error_message = "older ones read no Delta Lake"
  }
}

run "results_are_encrypted_with_our_key_and_expire" {
  assert {
    condition = (
      aws_athena_workgroup.this.configuration[0].result_configuration[0].encryption_configuration[0].encryption_option == "SSE_KMS"
      && aws_athena_workgroup.this.configuration[0].result_configuration[0].encryption_configuration[0].kms_key_arn == var.key_arn
      && one(aws_s3_bucket_server_side_encryption_configuration.results.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.key_arn
    )
    error_message = "a result is as confidential as the table"
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.results.rule[0].expiration).days == 30
    error_message = "copies of sales would be kept for ever"
  }

  assert {
    condition = (
      aws_athena_workgroup.this.configuration[0].result_configuration[0].output_location
      == "s3://sales-dev-queries-111122223333-sa-east-1/results/"
    )
    error_message = "results are written where analysts may write"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.results.block_public_acls,
      aws_s3_bucket_public_access_block.results.block_public_policy,
      aws_s3_bucket_public_access_block.results.ignore_public_acls,
      aws_s3_bucket_public_access_block.results.restrict_public_buckets,
      data.aws_iam_policy_document.results.statement[0].effect == "Deny",
    ])
    error_message = "results are nobody else's"
  }
}

run "analysts_read_the_table_and_not_the_journal" {
  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.analysts.statement : statement.resources if contains(statement.actions, "s3:GetObject")
      ])) == toset([
      "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1/table/sales/_delta_log/*",
      "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1/table/sales/dt=*",
      "arn:aws:s3:::sales-dev-queries-111122223333-sa-east-1/results/*",
    ])
    error_message = "they read something else"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.analysts.statement : statement.resources if anytrue([
        for action in statement.actions : can(regex("^s3:(Put|Delete|Abort|Replicate|Restore)|\\*", action))
      ])
    ])) == toset(["arn:aws:s3:::sales-dev-queries-111122223333-sa-east-1/results/*"])
    error_message = "they write something other than results"
  }

  assert {
    condition = toset([
      for action in flatten(data.aws_iam_policy_document.analysts.statement[*].actions) : action
      if startswith(action, "glue:") && !startswith(action, "glue:Get")
    ]) == toset(["glue:CreateDatabase"])
    error_message = "they change the catalog"
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.analysts.statement : statement.resources != toset(["*"])
      || alltrue([for action in statement.actions : startswith(action, "athena:List")])
    ])
    error_message = "something but lists is allowed everywhere"
  }
}

# A file that is not there must be told from one that may not be read: there is no checkpoint at first.
run "a_missing_file_of_the_log_is_not_found_and_not_denied" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.analysts.statement : length(statement.condition) == 0
      if contains(statement.actions, "s3:ListBucket")
    ])
    error_message = "S3 answers 403 in place of 404 where the permission to list has a condition on the prefix"
  }
}

run "the_key_opens_what_s3_hands_out_alone" {
  assert {
    condition = {
      for condition in one([
        for statement in data.aws_iam_policy_document.analysts.statement : statement if statement.sid == "Key"
      ]).condition : condition.variable => toset(condition.values)
      } == {
      "kms:ViaService" = toset(["s3.sa-east-1.amazonaws.com"])
      "kms:EncryptionContext:aws:s3:arn" = toset([
        "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1",
        "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1/table/sales/*",
        "arn:aws:s3:::sales-dev-queries-111122223333-sa-east-1",
        "arn:aws:s3:::sales-dev-queries-111122223333-sa-east-1/results/*",
      ])
    }
    error_message = "the key also encrypts tables, queues and logs"
  }
}

run "whom_the_data_names_is_an_analyst_and_nobody_else" {
  variables {
    principals = ["arn:aws:iam::111122223333:role/data-team"]
  }

  assert {
    condition     = one(data.aws_iam_policy_document.trust.statement[0].principals).identifiers == toset(["arn:aws:iam::111122223333:role/data-team"])
    error_message = "the whole account may take the role"
  }
}

run "without_names_the_account_decides_by_its_own_permissions" {
  assert {
    condition     = one(data.aws_iam_policy_document.trust.statement[0].principals).identifiers == toset(["arn:aws:iam::111122223333:root"])
    error_message = "another account may take the role"
  }
}

run "saved_queries_restrict_the_day_and_name_the_table" {
  assert {
    condition = length(aws_athena_named_query.this) == 3 && alltrue([
      for query in aws_athena_named_query.this :
      strcontains(query.query, "FROM sales\n") && strcontains(query.query, "WHERE dt >= current_date") && query.database == "sales_dev"
    ])
    error_message = "a saved query reads the whole table"
  }

  assert {
    condition     = toset([for name in keys(aws_athena_named_query.this) : "${name}.sql"]) == fileset("queries", "*.sql")
    error_message = "a query is in no workgroup"
  }
}

run "a_limit_that_athena_does_not_know_is_refused" {
  command = plan

  variables {
    gigabytes_per_query = 0.005
  }

  expect_failures = [var.gigabytes_per_query]
}

run "wildcards_among_analysts_are_refused" {
  command = plan

  variables {
    principals = ["*"]
  }

  expect_failures = [var.principals]
}
