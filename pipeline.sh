#!/usr/bin/env bash
# Applies infra/ to an environment, in AWS or in an emulator; see --help.

# The functions start_* and finish_* are called by the names of their steps.
# shellcheck disable=SC2317,SC2329

set -euo pipefail
# shellcheck source=infra/pipeline-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/infra/pipeline-lib.sh"
# shellcheck source=infra/rollout-checks.sh
source "$(dirname "${BASH_SOURCE[0]}")/infra/rollout-checks.sh"

print_help() {
    cat <<'HELP'
usage: ./pipeline.sh --env NAME [option...]

Applies infra/ to an environment: global resources, each region (PASSIVE first), the wiring, then network peering. Each
step applies exactly its own plan. Safe to repeat; unchanged resources are not touched.

The next region starts only after this one serves the new images, is ready, has processed a test sale, and has had no new
alarm. In the first rollout the test sale comes last, after the wiring. A rollout that was stopped by a check repeats it.

  --env NAME         a directory in infra/environment
  --plan             only show changes; changes nothing, takes no lock, needs read permissions only
  --planned          apply the plans saved by --plan; plans that are out of date are refused
  --stage NAME       only this stage: pre-deployment, deployment or post-deployment
  --region NAME      only this region and its peerings
  --parallel         all regions at once, instead of one by one with checks in between
  --images DIGESTS   api=sha256:...,worker=sha256:...,lake=sha256:... as infra/push-images.sh prints them; default: what
                     runs now
  --undo-switch      let the map of states override a switch by salesctl
  --yes              do not ask for confirmation; without a terminal there is none
  --list             print the environment's data as JSON, regions in rollout order; needs no credentials
  --help             show this help

infra/environment/NAME/pipeline.tfvars defines the regions and which of them are ACTIVE.

Environment variables: AWS_PROFILE and the others of the AWS CLI; AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_SERVICE for an
emulator; TERRAFORM_PLUGIN_DIR, a directory with the provider, used instead of the registry; SMOKE_URL_SA_EAST_1, the URL
of that region's API (default: from Terraform's output), and SMOKE_URL, the URL of the accelerator; SALES_TOKEN, required where sign_in.mode is oidc, an access token for
the test sales with the scopes write and cancel, valid for the whole rollout. Timeouts in seconds:

  SMOKE_SECONDS          until the API is ready; 300
  SALE_SECONDS           until the test sale reaches a lake; 300
  CAPACITY_SECONDS       until the minimum number of tasks runs; 600
  ALARM_SECONDS          until new alarms are resolved, in addition to rollout.soak_seconds of the environment; 600
  REPLICATION_SECONDS    until an object is replicated to the other lakes; 900
  PROGRESS_SECONDS       between two reports of a wait; 60

Plans, logs and salesctl.toml are in target/pipeline/NAME; --plan also writes all changes to plan.md there. The state is
in the bucket PROJECT-NAME-terraform-ACCOUNT, which the first run creates.

Exit codes: 0 done (with --plan: nothing to change), 1 failed, 2 --plan found changes, 64 wrong usage, 69 a tool is
missing, 75 another process is working on it, 77 no credentials, 130 interrupted.
HELP
}

name='' mode=apply only_stage='' only_region='' parallel=false images='' undo_switch=false ask=false list=false
[[ ! -t 0 || ! -t 1 ]] || ask=true
while (($# > 0)); do
    case $1 in
        --env | --stage | --region | --images) [[ -n ${2:-} && $2 != --* ]] || wrong_usage "$1 needs a value" ;;
    esac
    case $1 in
        --env) name=$2 && shift ;;
        --stage) only_stage=$2 && shift ;;
        --region) only_region=$2 && shift ;;
        --images) images=$2 && shift ;;
        --plan) mode=plan ;;
        --planned) mode=planned ;;
        --parallel) parallel=true ;;
        --undo-switch) undo_switch=true ;;
        --yes | --auto-approve) ask=false ;;
        --list) list=true ;;
        --help | -h)
            print_help
            exit 0
            ;;
        *) wrong_usage "unknown option $1" ;;
    esac
    shift
done
case $only_stage in
    '' | pre-deployment | deployment | post-deployment) ;;
    *) wrong_usage "invalid --stage $only_stage: expected pre-deployment, deployment or post-deployment" ;;
esac
[[ -z $images || $images =~ ^api=(sha256:[0-9a-f]{64}),worker=(sha256:[0-9a-f]{64}),lake=(sha256:[0-9a-f]{64})$ ]] ||
    wrong_usage "invalid --images: expected api=sha256:...,worker=sha256:...,lake=sha256:..., as printed by infra/push-images.sh"
[[ -z $images ]] ||
    images="{\"api\":\"${BASH_REMATCH[1]}\",\"worker\":\"${BASH_REMATCH[2]}\",\"lake\":\"${BASH_REMATCH[3]}\"}"
[[ -z $only_region || $only_stage != pre-deployment ]] || wrong_usage "--region does not apply to pre-deployment"

# Prints the first missing dependency of a target, nothing if there is none.
lacks() {
    local region
    case ${1%%/*} in
        registry | deployment) has_state pre-deployment || echo "pre-deployment" ;;
        wiring | post-deployment | peering)
            for region in "${regions[@]}"; do
                has_state "deployment/$region" || {
                    echo "deployment $region"
                    return 0
                }
            done
            ;;
    esac
}

# A region pulls from its own registry, and replication only copies images that are pushed after it was set up: a new region
# lacks the older images, and its tasks would fail to start until the circuit breaker opens.
#
# A plan with the running images is only a warning: a new region cannot have them before its replication is applied.
require_images() {
    local service digest log=$logs/describe-images.log why
    for service in "${services[@]}"; do
        digest=$(jq -r ".$service" <<<"$2")
        aws ecr describe-images --region "$1" --repository-name "$prefix/sales-$service" \
            --image-ids "imageDigest=$digest" >/dev/null 2>"$log" && continue
        if grep -qvE 'ImageNotFoundException|RepositoryNotFoundException|^$' "$log"; then
            why="cannot check whether the registry of $1 has sales-$service $digest: $(tail -n 1 "$log")"
        else
            why="sales-$service $digest is not in the registry of $1: push it under a new tag with"
            why+=" infra/push-images.sh --env $name --tag TAG, and pass the digests that it prints to --images"
        fi
        [[ $mode == plan && -z $images ]] || die "$failed" "$why"
        warn "$why"
    done
}

# The digests for a region, in this order of preference: those given, those it runs, those another region runs.
choose_images() {
    local region found
    if [[ -n $images ]]; then
        chosen=$images
        return 0
    fi
    for region in "$1" "${regions[@]}"; do
        has_state "deployment/$region" || continue
        # Not those that Terraform requested: ECS rolls back if new tasks fail.
        if ! images_that_run "$region"; then
            warn "$region: cannot read the running images from ECS: $(tail -n 1 "$logs/describe-services.log")"
            [[ $region != "$1" ]] || die "$failed" "pass the images of $1 to --images"
            continue
        fi
        if [[ -n $found ]]; then
            chosen=$found
            [[ $region == "$1" ]] || say "$1: using the images that run in $region"
            return 0
        fi
    done
    if $emulated; then
        warn "no images given: the task definitions of $1 get a placeholder, since emulators run no tasks"
        chosen=$(jq -nc '("sha256:" + "0" * 64) as $none | {api: $none, worker: $none, lake: $none}')
        return 0
    fi
    die "$failed" "no images known for $1: build and push them with infra/push-images.sh --env $name, and pass the digests" \
        "that it prints to --images"
}

# A key that was deleted with its region is pending deletion for 30 days, during which KMS creates no other replica in that
# region. A replica that is not pending deletion is imported. Adds to `variables`.
keep_replica_of_key() {
    local home id answer state until
    home=$(setting .home_region)
    [[ $1 != "$home" ]] || return 0
    id=$(aws kms describe-key --region "$home" --key-id "alias/$prefix" --query KeyMetadata.KeyId --output text \
        2>/dev/null) || return 0
    # The replicas of a key have its id.
    answer=$(aws kms describe-key --region "$1" --key-id "$id" --query 'KeyMetadata.[KeyState, DeletionDate]' \
        --output text 2>/dev/null) || return 0
    read -r state until <<<"$answer"
    [[ $state != PendingDeletion ]] ||
        die "$failed" "the environment's key in $1 is pending deletion until $until, and KMS creates no other one before;" \
            "keep it, then repeat this command, which imports it: aws kms cancel-key-deletion --region $1 --key-id $id"
    variables+=(-var="kept_key=$id")
}

start_plan() {
    local options=(-input=false -no-color -detailed-exitcode -out="$(plan_of "$1")")
    # A plan alone needs neither write permissions nor the lock.
    [[ $mode != plan ]] || options+=(-lock=false)
    set_variables "$1"
    ! $undo_switch || variables+=(-var=undo_switch=true)
    if [[ $1 == deployment/* ]]; then
        $emulated || keep_replica_of_key "${1#*/}"
        choose_images "${1#*/}"
        $emulated || require_images "${1#*/}" "$chosen"
        images_of[$1]=$chosen
        variables+=(-var="images=$chosen")
    fi
    start "$(log_of plan "$1")" env TF_DATA_DIR="$work/data/${1//\//-}" \
        terraform -chdir="${directory_of[$1]}" plan "${options[@]}" "${variables[@]}"
}

finish_plan() {
    local log=$4 summary
    has_changes[$1]=false
    case $2 in
        0) record "${1/\// }" "nothing to change" "$3" ;;
        2)
            has_changes[$1]=true
            any_changes=true
            planned+=("$1")
            if ! summary=$(summary_of "$1"); then
                warn "the plan of ${1/\// } cannot be read: $(log_of show "$1")"
                failure=$failed
                return 0
            fi
            record "${1/\// }" "planned: $summary" "$3"
            if [[ $mode == plan ]] || $ask; then
                changes_of "$1"
                echo "    full output: $log"
            fi
            ;;
        *) report_failure "$1" plan "$log" ;;
    esac
}

start_apply() {
    start "$(log_of apply "$1")" env TF_DATA_DIR="$work/data/${1//\//-}" \
        terraform -chdir="${directory_of[$1]}" apply -input=false -no-color "$(plan_of "$1")"
}

finish_apply() {
    if (($2 == 0)); then
        has_state "$1" || states+=("$1.tfstate")
        record "${1/\// }" "applied: $(summary_of "$1" | sed -E 's/ to (import|add|destroy)/ \1ed/g; s/ to change/ changed/')" "$3"
    elif grep -q 'Error: Saved plan is stale' "$4"; then
        warn "${1/\// }: the plan is out of date; make and review a new one: $0 --env $name --plan"
        failure=$failed
    else
        report_failure "$1" apply "$4"
    fi
}

# Asks at a terminal whether to continue.
agreed() {
    local answer
    $ask || return 0
    read -r -p "          apply this plan to ${1/\// } of $name? Only yes is accepted: " answer || answer=no
    [[ $answer == yes ]]
}

# smoke WHAT URL [CONNECT]: waits until it is ready. CONNECT is the host to connect to if the name does not resolve yet.
smoke() {
    local what=$1 url=${2%/}/readiness began=$SECONDS deadline=${SMOKE_SECONDS:-300} status options=()
    if [[ -n ${3:-} ]]; then
        options=(--connect-to "::$3:443")
    fi
    while :; do
        status=$(curl --silent --output "$logs/smoke.body" --write-out '%{http_code}' --max-time 10 "${options[@]}" \
            "$url") || status="no answer"
        if [[ $status == 200 ]]; then
            record "$what" "ready: $url" $((SECONDS - began))
            return 0
        fi
        if ((SECONDS - began >= deadline)); then
            warn "$what: $url is not ready after $deadline s: $status"
            [[ $status == "no answer" ]] || head -c 1000 "$logs/smoke.body" >&2
            warn "the remaining regions are unchanged; to roll back: --images with the previous digests"
            failure=$failed
            give_up
        fi
        sleep 3
    done
}

smoke_region() {
    local variable output url connect=
    variable=SMOKE_URL_${1//-/_}
    variable=${variable^^}
    url=${!variable:-}
    if [[ -z $url ]]; then
        if $emulated; then
            warn "readiness of $1 not checked: emulators run no tasks; set $variable to the URL of its API"
            return 0
        fi
        output=$(terraform_at "deployment/$1" output -json region 2>/dev/null) ||
            die "$failed" "deployment $1 has no output \"region\": cannot determine the API's URL"
        url=$(jq -r .api_url <<<"$output")
        # Its name does not resolve before post-deployment, the last step of the first rollout. API Gateway has one address
        # per host.
        connect=$(jq -r '.api_gateway_region_domain_name // empty' <<<"$output")
    fi
    $emulated || check_images "$1" "${images_of[deployment/$1]}"
    smoke "$1" "$url" "$connect"
    $emulated || check_version "$1" "$url" "$connect" "$(jq -r .api <<<"${images_of[deployment/$1]}")"
    [[ $(checked_images "$1") != "${images_of[deployment/$1]}" ]] || return 0
    if ! has_state "wiring/$1"; then
        say "$1: skipping the test sale: it cannot reach a lake before the wiring is applied"
        return 0
    fi
    sell "$1" "$url" "$connect" "$1"
    if $emulated; then
        warn "alarms of $1 not checked: emulators do not evaluate alarms"
    else
        check_alarms "$1"
    fi
    remember_checked "$1" "${images_of[deployment/$1]}"
}

# Waits until a region runs its minimum number of tasks. Terraform waits for the tasks that it replaces, not for those that
# a raised minimum starts; and traffic may follow next.
await_capacity() {
    local least tasks short began=$SECONDS deadline=${CAPACITY_SECONDS:-600}
    ! $emulated || return 0
    said_at=$SECONDS
    least=$(terraform_at "deployment/$1" output -json region 2>/dev/null | jq -c '.minimum // {}') || true
    [[ -n $least ]] || least={}
    while :; do
        tasks=$(aws ecs describe-services --region "$1" --cluster "$prefix" --output json \
            --services "${services[@]/#/$prefix-}" 2>"$logs/describe-services.log") || tasks='{"services":[]}'
        short=$(jq -r --arg prefix "$prefix" --argjson least "$least" '
            (.services | map({key: .serviceName, value: .runningCount}) | from_entries) as $running
            | [$least | to_entries[] | {name: .key, least: .value, runs: ($running["\($prefix)-\(.key)"] // 0)}
                | select(.runs < .least) | "\(.name) runs \(.runs) of \(.least) tasks"] | join(", ")' <<<"$tasks")
        if [[ -z $short ]]; then
            record "$1" "runs its minimum number of tasks" $((SECONDS - began))
            return 0
        fi
        if ((SECONDS - began >= deadline)); then
            warn "$1: too few tasks after $deadline s: $short; see the service events: aws ecs" \
                "describe-services --region $1 --cluster $prefix --services ${services[*]/#/$prefix-}"
            warn "states and traffic are unchanged"
            failure=$failed
            give_up
        fi
        say_progress "$1: waiting for tasks, $((SECONDS - began)) s: $short"
        sleep 3
    done
}

# Whether objects in the lake of a region are replicated to the others: S3 accepts any configuration, and missing
# permissions of the role only show in the status of an object. Readers of tables ignore names that begin with _.
smoke_replication() {
    local output bucket key deadline=${REPLICATION_SECONDS:-900} began=$SECONDS version status region name late pause
    local -A lakes=()
    if $emulated; then
        warn "lake replication of $1 not checked: emulators ignore the role's permissions"
        return 0
    fi
    output=$(terraform_at "wiring/$1" output -json lake_replication 2>/dev/null) ||
        die "$failed" "wiring $1 has no output \"lake_replication\": cannot determine the destinations"
    [[ $output != null ]] || return 0
    bucket=$(jq -r .bucket <<<"$output")
    key=$(jq -r .prefix <<<"$output")_replication-test/$1
    while read -r region name; do lakes[$region]=$name; done < <(
        jq -r '.destinations | to_entries[] | "\(.key) \(.value)"' <<<"$output")

    status=FAILED pause=0 said_at=$SECONDS
    while :; do
        # S3 does not retry, and a new role is not effective everywhere yet. Each attempt adds a version of the object, so
        # the interval grows.
        if [[ $status == FAILED ]]; then
            version=$(aws s3api put-object --region "$1" --bucket "$bucket" --key "$key" --query VersionId \
                --output text) || die "$failed" "cannot put an object into the lake of $1, $bucket"
        fi
        late=
        for region in "${!lakes[@]}"; do
            [[ $(status_of_replication "$region" "${lakes[$region]}" "$key" "$version") == REPLICA ]] ||
                late+="${late:+, }$region"
        done
        status=$(status_of_replication "$1" "$bucket" "$key" "$version")
        if [[ -z $late ]] || ((SECONDS - began >= deadline)); then
            break
        fi
        say_progress "waiting for the lake of $1 to be replicated to $late, $((SECONDS - began)) s"
        if [[ $status == FAILED ]]; then
            pause=$((pause == 0 ? 3 : pause < 15 ? 2 * pause : 30))
            sleep "$pause"
        else
            sleep 3
        fi
    done
    remove_versions "$1" "$bucket" "$key"
    for region in "${!lakes[@]}"; do remove_versions "$region" "${lakes[$region]}" "$key"; done
    if [[ -n $late ]]; then
        warn "the lake of $1 is not replicated to $late: after $((SECONDS - began)) s the status of an object in" \
            "$bucket is $status; check the role, the keys and the rules: aws s3api get-bucket-replication --bucket $bucket"
        failure=$failed
        give_up
    fi
    record "lake of $1" "replicated to ${!lakes[*]}" $((SECONDS - began))
}

# status_of_replication REGION BUCKET KEY VERSION: PENDING, COMPLETED or FAILED at its source, REPLICA elsewhere.
status_of_replication() {
    aws s3api head-object --region "$1" --bucket "$2" --key "$3" --version-id "$4" --query ReplicationStatus \
        --output text 2>/dev/null || echo "not there"
}

# remove_versions REGION BUCKET KEY: all of them, also those that an interrupted run has left.
remove_versions() {
    local version
    for version in $(aws s3api list-object-versions --region "$1" --bucket "$2" --prefix "$3" --output json |
        jq -r '[(.Versions // [])[], (.DeleteMarkers // [])[]][].VersionId'); do
        aws s3api delete-object --region "$1" --bucket "$2" --key "$3" --version-id "$version" >/dev/null
    done
}

smoke_all() {
    local url=${SMOKE_URL:-}
    if [[ -z $url ]] && $emulated; then
        warn "accelerator not checked: emulators have none; set SMOKE_URL to check one"
        return 0
    fi
    [[ -n $url ]] || url=https://$(setting .domain)
    smoke "all regions" "$url"
    sell "all regions" "$url" "" ""
}

write_salesctl_toml() {
    local file=$work/salesctl.toml
    if terraform_at post-deployment output -json 2>/dev/null | jq -er .salesctl_toml.value >"$file.new"; then
        mv "$file.new" "$file"
        say "to use salesctl: export SALESCTL_CONFIG=$(printf '%q' "$file")"
    else
        rm -f "$file.new"
        warn "post-deployment has no output \"salesctl_toml\": salesctl.toml was not written"
    fi
}

# For plans while there is no state: everything would be created. In a copy, so that the root stays unchanged.
prepare_without_state() {
    local copy=$work/without-state file options=(-input=false -no-color -lockfile=readonly)
    rm -rf "$copy"
    mkdir -p "$copy/infra/$1"
    ln -s "$repository/modules" "$copy/modules"
    for file in "$infra/$1"/* "$infra/$1/.terraform.lock.hcl"; do
        ln -s "$file" "$copy/infra/$1/"
    done
    printf 'terraform {\n  backend "local" {}\n}\n' >"$copy/infra/$1/backend_override.tf"
    directory_of[$1]=$copy/infra/$1
    [[ -z ${TERRAFORM_PLUGIN_DIR:-} ]] || options+=(-plugin-dir="$TERRAFORM_PLUGIN_DIR")
    rm -rf "$work/data/$1"
    TF_DATA_DIR=$work/data/$1 terraform -chdir="${directory_of[$1]}" init "${options[@]}" >"$logs/$1.init.log" 2>&1 || {
        report_failure "$1" init "$logs/$1.init.log"
        give_up
    }
}

# refuse_if_switched TARGET MESSAGE: ends the rollout if an operator has switched, which applying the target might undo.
refuse_if_switched() {
    local why
    why=$(why_outdated "$1")
    [[ -n $why ]] || return 0
    warn "$why"
    warn "$2"
    failure=$failed
    give_up
}

# The complete plans as Markdown, for approval without a terminal, within the megabyte that GitHub accepts per step. Each
# target gets its share, so that the first one leaves room for the last. Terraform shows sensitive values as
# (sensitive value).
write_plans() {
    local file=$work/plan.md target left=900000 count=${#planned[@]} text
    : >"$file"
    for target in "${planned[@]}"; do
        text=$(diff_of "$target" | LC_ALL=C awk -v most=$((left / count)) \
            -v log_file="log/${target//\//-}.plan.log" '
            { size += length($0) + 1 }
            size > most && !is_cut { is_cut = 1; print "... truncated; full output: " log_file }
            !is_cut')
        printf '\n### %s\n\n~~~~~~~~~~diff\n%s\n~~~~~~~~~~\n' "${target/\// }" "$text" >>"$file"
        left=$((left - $(wc -c <<<"$text"))) count=$((count - 1))
    done
}

# roll_out TARGET...: plans and applies, side by side if there are several.
roll_out() {
    local target without ready=()
    for target; do
        without=$(lacks "$target")
        if [[ -n $without && $mode == plan ]]; then
            say "${target/\// }: cannot be planned yet: it depends on $without, which has not been applied"
            rm -f "$(plan_of "$target")"
            any_changes=true
            continue
        fi
        [[ -z $without ]] ||
            die "$failed" "${target/\// } depends on $without, which has not been applied; apply it first"
        directory_of[$target]=$infra/${target%%/*}
        if $state_exists; then
            init_target "$target"
        else
            say "no state yet: bucket $state_bucket does not exist"
            prepare_without_state "$target"
        fi
        ready+=("$target")
    done
    ((${#ready[@]} > 0)) || return 0

    if [[ $mode == planned ]]; then
        for target in "${ready[@]}"; do
            [[ -f $(plan_of "$target") ]] ||
                die "$failed" "no saved plan for ${target/\// }: $(plan_of "$target") is missing"
            has_changes[$target]=true
            if [[ $target == deployment/* ]]; then
                images_of[$target]=$(in_plan "$target" '.variables.images.value | tojson') ||
                    die_of_plan "$target"
                $emulated || require_images "${target#*/}" "${images_of[$target]}"
            fi
        done
    else
        for target in "${ready[@]}"; do rm -f "$(plan_of "$target")"; done
        side_by_side plan "${ready[@]}"
    fi
    [[ $mode != plan ]] || return 0

    local chosen_targets=()
    for target in "${ready[@]}"; do
        if ! ${has_changes[$target]}; then
            has_state "$target" || states+=("$target.tfstate")
        elif agreed "$target"; then
            chosen_targets+=("$target")
        else
            warn "nothing was applied to ${target/\// }"
            print_records
            exit "$failed"
        fi
    done
    for target in "${chosen_targets[@]}"; do
        refuse_if_switched "$target" "nothing was applied to ${target/\// }; make a new plan"
    done
    for target in "${chosen_targets[@]}"; do
        [[ $target == deployment/* && $(counts_of "$target") != "0 0 0 "* ]] || continue
        $emulated || note_alarms "${target#*/}"
        forget_checked "${target#*/}"
    done
    ((${#chosen_targets[@]} == 0)) || side_by_side apply "${chosen_targets[@]}"
    for target in "${ready[@]}"; do
        case $target in
            deployment/*)
                await_capacity "${target#*/}"
                smoke_region "${target#*/}"
                ;;
            wiring/*) smoke_replication "${target#*/}" ;;
            post-deployment)
                refuse_if_switched "$target" "the dials may follow the map again: check with salesctl status, and repeat the switch"
                smoke_all
                write_salesctl_toml
                ;;
        esac
    done
}

# A line of the rollout: all regions at once, or one after the other.
roll_out_line() {
    local stage=$1 root=$2 order=$3 region group targets
    [[ -z $only_stage || $stage == "$only_stage" ]] || return 0
    if [[ $order == once ]]; then
        [[ -n $only_region ]] || roll_out "$root"
        return 0
    fi
    # Deployments do not depend on each other; but states are always set ACTIVE before PASSIVE.
    if ! $parallel || [[ $root == wiring ]]; then
        order=${order//,/ }
    fi
    for group in $order; do
        targets=()
        for region in $(list_regions "$group"); do
            [[ -z $only_region ]] || is_in "$root/$region" "$only_region" || continue
            if $parallel; then
                targets+=("$root/$region")
            else
                roll_out "$root/$region"
            fi
        done
        ((${#targets[@]} == 0)) || roll_out "${targets[@]}"
    done
}

warn_of_left_regions() {
    local region
    for region in $(list_left_regions); do
        warn "$region is no longer in the data, but still exists; to remove it: ./pipeline-destroy.sh --env $name --region $region"
    done
}

declare -A has_changes=() images_of=()
any_changes=false
planned=()

main() {
    require_tools jq
    require_terraform
    load_settings "$name"
    if $list; then
        setting .
        exit 0
    fi
    [[ -z $only_region || " ${regions[*]} " == *" $only_region "* ]] ||
        wrong_usage "unknown region $only_region in $name: expected one of ${regions[*]}"
    [[ $mode == plan || $only_stage == pre-deployment || $(setting .sign_in) != oidc || -n ${SALES_TOKEN:-} ]] ||
        wrong_usage "SALES_TOKEN is not set: each region must accept a test sale, and only the identity provider of $name gives tokens"
    require_tools aws curl
    claim_work
    find_aws
    if $emulated; then
        warn "AWS_ENDPOINT_URL is set: using an emulator, account $account"
    fi
    find_state
    if [[ $mode != plan ]]; then
        make_state
        ! $emulated || supply_managed_keys "${regions[@]}"
    fi

    local line
    rm -f "$work/plan.md"
    for line in "${rollout[@]}"; do
        # shellcheck disable=SC2086  # Three words.
        roll_out_line $line
    done
    warn_of_left_regions
    [[ $mode != plan ]] || write_plans
    print_records
    if [[ $mode == plan ]] && $any_changes; then
        exit "$changes"
    fi
    exit "$ok"
}

# Read to its end before it starts, so that it can be edited while it runs.
main
