project     = "sales"
environment = "prod"
domain      = "sales.example.com"

regions = {
  sa-east-1 = { cidr = "10.30.0.0/16" }
  us-east-1 = { cidr = "10.31.0.0/16" }
}
home_region   = "sa-east-1"
backup_region = "us-west-2"

states = {
  sa-east-1 = "ACTIVE"
  us-east-1 = "PASSIVE"
}

# Each shop is a client, with the scopes write, read, cancel: docs/sign-in.md.
sign_in = {
  mode = "cognito"
  clients = {
    operator = { scopes = ["write", "read", "cancel", "all"] }
  }
}

deletion_protection = true
retention           = { logs = 90, lake_versions = 365 }
alerts              = { emails = [], monthly_budget = 2000 }
