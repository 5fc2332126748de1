# The global tables, as they are at home; deployment adds a replica in each other region.

module "sales_table" {
  source = "../../modules/table"

  name                = local.names.sales_table
  deletion_protection = var.deletion_protection && !var.teardown
  key_arn             = module.key.arn

  # What is owed to the lake; the services spread it over shards.
  index = {
    name  = "pending-index"
    hash  = { name = "pending", type = "S" }
    range = { name = "timestamp", type = "N" }
  }
}

# What is in the lake, and who sweeps.
module "idempotency_table" {
  source = "../../modules/table"

  name                = local.names.idempotency_table
  deletion_protection = var.deletion_protection && !var.teardown
  key_arn             = module.key.arn
  ttl_attribute       = "expires_at"
}
