# The lake's table for analysts: its entry in the catalog, and a workgroup of Athena with a limit and saved queries.

locals {
  # Athena would want quotes around a name with hyphens.
  database = replace(var.name, "-", "_")
  table    = "sales"
  # TABLE in sales-table/src/log_store.rs.
  prefix   = "table/sales/"
  location = "s3://${var.lake.bucket}/${local.prefix}"
  catalog  = "arn:aws:glue:${var.region}:${var.account}"

  # The schema of the table's log, which only sales-lake changes: Athena takes the columns from the log, but views and Lake
  # Formation from here.
  columns = [
    { name = "id", type = "string", comment = "UUID of the sale; one row for each" },
    { name = "product", type = "string", comment = "" },
    { name = "amount", type = "decimal(38,18)", comment = "exact; null if the amount has more digits" },
    { name = "accepted_at", type = "timestamp", comment = "UTC" },
    { name = "region", type = "string", comment = "that accepted the sale" },
    { name = "cancelled_at", type = "timestamp", comment = "null unless cancelled" },
  ]

  queries = {
    sales-by-hour-and-region = "Sales and amount of the last seven days by hour and region."
    products                 = "The twenty products with the highest amount in the last thirty days."
    cancellations-by-day     = "Cancelled sales of the last thirty days, their share, and how long they had stood."
  }
}

resource "aws_glue_catalog_database" "this" {
  name        = local.database
  description = "The lake of ${var.name} in ${var.region}."
}

# Read by Athena, and by Spark and Trino where they use this catalog, as a Delta Lake table: by the provider and the path, see
# https://docs.aws.amazon.com/athena/latest/ug/delta-lake-tables-syncing-metadata.html. With neither a crawler nor a statement,
# which would need the table to exist: until its first commit, queries of it fail.
resource "aws_glue_catalog_table" "sales" {
  database_name = aws_glue_catalog_database.this.name
  name          = local.table
  description   = "One row for each sale; docs/lake.md."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                     = "TRUE"
    classification               = "delta"
    "spark.sql.sources.provider" = "delta"
  }

  # As Spark registers such a table. The formats are never used.
  storage_descriptor {
    location      = local.location
    input_format  = "org.apache.hadoop.mapred.SequenceFileInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"

      parameters = {
        path                   = local.location
        "serialization.format" = "1"
      }
    }

    dynamic "columns" {
      for_each = local.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }

  partition_keys {
    name    = "dt"
    type    = "date"
    comment = "UTC day of accepted_at; restrict it in every query"
  }
}

resource "aws_athena_workgroup" "this" {
  name        = var.name
  description = "Queries of the lake of ${var.name}."

  # Deletes the history of its queries, which is no data.
  force_destroy = true

  configuration {
    # A client's own place and encryption are ignored.
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = floor(var.gigabytes_per_query * 1000 * 1000 * 1000)

    # The only one that reads Delta Lake.
    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${aws_s3_bucket.results.bucket}/results/"
      expected_bucket_owner = var.account

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "this" {
  for_each = local.queries

  name        = each.key
  description = each.value
  workgroup   = aws_athena_workgroup.this.name
  database    = aws_glue_catalog_database.this.name
  query       = file("${path.module}/queries/${each.key}.sql")
}
