# The global tables in the home region; infra/deployment adds a replica in each other region.

module "sales_table" {
  source = "../../modules/table"

  name                = local.names.sales_table
  deletion_protection = var.deletion_protection && !var.teardown
  key_arn             = module.key.arn

  # The pending index; the services distribute it over shards.
  index = {
    name  = "pending-index"
    hash  = { name = "pending", type = "S" }
    range = { name = "timestamp", type = "N" }
  }
}

# Idempotency records, and the leases of the sweep and of the lake's table.
module "idempotency_table" {
  source = "../../modules/table"

  name                = local.names.idempotency_table
  deletion_protection = var.deletion_protection && !var.teardown
  key_arn             = module.key.arn
  ttl_attribute       = "expires_at"
}
