# Where traffic goes, as it follows from the map of states. Nothing is created here.

locals {
  # The same share for each ACTIVE region. 0 is the off switch of both, and neither is absolute: when all that is
  # ACTIVE is unhealthy, Global Accelerator and Route 53 use what is left, which accepts sales although it is PASSIVE.
  share = { ACTIVE = 100, PASSIVE = 0 }
}
