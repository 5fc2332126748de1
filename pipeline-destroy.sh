#!/usr/bin/env bash
# Destroys an environment, or one region of it: what pipeline.sh has applied, from the end; see --help.

# The functions start_* and finish_* are called by the names of their steps, empty_* by what they empty.
# shellcheck disable=SC2317,SC2329

set -euo pipefail
# shellcheck source=infra/pipeline-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/infra/pipeline-lib.sh"

print_help() {
    cat <<'HELP'
usage: ./pipeline-destroy.sh --env NAME [option...]

Destroys what pipeline.sh has applied, in the opposite order. It asks for the environment's name first. What holds data
blocks it (objects in buckets, images, recovery points of backups, tables and load balancers with deletion protection):
that is listed before anything is destroyed. It can be repeated after any failure, and when only half exists.

  --env NAME        a directory in infra/environment
  --region NAME     only this region and what connects it, also if it is no longer in the environment's data; not if it is
                    ACTIVE there
  --force           empty what would block, for good, and remove the state's bucket at the end
  --confirm NAME    the environment's name, for scripts: nothing is asked
  --parallel        all regions at once
  --help            this

Moving a region away: make it PASSIVE in infra/environment/NAME/pipeline.tfvars and run pipeline.sh; take it out of the
data and run pipeline.sh again; then this, with --region.

Exit codes: 0 destroyed, or nothing was there; 1 failed or refused; 64 wrong usage, 69 a tool is missing, 75 somebody
else is at work on it, 77 no credentials, 130 interrupted. The environment variables are those of pipeline.sh.
HELP
}

name='' only_region='' force=false confirmation='' parallel=false
while (($# > 0)); do
    case $1 in
        --env | --region | --confirm) [[ -n ${2:-} && $2 != --* ]] || wrong_usage "$1 needs a value" ;;
    esac
    case $1 in
        --env) name=$2 && shift ;;
        --region) only_region=$2 && shift ;;
        --confirm) confirmation=$2 && shift ;;
        --force) force=true ;;
        --parallel) parallel=true ;;
        --help | -h)
            print_help
            exit 0
            ;;
        *) wrong_usage "$1 is no option" ;;
    esac
    shift
done

# known_regions ROOT ORDER: all regions, or pairs of them, that are in the data or have a state of this root, in the order
# of the rollout's line.
known_regions() {
    local known state region
    known=$(list_regions "$2")
    [[ -z $known ]] || echo "$known"
    for state in "${states[@]}"; do
        region=${state#"$1"/}
        region=${region%.tfstate}
        [[ $state != "$1"/* || $'\n'$known$'\n' == *$'\n'"$region"$'\n'* ]] || echo "$region"
    done
}

# What is to be destroyed, in its order: each line one or more targets side by side.
list_targets() {
    local root order region i group
    for ((i = ${#rollout[@]} - 1; i >= 0; i--)); do
        read -r _ root order <<<"${rollout[i]}"
        group=
        if [[ $order == once ]]; then
            [[ -n $only_region ]] || ! has_state "$root" || echo "$root"
            continue
        fi
        for region in $(known_regions "$root" "$order" | tac); do
            [[ -z $only_region ]] || is_in "$root/$region" "$only_region" || continue
            has_state "$root/$region" || continue
            if $parallel; then
                group+=" $root/$region"
            else
                echo "$root/$region"
            fi
        done
        [[ -z $group ]] || echo "$group"
    done
}

# What of a target may hold data or refuse to go, as Terraform's state knows it: lines KIND REGION NAME.
list_holders() {
    terraform_at "$1" state pull 2>/dev/null | jq -r --argjson regions "$(setting .regions)" '
        .resources[]? | select(.mode == "managed") | .type as $type | .instances[].attributes
        | (.arn // "" | split(":")[3] // "") as $region
        | if $type == "aws_s3_bucket" then ["bucket", .region, .bucket]
          # Replication creates repositories of the same name, which Terraform does not know.
          elif $type == "aws_ecr_repository" then
              (([$region] + $regions) | unique[]) as $place | ["repository", $place, .name]
          elif $type == "aws_backup_vault" then ["vault", $region, .name]
          elif $type == "aws_dynamodb_table" or $type == "aws_dynamodb_table_replica" then
              ["table", $region, (.arn | split("/")[1])]
          elif $type == "aws_lb" then ["balancer", $region, .arn]
          else empty end
        | @tsv'
}

# Each kind of holder: whether it blocks (says why, or nothing), and how it is emptied.
why_bucket() {
    aws s3api list-object-versions --region "$1" --bucket "$2" --max-items 1 --output json 2>/dev/null |
        jq -r 'if (.Versions // []) + (.DeleteMarkers // []) | length > 0 then "holds objects" else empty end'
}

empty_bucket() {
    local batch=$work/versions.json
    while aws s3api list-object-versions --region "$1" --bucket "$2" --no-paginate --max-keys 1000 --output json |
        jq -ce '[(.Versions // [])[], (.DeleteMarkers // [])[] | {Key, VersionId}] | select(length > 0)
            | {Objects: ., Quiet: true}' >"$batch"; do
        aws s3api delete-objects --region "$1" --bucket "$2" --delete "file://$batch" >"$logs/delete-objects.log"
    done
}

why_repository() {
    local found
    found=$(aws ecr list-images --region "$1" --repository-name "$2" --query 'length(imageIds)' --output text \
        2>/dev/null) || return 0
    [[ $found == 0 ]] || echo "holds images"
}

empty_repository() {
    aws ecr delete-repository --region "$1" --repository-name "$2" --force >/dev/null
}

why_vault() {
    local found
    found=$(aws backup list-recovery-points-by-backup-vault --region "$1" --backup-vault-name "$2" \
        --query 'length(RecoveryPoints)' --output text 2>/dev/null) || return 0
    [[ $found == 0 || $found == None ]] || echo "holds recovery points of backups"
}

empty_vault() {
    local point
    for point in $(aws backup list-recovery-points-by-backup-vault --region "$1" --backup-vault-name "$2" \
        --query 'RecoveryPoints[].RecoveryPointArn' --output text); do
        aws backup delete-recovery-point --region "$1" --backup-vault-name "$2" --recovery-point-arn "$point"
    done
}

why_table() {
    local found
    found=$(aws dynamodb describe-table --region "$1" --table-name "$2" --query Table.DeletionProtectionEnabled \
        --output text 2>/dev/null) || return 0
    [[ $found != True ]] || echo "has deletion protection"
}

empty_table() {
    aws dynamodb update-table --region "$1" --table-name "$2" --no-deletion-protection-enabled >/dev/null
    aws dynamodb wait table-exists --region "$1" --table-name "$2"
}

why_balancer() {
    aws elbv2 describe-load-balancer-attributes --region "$1" --load-balancer-arn "$2" --output json 2>/dev/null |
        jq -r '.Attributes[] | select(.Key == "deletion_protection.enabled" and .Value == "true")
            | "has deletion protection"'
}

empty_balancer() {
    aws elbv2 modify-load-balancer-attributes --region "$1" --load-balancer-arn "$2" \
        --attributes Key=deletion_protection.enabled,Value=false >/dev/null
}

list_blockers() {
    local kind region holder why
    while IFS=$'\t' read -r kind region holder; do
        why=$("why_$kind" "$region" "$holder") || why=
        [[ -z $why ]] || printf '    %-11s %-14s %s %s\n' "$kind" "$region" "$holder" "$why"
    done < <(list_holders "$1")
}

unblock() {
    local kind region holder why
    while IFS=$'\t' read -r kind region holder; do
        why=$("why_$kind" "$region" "$holder") || why=
        [[ -n $why ]] || continue
        say "$kind $holder in $region $why, which is removed for good"
        "empty_$kind" "$region" "$holder" || warn "$kind $holder in $region could not be emptied"
    done < <(list_holders "$1")
}

# set_destroy_variables TARGET: as when it was applied, as far as that matters for what is no longer to be.
set_destroy_variables() {
    local region left=()
    set_variables "$1"
    variables+=(-var=undo_switch=true)
    for region in $(regions_of "$1"); do
        [[ " ${regions[*]} " == *" $region "* ]] || left+=("$region")
    done
    if ((${#left[@]} > 0)); then
        # No longer in the data, but the code still has to know them.
        variables+=(-var="regions=$(jq -c '(.cidrs | map_values({cidr: .}))
                + ($ARGS.positional | to_entries | map({(.value): {cidr: "100.\(127 - .key).0.0/16"}}) | add)' \
            --args "${left[@]}" <<<"$settings")"
        -var="states=$(jq -c '.states + ($ARGS.positional | map({(.): "PASSIVE"}) | add)' \
            --args "${left[@]}" <<<"$settings")")
    fi
    if [[ $1 == deployment/* ]]; then
        variables+=(-var="images=$(jq -nc '("sha256:" + "0" * 64) as $none | {api: $none, worker: $none}')")
    fi
}

start_plan() {
    set_destroy_variables "$1"
    start "$(log_of plan "$1")" env TF_DATA_DIR="$work/data/${1//\//-}" terraform -chdir="$infra/${1%%/*}" \
        plan -destroy -input=false -no-color -out="$work/${1//\//-}.destroy.tfplan" "${variables[@]}"
}

finish_plan() {
    if (($2 == 0)); then
        record "${1/\// }" "planned: $(summary_of "$4")" "$3"
    else
        report_failure "$1" plan "$4"
    fi
}

start_destroy() {
    start "$(log_of destroy "$1")" env TF_DATA_DIR="$work/data/${1//\//-}" terraform -chdir="$infra/${1%%/*}" \
        apply -input=false -no-color "$work/${1//\//-}.destroy.tfplan"
}

finish_destroy() {
    local state kept=()
    if (($2 == 0)); then
        record "${1/\// }" "$(sed -nE 's/^Apply complete! Resources: .*, ([0-9]+ destroyed)\.$/\1/p' "$4")" "$3"
        # So that the list of states is the list of what exists; the bucket keeps the old version.
        aws_state s3api delete-object --bucket "$state_bucket" --key "$1.tfstate" >/dev/null
        for state in "${states[@]}"; do
            [[ $state == "$1.tfstate" ]] || kept+=("$state")
        done
        states=("${kept[@]}")
    elif $force && [[ -z ${retried[$1]:-} && -z $interrupted ]]; then
        # A task that was still running may have written into a bucket after it was emptied.
        retried[$1]=once
        say "${1/\// }: not all of it went at the first attempt; emptying again"
    else
        report_failure "$1" destroy "$4"
    fi
}

destroy() {
    local target again=()
    for target; do
        init_target "$target"
        ! $force || unblock "$target"
    done
    side_by_side plan "$@"
    side_by_side destroy "$@"
    for target; do
        if [[ ${retried[$target]:-} == once ]]; then
            retried[$target]=twice
            again+=("$target")
        fi
    done
    ((${#again[@]} == 0)) || destroy "${again[@]}"
}

remove_state() {
    local began=$SECONDS
    empty_bucket "$state_region" "$state_bucket"
    aws_state s3api delete-bucket --bucket "$state_bucket"
    if [[ -n $state_key ]]; then
        aws_state kms delete-alias --alias-name "$state_key_alias"
        aws_state kms schedule-key-deletion --key-id "$state_key" --pending-window-in-days 7 >/dev/null
    fi
    record "state" "bucket $state_bucket is removed" $((SECONDS - began))
}

declare -A retried=()

main() {
    local groups targets target blockers group
    require_tools jq
    require_terraform
    load_settings "$name"
    require_tools aws
    if [[ -n $only_region && $(setting ".states[\"$only_region\"] // empty") == ACTIVE ]]; then
        die "$failed" "$only_region is ACTIVE in infra/environment/$name/pipeline.tfvars; make it PASSIVE and run" \
            "./pipeline.sh --env $name first"
    fi
    claim_work
    find_aws
    if $emulated; then
        warn "AWS_ENDPOINT_URL is set: this goes to an emulator, account $account"
    fi
    find_state
    if ! $state_exists; then
        say "nothing to destroy: there is no bucket $state_bucket"
        exit "$ok"
    fi

    mapfile -t groups < <(list_targets)
    read -ra targets <<<"${groups[*]:-}"
    if ((${#targets[@]} == 0)) && { [[ -n $only_region ]] || ! $force; }; then
        say "nothing to destroy: no state in $state_bucket${only_region:+ for $only_region}"
        exit "$ok"
    fi

    if ((${#targets[@]} > 0)); then
        say "to be destroyed in account $account, in this order:"
        printf '    %s\n' "${targets[@]/\// }"
    fi
    if [[ -z $confirmation ]]; then
        printf 'This cannot be undone. Type the name of the environment to destroy it: '
        read -r confirmation || true
        [[ -t 0 ]] || echo
    fi
    [[ $confirmation == "$name" ]] ||
        die "$failed" "\"$confirmation\" is not the environment's name, $name; nothing was destroyed"

    if ! $force; then
        blockers=
        for target in "${targets[@]}"; do
            init_target "$target"
            blockers+=$(list_blockers "$target")
            blockers+=${blockers:+$'\n'}
        done
        blockers=$(grep . <<<"$blockers" || true)
        if [[ -n $blockers ]]; then
            warn "nothing was destroyed, since this would block it:"
            printf '%s\n' "$blockers" >&2
            warn "empty it yourself, or let --force do it, for good"
            exit "$failed"
        fi
    fi

    for group in "${groups[@]}"; do
        # shellcheck disable=SC2086  # Several targets.
        destroy $group
    done

    if [[ -n $only_region ]]; then
        [[ " ${regions[*]} " != *" $only_region "* ]] ||
            warn "$only_region is still in infra/environment/$name/pipeline.tfvars:" \
                "the next pipeline.sh creates it again"
    elif $force; then
        remove_state
    else
        say "the state's bucket $state_bucket stays, with the old versions; --force removes it, too"
    fi
    print_records
    exit "$ok"
}

# Read to its end before it starts, so that it can be edited while it runs.
main
