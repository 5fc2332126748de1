module "budget" {
  source = "../../modules/budget"

  name          = "${module.names.prefix}-monthly"
  monthly_limit = var.alerts.monthly_budget
  emails        = var.alerts.emails
}
