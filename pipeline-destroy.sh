#!/usr/bin/env bash
# Destroys what pipeline.sh has applied, in reverse order: an environment, or one of its regions; see --help.

# The functions start_* and finish_* are called by the names of their steps.
# shellcheck disable=SC2317,SC2329

set -euo pipefail
# shellcheck source=infra/pipeline-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/infra/pipeline-lib.sh"
# shellcheck source=infra/destroy-blockers.sh
source "$(dirname "${BASH_SOURCE[0]}")/infra/destroy-blockers.sh"
# shellcheck source=infra/destroy-leftovers.sh
source "$(dirname "${BASH_SOURCE[0]}")/infra/destroy-leftovers.sh"

print_help() {
    cat <<'HELP'
usage: ./pipeline-destroy.sh --env NAME [option...]

Destroys what pipeline.sh has applied, in reverse order, after asking for the environment's name. Resources that hold data
block it (objects in buckets, images, recovery points, tables and load balancers with deletion protection); they are listed
before anything is destroyed. --force first removes their protection (variable teardown). Safe to repeat after any failure,
and if only some resources exist. Resources that AWS services create are deleted, too: the repositories of replicated images,
Global Accelerator's security group, and the log group of Container Insights.

  --env NAME        a directory in infra/environment
  --region NAME     only this region and its peerings, even if it is no longer in the environment's data. Not allowed while
                    it is ACTIVE there, or receives traffic from the accelerator
  --force           delete resources with the data that they hold, permanently, and at the end the state bucket
  --confirm NAME    the environment's name, for scripts; without it, it is asked for
  --parallel        all regions at once
  --help            show this help

To remove a region: make it PASSIVE in infra/environment/NAME/pipeline.tfvars and run pipeline.sh; remove it from the data
and run pipeline.sh again; then run this with --region.

Exit codes: 0 destroyed, or nothing to destroy; 1 failed or refused; 64 wrong usage, 69 a tool is missing, 75 another process
is working on it, 77 no credentials, 130 interrupted. Environment variables are those of pipeline.sh, and in seconds:

  INTERFACES_SECONDS    until Global Accelerator has deleted its network interfaces in a region; 1800
  INSIGHTS_SECONDS      until ECS has recreated the log group of Container Insights, if it does; 90
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
        *) wrong_usage "unknown option $1" ;;
    esac
    shift
done

# known_regions ROOT ORDER: all regions, or pairs of them, that are in the data or have a state of this root, in rollout order.
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

# The targets to destroy, in order; those on the same line in parallel.
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

# cidr_in_state TARGET: the address range of its VPC, nothing if it has none.
cidr_in_state() {
    [[ $1 != deployment/* ]] || terraform_at "$1" state pull 2>/dev/null | jq -r 'first(.resources[]?
        | select(.mode == "managed" and .type == "aws_vpc") | .instances[].attributes.cidr_block) // empty'
}

# set_destroy_variables TARGET: as when it was applied, as far as it matters for a destruction. A VPC keeps its address
# range, since a different one would replace it.
set_destroy_variables() {
    local region left=() cidr
    set_variables "$1"
    variables+=(-var=undo_switch=true)
    ! $force || variables+=(-var=teardown=true)
    for region in $(regions_of "$1"); do
        [[ " ${regions[*]} " == *" $region "* ]] || left+=("$region")
    done
    cidr=$(cidr_in_state "$1")
    if ((${#left[@]} > 0)) || [[ -n $cidr ]]; then
        # Regions that are no longer in the data must still be known to the code. If their VPC is not in this state, any unused
        # range will do.
        variables+=(-var="regions=$(jq -c --arg region "${1#*/}" --arg cidr "$cidr" '
                ((.cidrs | map_values(select(. != $cidr)))
                    + (if $cidr == "" then {} else {($region): $cidr} end)) as $kept
                | ([range(127; 63; -1) | "100.\(.).0.0/16"] - [$kept[]]) as $free
                | ((.regions + $ARGS.positional - ($kept | keys)) | to_entries | map({(.value): $free[.key]}) | add // {})
                + $kept | map_values({cidr: .})' --args "${left[@]}" <<<"$settings")"
        -var="states=$(jq -c '.states + ($ARGS.positional | map({(.): "PASSIVE"}) | add // {})' \
            --args "${left[@]}" <<<"$settings")")
    fi
    if [[ $1 == deployment/* ]]; then
        variables+=(-var="images=$(jq -nc '("sha256:" + "0" * 64) as $none | {api: $none, worker: $none, lake: $none}')")
    fi
}

start_plan() {
    set_destroy_variables "$1"
    start "$(log_of plan "$1")" env TF_DATA_DIR="$work/data/${1//\//-}" terraform -chdir="$infra/${1%%/*}" \
        plan -destroy -input=false -no-color -out="$(plan_of "$1" destroy)" "${variables[@]}"
}

finish_plan() {
    if (($2 == 0)); then
        record "${1/\// }" "planned: $(summary_of "$1" destroy)" "$3"
    else
        report_failure "$1" plan "$4"
    fi
}

start_destroy() {
    start "$(log_of destroy "$1")" env TF_DATA_DIR="$work/data/${1//\//-}" terraform -chdir="$infra/${1%%/*}" \
        apply -input=false -no-color "$(plan_of "$1" destroy)"
}

finish_destroy() {
    local state kept=() count
    if (($2 == 0)); then
        read -r _ _ count _ <<<"$(counts_of "$1" destroy)"
        record "${1/\// }" "$count destroyed" "$3"
        # So that states list what exists; the bucket keeps the old version.
        aws_state s3api delete-object --bucket "$state_bucket" --key "$1.tfstate" >/dev/null
        for state in "${states[@]}"; do
            [[ $state == "$1.tfstate" ]] || kept+=("$state")
        done
        states=("${kept[@]}")
        if [[ $1 == deployment/* ]]; then
            destroyed_at[${1#*/}]=$SECONDS
            delete_checked_images "${1#*/}"
        fi
    else
        report_failure "$1" destroy "$4"
    fi
}

# Applies the variable teardown: Terraform empties only what it was told to, and deletes only what is not protected.
start_plan_teardown() {
    local address targets=()
    rm -f "$(plan_of "$1" teardown)"
    while IFS= read -r address; do
        targets+=(-target="$address")
    done < <(list_protected "$1")
    if ((${#targets[@]} == 0)); then
        start "$(log_of plan_teardown "$1")" true
        return 0
    fi
    set_destroy_variables "$1"
    start "$(log_of plan_teardown "$1")" env TF_DATA_DIR="$work/data/${1//\//-}" terraform -chdir="$infra/${1%%/*}" \
        plan -input=false -no-color -out="$(plan_of "$1" teardown)" "${targets[@]}" "${variables[@]}"
}

# A plan with -target includes dependencies, which must stay for now. Only the vault lock is removed by deleting it.
finish_plan_teardown() {
    local deleted
    if (($2 != 0)); then
        report_failure "$1" "teardown plan" "$4"
        return 0
    fi
    [[ -f $(plan_of "$1" teardown) ]] || return 0
    deleted=$(in_plan "$1" '[.resource_changes[]? | select(.change.actions | index("delete"))
        | select(.type != "aws_backup_vault_lock_configuration") | .address] | join(", ")' teardown) ||
        die "$failed" "cannot read the teardown plan of ${1/\// }: see $(log_of show "$1")"
    if [[ -n $deleted ]]; then
        warn "${1/\// }: removing the protection would delete or replace $deleted; nothing was changed, see $4"
        failure=$failed
    fi
}

start_teardown() {
    if [[ ! -f $(plan_of "$1" teardown) ]]; then
        start "$(log_of teardown "$1")" true
        return 0
    fi
    start "$(log_of teardown "$1")" env TF_DATA_DIR="$work/data/${1//\//-}" terraform -chdir="$infra/${1%%/*}" \
        apply -input=false -no-color "$(plan_of "$1" teardown)"
}

finish_teardown() {
    if (($2 != 0)); then
        report_failure "$1" teardown "$4"
    elif [[ -f $(plan_of "$1" teardown) ]]; then
        record "${1/\// }" "is no longer protected" "$3"
    fi
}

destroy() {
    local target vpc
    for target; do
        init_target "$target"
    done
    if $force; then
        side_by_side plan_teardown "$@"
        side_by_side teardown "$@"
    fi
    for target; do
        ! $force || delete_replicated_repositories "$target"
        [[ $target == deployment/* ]] || continue
        for vpc in $(list_vpcs "$target"); do
            delete_accelerator_group "${target#*/}" "$vpc"
        done
    done
    side_by_side plan "$@"
    side_by_side destroy "$@"
}

# Terraform does not manage the state bucket.
empty_bucket() {
    local batch=$work/versions.json
    while aws s3api list-object-versions --region "$1" --bucket "$2" --no-paginate --max-keys 1000 --output json |
        jq -ce '[(.Versions // [])[], (.DeleteMarkers // [])[] | {Key, VersionId}] | select(length > 0)
            | {Objects: ., Quiet: true}' >"$batch"; do
        aws s3api delete-objects --region "$1" --bucket "$2" --delete "file://$batch" >"$logs/delete-objects.log"
    done
}

remove_state() {
    local began=$SECONDS
    empty_bucket "$state_region" "$state_bucket"
    aws_state s3api delete-bucket --bucket "$state_bucket"
    if [[ -n $state_key ]]; then
        aws_state kms delete-alias --alias-name "$state_key_alias"
        aws_state kms schedule-key-deletion --key-id "$state_key" --pending-window-in-days 7 >/dev/null
    fi
    record "state" "bucket $state_bucket is deleted" $((SECONDS - began))
}

declare -A destroyed_at=()

main() {
    local groups targets target blockers group region
    require_tools jq
    require_terraform
    load_settings "$name"
    require_tools aws
    if [[ -n $only_region && $(setting ".states[\"$only_region\"] // empty") == ACTIVE ]]; then
        die "$failed" "$only_region is ACTIVE in infra/environment/$name/pipeline.tfvars: make it PASSIVE, and run" \
            "./pipeline.sh --env $name first"
    fi
    claim_work
    find_aws
    if $emulated; then
        warn "AWS_ENDPOINT_URL is set: using an emulator, account $account"
    fi
    find_state
    if ! $state_exists; then
        say "nothing to destroy: bucket $state_bucket does not exist"
        exit "$ok"
    fi

    mapfile -t groups < <(list_targets)
    read -ra targets <<<"${groups[*]:-}"
    if ((${#targets[@]} == 0)) && { [[ -n $only_region ]] || ! $force; }; then
        say "nothing to destroy: no state in $state_bucket${only_region:+ for $only_region}"
        exit "$ok"
    fi

    # Its VPC could not be deleted: the accelerator would keep its network interfaces there.
    if [[ -n $only_region && " ${regions[*]} " == *" $only_region "* ]] && has_state post-deployment; then
        die "$failed" "$only_region is still in infra/environment/$name/pipeline.tfvars, and the accelerator sends traffic" \
            "to it: remove it from regions and states, and run ./pipeline.sh --env $name --stage post-deployment first"
    fi
    if ((${#targets[@]} > 0)); then
        say "these will be destroyed in account $account, in this order:"
        printf '    %s\n' "${targets[@]/\// }"
    fi
    if [[ -z $confirmation ]]; then
        printf 'This cannot be undone. Type the name of the environment to confirm: '
        read -r confirmation || true
        [[ -t 0 ]] || echo
    fi
    [[ $confirmation == "$name" ]] ||
        die "$failed" "\"$confirmation\" is not the environment's name $name; nothing was destroyed"

    blockers=
    for target in "${targets[@]}"; do
        init_target "$target"
        blockers+=$(list_blockers "$target")$'\n'
    done
    ! $force || blockers=$(grep ' locked permanently since ' <<<"$blockers") || true
    blockers=$(grep . <<<"$blockers") || true
    if [[ -n $blockers ]]; then
        warn "nothing was destroyed; these resources block it:"
        printf '%s\n' "$blockers" >&2
        if $force; then
            warn "cannot be deleted before their retention ends. To keep them and destroy the rest, remove them from the state:"
            printf '    TF_DATA_DIR=%s terraform -chdir=infra/post-deployment state rm %s\n' "$work/data/post-deployment" \
                "module.backup.aws_backup_vault{_lock_configuration,}.copies module.backup.aws_kms_{alias,key}.copies" >&2
        else
            warn "empty them, or delete their data permanently with --force"
        fi
        exit "$failed"
    fi

    for group in "${groups[@]}"; do
        # shellcheck disable=SC2086  # Several targets.
        destroy $group
    done
    for region in "${!destroyed_at[@]}"; do
        delete_insights_group "$region" "${destroyed_at[$region]}"
    done

    if [[ -n $only_region ]]; then
        [[ " ${regions[*]} " != *" $only_region "* ]] ||
            warn "$only_region is still in infra/environment/$name/pipeline.tfvars:" \
                "the next pipeline.sh recreates it"
    elif $force; then
        remove_state
    else
        say "the state bucket $state_bucket and its old versions are kept; --force deletes them"
    fi
    print_records
    exit "$ok"
}

# Read to its end before it starts, so that it can be edited while it runs.
main
