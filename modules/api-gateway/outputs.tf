output "name" {
  description = "Name of the API in metrics."
  value       = aws_api_gateway_rest_api.this.name
}

output "stage" {
  description = "Name of the deployed stage."
  value       = aws_api_gateway_stage.this.stage_name
}

output "stage_arn" {
  description = "ARN of the deployed stage."
  value       = aws_api_gateway_stage.this.arn
}

output "domains" {
  description = "For each of hosts, the target of its alias record: DNS name and hosted zone."
  value = {
    for name, domain in aws_api_gateway_domain_name.this : name => {
      domain_name = domain.regional_domain_name
      zone_id     = domain.regional_zone_id
    }
  }

  depends_on = [aws_api_gateway_base_path_mapping.this]
}
