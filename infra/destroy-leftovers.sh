# shellcheck shell=bash
# Resources outside Terraform, created by AWS services or pipeline.sh, which would be left or block the destruction. For
# sourcing, after pipeline-lib.sh and destroy-blockers.sh.
#
# Variables that are unused or not assigned here are used or assigned in pipeline-destroy.sh.
# shellcheck disable=SC2034,SC2154

# Replicated images, in repositories that ECR has created.
delete_replicated_repositories() {
    local kind region holder log=$logs/delete-repository.log
    while IFS=$'\t' read -r kind region holder; do
        [[ $kind == repository && $region != "$(setting .home_region)" ]] || continue
        aws ecr delete-repository --region "$region" --repository-name "$holder" --force >"$log" 2>&1 ||
            grep -q RepositoryNotFoundException "$log" ||
            warn "$region: cannot delete repository $holder: $(tail -n 1 "$log")"
    done < <(list_holders "$1")
}

# Global Accelerator deletes its network interfaces in a VPC some time after its last endpoint there is gone, but never its
# security group, which keeps the VPC from being deleted.
delete_accelerator_group() {
    local region=$1 vpc=$2 left group began=$SECONDS deadline=${INTERFACES_SECONDS:-1800} told=false
    said_at=$SECONDS
    while :; do
        left=$(aws ec2 describe-network-interfaces --region "$region" --filters "Name=vpc-id,Values=$vpc" \
            Name=interface-type,Values=global_accelerator_managed --query 'length(NetworkInterfaces)' --output text \
            2>"$logs/interfaces.log") || {
            warn "$region: cannot list network interfaces: $(tail -n 1 "$logs/interfaces.log")"
            return 0
        }
        [[ $left != 0 ]] || break
        $told || say "$region: waiting for Global Accelerator to delete its network interfaces in $vpc"
        told=true
        say_progress "$region: waiting for Global Accelerator, $((SECONDS - began)) s: $left network interfaces left in $vpc"
        if ((SECONDS - began >= deadline)); then
            warn "$region: Global Accelerator still has $left network interfaces in $vpc after $deadline s, so the VPC cannot" \
                "be deleted: repeat this later, when no accelerator has an endpoint there"
            failure=$failed
            give_up
        fi
        sleep 5
    done
    group=$(aws ec2 describe-security-groups --region "$region" --filters "Name=vpc-id,Values=$vpc" \
        Name=group-name,Values=GlobalAccelerator --query 'SecurityGroups[0].GroupId' --output text 2>/dev/null) ||
        return 0
    [[ $group == sg-* ]] || return 0
    aws ec2 delete-security-group --region "$region" --group-id "$group" >/dev/null ||
        {
            warn "$region: cannot delete Global Accelerator's security group $group, so the VPC cannot be deleted"
            return 0
        }
    record "$region" "Global Accelerator's security group is deleted" $((SECONDS - began))
}

list_vpcs() {
    terraform_at "$1" state pull 2>/dev/null |
        jq -r '.resources[]? | select(.mode == "managed" and .type == "aws_vpc") | .instances[].attributes.id'
}

# delete_insights_group REGION BEGAN: ECS may write to its log group up to a minute after Terraform has deleted it, and so
# recreate it, without a retention, which would also block the next rollout. BEGAN is when the region was destroyed.
delete_insights_group() {
    local region=$1 began=$2 group=/aws/ecs/containerinsights/$prefix/performance deadline=${INSIGHTS_SECONDS:-90} found
    ! $emulated || deadline=0
    while :; do
        found=$(aws logs describe-log-groups --region "$region" --log-group-name-prefix "$group" \
            --query 'logGroups[0].logGroupName' --output text 2>/dev/null) || return 0
        [[ $found != "$group" ]] || break
        ((SECONDS - began < deadline)) || return 0
        sleep 5
    done
    aws logs delete-log-group --region "$region" --log-group-name "$group" &&
        record "$region" "the log group that ECS has recreated is deleted" $((SECONDS - began))
}

# The record of passed checks, which pipeline.sh writes.
delete_checked_images() {
    aws ssm delete-parameter --region "$1" --name "/$prefix/$checked_parameter" >"$logs/delete-parameter.log" 2>&1 ||
        grep -q ParameterNotFound "$logs/delete-parameter.log" ||
        warn "$1: cannot delete the parameter /$prefix/$checked_parameter: $(tail -n 1 "$logs/delete-parameter.log")"
}
