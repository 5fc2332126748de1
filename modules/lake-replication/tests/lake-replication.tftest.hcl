mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mocked" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  role_name = "sales-dev-lake-replication-sa-east-1"
  source_lake = {
    region  = "sa-east-1"
    bucket  = "lake-sa-east-1"
    arn     = "arn:aws:s3:::lake-sa-east-1"
    key_arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }
  destinations = {
    us-east-1 = { arn = "arn:aws:s3:::lake-us-east-1", key_arn = "arn:aws:kms:us-east-1:111122223333:key/mrk-1" }
    eu-west-1 = { arn = "arn:aws:s3:::lake-eu-west-1", key_arn = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1" }
  }
}

run "every_other_lake_gets_the_journal_but_no_deletions" {
  assert {
    condition = toset([
      for rule in aws_s3_bucket_replication_configuration.this.rule : rule.destination[0].bucket
    ]) == toset(["arn:aws:s3:::lake-us-east-1", "arn:aws:s3:::lake-eu-west-1"])
    error_message = "each lake replicates to two others where there are three"
  }

  assert {
    condition = length(distinct([
      for rule in aws_s3_bucket_replication_configuration.this.rule : rule.priority
    ])) == 2
    error_message = "S3 wants priorities that differ"
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_replication_configuration.this.rule :
      rule.delete_marker_replication[0].status == "Disabled"
    ])
    error_message = "what is deleted by mistake in one region must stay in the others"
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_replication_configuration.this.rule :
      rule.source_selection_criteria[0].sse_kms_encrypted_objects[0].status == "Enabled"
      && strcontains(rule.destination[0].encryption_configuration[0].replica_kms_key_id, trimprefix(rule.id, "to-"))
    ])
    error_message = "without the choice of encrypted objects none is replicated; copies have the key of their region"
  }
}

# Two regions' tables in one bucket would be merged into each other.
run "the_journal_alone_is_replicated" {
  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_replication_configuration.this.rule : rule.filter[0].prefix == "journal/"
    ])
    error_message = "all that is not in the journal stays in its region"
  }

  assert {
    condition     = output.prefix == "journal/"
    error_message = "the pipeline's test would put its object where nothing is replicated"
  }
}

# A rule with a filter and without this element is refused by S3.
run "a_rule_with_a_filter_says_what_becomes_of_delete_markers" {
  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_replication_configuration.this.rule :
      length(rule.filter) == 1 && length(rule.delete_marker_replication) == 1
    ])
    error_message = "S3 would refuse the rules"
  }
}

run "the_role_reads_one_lake_writes_the_others_and_deletes_nothing" {
  assert {
    condition = !anytrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for action in statement.actions : strcontains(action, "Delete") || strcontains(action, "*")
      ]
    ]))
    error_message = "the role may delete, or everything"
  }

  assert {
    condition = !anytrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [for arn in statement.resources : arn == "*"]
    ]))
    error_message = "exact ARNs"
  }
}

run "the_role_touches_objects_of_the_journal_alone" {
  assert {
    condition = {
      for statement in data.aws_iam_policy_document.this.statement : statement.sid => toset(statement.resources)
      if contains(["ReadItsObjects", "WriteCopies"], statement.sid)
      } == {
      ReadItsObjects = toset(["arn:aws:s3:::lake-sa-east-1/journal/*"])
      WriteCopies    = toset(["arn:aws:s3:::lake-eu-west-1/journal/*", "arn:aws:s3:::lake-us-east-1/journal/*"])
    }
    error_message = "the role reads or writes what is not replicated"
  }
}

# Emulators replicate whatever the role says; S3 does not, and tells nobody but by an object's status.
run "s3_is_trusted_without_a_condition_that_it_may_not_meet" {
  assert {
    condition = (
      length(data.aws_iam_policy_document.trust.statement[0].condition) == 0
      && toset(one(data.aws_iam_policy_document.trust.statement[0].principals).identifiers) == toset(["s3.amazonaws.com"])
    )
    error_message = "no document says that S3 names a bucket or an account when it takes this role"
  }
}

run "with_bucket_keys_the_role_also_decrypts_in_each_destination" {
  assert {
    condition = alltrue([
      for lake in values(var.destinations) : anytrue([
        for statement in data.aws_iam_policy_document.this.statement :
        contains(statement.resources, lake.key_arn)
        && length(setsubtract(["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], statement.actions)) == 0
      ])
    ])
    error_message = "copies fail"
  }

  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for condition in statement.condition :
        condition.test == "ArnLike" && one([for arn in condition.values : arn if endswith(arn, "/*")]) == one([
          for arn in condition.values : "${arn}/journal/*" if !endswith(arn, "/*")
        ]) if condition.variable == "kms:EncryptionContext:aws:s3:arn"
      ]
    ]))
    error_message = "the context is the bucket where it has a bucket key, otherwise an object of the journal"
  }
}

run "a_lake_is_not_replicated_to_itself" {
  command = plan

  variables {
    destinations = {
      sa-east-1 = { arn = "arn:aws:s3:::lake-sa-east-1", key_arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1" }
    }
  }

  expect_failures = [var.destinations]
}

run "the_key_of_another_region_is_refused" {
  command = plan

  variables {
    destinations = {
      us-east-1 = { arn = "arn:aws:s3:::lake-us-east-1", key_arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1" }
    }
  }

  expect_failures = [var.destinations]
}
