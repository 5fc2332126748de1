# The API's variables for sign-in: docs/sign-in.md.

# The user pools of the other regions. From the state, so that a lost region is not asked.
data "terraform_remote_state" "registry" {
  for_each = toset(var.sign_in.mode == "cognito" ? setsubtract(keys(var.regions), [var.home_region]) : [])

  backend = "s3"
  config  = merge(local.remote_state, { key = "registry/${each.key}.tfstate" })
}

locals {
  # By region. Each API accepts the tokens of all of them: when a region is lost, its clients get a token elsewhere.
  user_pools = var.sign_in.mode != "cognito" ? {} : merge(
    { (var.home_region) = try(local.pre_deployment.sign_in, null) },
    { for region, state in data.terraform_remote_state.registry : region => try(state.outputs.sign_in, null) },
  )

  pools = [for region in sort(keys(local.user_pools)) : local.user_pools[region] if local.user_pools[region] != null]

  # A client has another ID in each pool, and is the same client.
  client_ids = { for name, id in merge(flatten([
    for pool in local.pools : [for name, id in pool.client_ids : { "${name} ${id}" = { name = name, id = id } }]
  ])...) : name => id }

  oidc = {
    off = {}

    oidc = merge(
      {
        OIDC_ISSUERS      = join(",", var.sign_in.issuers)
        OIDC_AUDIENCES    = join(",", var.sign_in.audiences)
        OIDC_SCOPE_PREFIX = var.sign_in.scope_prefix
      },
      length(var.sign_in.jwks_urls) > 0 ? { OIDC_JWKS_URLS = join(",", var.sign_in.jwks_urls) } : {},
      var.sign_in.separate_issuers ? { OIDC_SEPARATE_ISSUERS = "true" } : {},
    )

    cognito = {
      OIDC_ISSUERS = join(",", [for pool in local.pools : pool.issuer])
      # Cognito's access tokens have no audience but the client.
      OIDC_AUDIENCES = join(",", [for client in values(local.client_ids) : client.id])
      OIDC_CLIENTS   = join(",", [for client in values(local.client_ids) : "${client.id}=${client.name}"])
    }
  }[var.sign_in.mode]
}

# In place of an API that accepts the tokens of some regions only.
resource "terraform_data" "user_pools" {
  count = var.sign_in.mode == "cognito" ? 1 : 0

  input = keys(local.user_pools)

  lifecycle {
    precondition {
      condition     = length(local.pools) == length(local.user_pools)
      error_message = "there is no user pool yet in ${join(", ", [for region, pool in local.user_pools : region if pool == null])}: apply --stage pre-deployment first."
    }
  }
}
