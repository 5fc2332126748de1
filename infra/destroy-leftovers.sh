# shellcheck shell=bash
# What services of AWS have made, which Terraform does not know and which would stay behind or be in its way. For sourcing,
# after pipeline-lib.sh and destroy-blockers.sh.
#
# What is unused or not assigned here is so in pipeline-destroy.sh.
# shellcheck disable=SC2034,SC2154

# The copies of images in other regions, in repositories that ECR has made and Terraform does not know.
delete_replicated_repositories() {
    local kind region holder log=$logs/delete-repository.log
    while IFS=$'\t' read -r kind region holder; do
        [[ $kind == repository && $region != "$(setting .home_region)" ]] || continue
        aws ecr delete-repository --region "$region" --repository-name "$holder" --force >"$log" 2>&1 ||
            grep -q RepositoryNotFoundException "$log" ||
            warn "repository $holder in $region could not be deleted: $(tail -n 1 "$log")"
    done < <(list_holders "$1")
}

# Global Accelerator gives up its interfaces in a VPC some time after the last endpoint there is gone, and never its
# security group, without which the VPC cannot be deleted.
delete_accelerator_group() {
    local region=$1 vpc=$2 left group began=$SECONDS deadline=${INTERFACES_SECONDS:-1800} told=false
    said_at=$SECONDS
    while :; do
        left=$(aws ec2 describe-network-interfaces --region "$region" --filters "Name=vpc-id,Values=$vpc" \
            Name=interface-type,Values=global_accelerator_managed --query 'length(NetworkInterfaces)' --output text \
            2>"$logs/interfaces.log") || {
            warn "$region does not tell its network interfaces: $(tail -n 1 "$logs/interfaces.log")"
            return 0
        }
        [[ $left != 0 ]] || break
        $told || say "$region: waiting until Global Accelerator has given up its interfaces in $vpc"
        told=true
        say_progress "$region: waiting for Global Accelerator, $((SECONDS - began)) s: $left interfaces are left in $vpc"
        if ((SECONDS - began >= deadline)); then
            warn "$region: Global Accelerator still has $left interfaces in $vpc after $deadline s, which could not be" \
                "deleted: run this again later, once no accelerator has an endpoint there"
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
            warn "$region: Global Accelerator's security group $group could not be deleted, and so its VPC cannot be"
            return 0
        }
    record "$region" "Global Accelerator's security group is deleted" $((SECONDS - began))
}

list_vpcs() {
    terraform_at "$1" state pull 2>/dev/null |
        jq -r '.resources[]? | select(.mode == "managed" and .type == "aws_vpc") | .instances[].attributes.id'
}

# What ECS has written after its log group was deleted has made it again, without an end and in the way of the next
# rollout. BEGAN is when the region was destroyed: ECS may take a minute.
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
        record "$region" "the log group that ECS has made again is deleted" $((SECONDS - began))
}

# What pipeline.sh records of a region is not Terraform's.
delete_checked_images() {
    aws ssm delete-parameter --region "$1" --name "/$prefix/$checked_parameter" >"$logs/delete-parameter.log" 2>&1 ||
        grep -q ParameterNotFound "$logs/delete-parameter.log" ||
        warn "$1: the parameter /$prefix/$checked_parameter could not be deleted: $(tail -n 1 "$logs/delete-parameter.log")"
}
