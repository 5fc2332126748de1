variable "name" {
  description = "Name of the user pool."
  type        = string
}

variable "region" {
  description = "Region of the pool."
  type        = string
}

variable "domain_prefix" {
  description = "First label of the pool's domain; unique among all accounts in the region."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.domain_prefix)) && !can(regex("aws|amazon|cognito", var.domain_prefix))
    error_message = "domain_prefix must be at most 63 lower-case letters, digits and hyphens, and must not contain aws, amazon or cognito, which Cognito reserves."
  }
}

variable "clients" {
  description = "The programs that may sign in, by name: their scopes (write, read, cancel, all), and the lifetime of their tokens in minutes."
  type = map(object({
    scopes        = set(string)
    token_minutes = optional(number, 60)
  }))

  validation {
    condition     = length(var.clients) > 0
    error_message = "clients must not be empty: no program could sign in."
  }

  validation {
    condition     = alltrue([for name in keys(var.clients) : can(regex("^[a-z][a-z0-9-]{0,39}$", name)) && name != "people"])
    error_message = "names of clients must be at most 40 lower-case letters, digits and hyphens, starting with a letter, and not people."
  }

  validation {
    condition = alltrue([
      for client in values(var.clients) : length(client.scopes) > 0 && length(setsubtract(client.scopes, ["write", "read", "cancel", "all"])) == 0
    ])
    error_message = "a client needs at least one of the scopes write, read, cancel and all, and there are no others."
  }

  validation {
    condition     = alltrue([for client in values(var.clients) : client.token_minutes >= 5 && client.token_minutes <= 1440])
    error_message = "token_minutes must be 5 to 1440, the limits of Cognito."
  }
}

variable "people" {
  description = "Managed login: where it may return to with a code or after a sign-out, and the scopes of people's tokens. null: people cannot sign in."
  type = object({
    callback_urls = set(string)
    logout_urls   = optional(set(string), [])
    scopes        = optional(set(string), ["read"])
  })
  default = null

  validation {
    condition = alltrue([
      for people in var.people[*] : length(people.callback_urls) > 0 && alltrue([
        for url in setunion(people.callback_urls, people.logout_urls) : startswith(url, "https://") || startswith(url, "http://localhost")
      ])
    ])
    error_message = "people needs callback_urls; they and logout_urls must have https, or http and localhost."
  }

  validation {
    condition     = alltrue([for people in var.people[*] : length(setsubtract(people.scopes, ["write", "read", "cancel", "all"])) == 0])
    error_message = "people's scopes must be write, read, cancel and all."
  }
}

variable "deletion_protection" {
  description = "Whether the pool has deletion protection: with it, all credentials are lost."
  type        = bool
}
