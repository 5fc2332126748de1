# shellcheck shell=bash
# Resources that block pipeline-destroy.sh: they hold data or are protected. For sourcing, after pipeline-lib.sh.
#
# Variables that are not assigned here are assigned there; why_* are called by kind.
# shellcheck disable=SC2154,SC2317,SC2329

# list_holders TARGET: its resources that may hold data or be protected, from its state: lines KIND REGION NAME.
list_holders() {
    # ECR creates the repositories of replicated images from the template in this state.
    [[ $1 != registry/* ]] || printf "repository\t${1#*/}\t$prefix/sales-%s\n" "${services[@]}"
    terraform_at "$1" state pull 2>/dev/null | jq -r --argjson regions "$(setting .regions)" '
        .resources[]? | select(.mode == "managed") | .type as $type | .instances[].attributes
        | (.arn // "" | split(":")[3] // "") as $region
        | if $type == "aws_s3_bucket" then ["bucket", .region, .bucket]
          # Replication creates repositories of the same name outside Terraform.
          elif $type == "aws_ecr_repository" then
              (([$region] + $regions) | unique[]) as $place | ["repository", $place, .name]
          elif $type == "aws_backup_vault" then ["vault", $region, .name]
          elif $type == "aws_dynamodb_table" or $type == "aws_dynamodb_table_replica" then
              ["table", $region, (.arn | split("/")[1])]
          elif $type == "aws_cognito_user_pool" then ["pool", $region, .id]
          elif $type == "aws_lb" then ["balancer", $region, .arn]
          else empty end
        | @tsv'
}

# For each kind: why it blocks, or nothing.
why_bucket() {
    aws s3api list-object-versions --region "$1" --bucket "$2" --max-items 1 --output json 2>/dev/null |
        jq -r 'if (.Versions // []) + (.DeleteMarkers // []) | length > 0 then "holds objects" else empty end'
}

why_repository() {
    local found
    found=$(aws ecr list-images --region "$1" --repository-name "$2" --query 'length(imageIds)' --output text \
        2>/dev/null) || return 0
    [[ $found == 0 ]] || echo "holds images"
}

why_vault() {
    local found
    found=$(aws backup list-recovery-points-by-backup-vault --region "$1" --backup-vault-name "$2" \
        --query 'length(RecoveryPoints)' --output text 2>/dev/null) || return 0
    [[ $found == 0 || $found == None ]] || echo "holds recovery points of backups$(since_when_locked "$1" "$2")"
}

# A lock in governance mode is removed with the other protection (teardown). In compliance mode, which is not used here, no one
# can remove it from its date on.
since_when_locked() {
    aws backup describe-backup-vault --region "$1" --backup-vault-name "$2" --output json 2>/dev/null |
        jq -r "$jq_epoch"' select(.Locked and .LockDate) | .LockDate | epoch
            | select(. < now) | ", and is locked permanently since \(todate)"'
}

why_table() {
    local found
    found=$(aws dynamodb describe-table --region "$1" --table-name "$2" --query Table.DeletionProtectionEnabled \
        --output text 2>/dev/null) || return 0
    [[ $found != True ]] || echo "has deletion protection"
}

why_pool() {
    local found
    found=$(aws cognito-idp describe-user-pool --region "$1" --user-pool-id "$2" --query UserPool.DeletionProtection \
        --output text 2>/dev/null) || return 0
    [[ $found != ACTIVE ]] || echo "has deletion protection: all clients would need new credentials"
}

why_balancer() {
    aws elbv2 describe-load-balancer-attributes --region "$1" --load-balancer-arn "$2" --output json 2>/dev/null |
        jq -r '.Attributes[] | select(.Key == "deletion_protection.enabled" and .Value == "true")
            | "has deletion protection"'
}

list_blockers() {
    local kind region holder why
    while IFS=$'\t' read -r kind region holder; do
        why=$("why_$kind" "$region" "$holder") || why=
        [[ -z $why ]] || printf '    %-11s %-14s %s %s\n' "$kind" "$region" "$holder" "$why"
    done < <(list_holders "$1")
}

# list_protected TARGET: the resources in its state that the variable teardown changes; those that are gone are not recreated.
list_protected() {
    terraform_at "$1" state pull 2>/dev/null | jq -r '
        ["aws_s3_bucket", "aws_ecr_repository", "aws_backup_vault", "aws_backup_vault_lock_configuration",
            "aws_dynamodb_table", "aws_dynamodb_table_replica", "aws_lb", "aws_ecs_cluster",
            "aws_cognito_user_pool"] as $kinds
        | .resources[]? | select(.mode == "managed") | select(.type as $type | $kinds | index($type))
        | (if .module then .module + "." else "" end) + .type + "." + .name as $address
        | .instances[] | $address + (if has("index_key") then "[" + (.index_key | tojson) + "]" else "" end)'
}
