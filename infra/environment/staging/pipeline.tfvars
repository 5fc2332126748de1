project     = "sales"
environment = "staging"
domain      = "staging.sales.example.com"

regions = {
  sa-east-1 = { cidr = "10.20.0.0/16" }
  us-east-1 = { cidr = "10.21.0.0/16" }
}
home_region   = "sa-east-1"
backup_region = "us-west-2"

states = {
  sa-east-1 = "ACTIVE"
  us-east-1 = "PASSIVE"
}

deletion_protection = false
retention           = { logs = 14, lake_versions = 30 }
alerts              = { emails = [], monthly_budget = 1300 }
