mock_provider "aws" {
  mock_resource "aws_acm_certificate" {
    defaults = { arn = "arn:aws:acm:sa-east-1:111122223333:certificate/1" }
  }
}

variables {
  domain = "sales.example.com"
}

run "one_certificate_covers_the_domain_and_the_names_below_it" {
  assert {
    condition = (
      aws_acm_certificate.this.domain_name == "sales.example.com"
      && aws_acm_certificate.this.subject_alternative_names == toset(["*.sales.example.com"])
    )
    error_message = "the certificate covers sales.example.com and *.sales.example.com"
  }

  assert {
    condition     = output.arn == aws_acm_certificate.this.arn
    error_message = "who uses the certificate waits until it is issued"
  }
}

run "a_wildcard_is_no_domain" {
  command = plan

  variables {
    domain = "*.sales.example.com"
  }

  expect_failures = [var.domain]
}
