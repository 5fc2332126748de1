region       = "us-west-2"
encrypt      = true
use_lockfile = true
