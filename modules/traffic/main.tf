# Global Accelerator's traffic dials, from the map of states. Nothing is created here. Traffic through API Gateway follows Route
# 53's health checks (modules/dns), and is not configured.

locals {
  # Equal for all ACTIVE regions. 0 disables a region, but not absolutely: if all ACTIVE regions are unhealthy, Global
  # Accelerator uses the others, which accept sales although they are PASSIVE.
  dial = { ACTIVE = 100, PASSIVE = 0 }
}
