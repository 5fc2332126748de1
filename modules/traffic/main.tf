# Where Global Accelerator's traffic goes, as it follows from the map of states. Nothing is created here. What goes through
# API Gateway follows Route 53's health checks (modules/dns), and nothing that could be applied.

locals {
  # The same for each ACTIVE region. 0 is the off switch, and not absolute: when all that is ACTIVE is unhealthy, Global
  # Accelerator uses what is left, which accepts sales although it is PASSIVE.
  dial = { ACTIVE = 100, PASSIVE = 0 }
}
