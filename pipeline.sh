#!/usr/bin/env bash
# Brings an environment to what infra/ says, in AWS or in an emulator in its place; see --help.

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

Brings an environment to what infra/ says: what regions share, then each region (the PASSIVE ones first), then the wires
between them, and last the connections of their networks. Each step is planned, and exactly this plan is applied. It can
be repeated at any time: what is as it should be stays as it is.

A region is followed by the next one only after it runs and serves the images that were rolled out, is ready, has taken a
sale that was found in a lake and cancelled, and none of its alarms has rung for a while. At the first rollout the sale
comes at the end, when the wires are there.

  --env NAME         a directory in infra/environment
  --plan             only show what would change; changes nothing, takes no lock, needs no more than the right to read
  --planned          apply the plans that --plan has saved, and refuse those that are no longer true
  --stage NAME       only this stage: pre-deployment, deployment or post-deployment
  --region NAME      only what is in this region, or connects it
  --parallel         all regions at once, instead of one after the other with a test between
  --images PAIR      api=sha256:...,worker=sha256:... as infra/push-images.sh prints them; default: what runs now
  --undo-switch      let the map of states override what an operator has switched by salesctl
  --yes              ask nothing at a terminal; without a terminal nothing is asked anyway
  --list             print the environment's data as JSON, the regions in their order; needs no credentials
  --help             this

Which region is ACTIVE, and which regions there are, is in infra/environment/NAME/pipeline.tfvars.

Environment: AWS_PROFILE and all that the AWS CLI reads. AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_SERVICE: an emulator.
TERRAFORM_PLUGIN_DIR: a directory that holds the provider, instead of the registry. SMOKE_URL_SA_EAST_1: where that
region's API is asked for /readiness, if not where Terraform's output says; SMOKE_URL: likewise the one address in front
of all. SMOKE_SECONDS: how long each may take to become ready, 300 by default; SALE_SECONDS: likewise a sale to reach a
lake; CAPACITY_SECONDS: a region to start its least number of tasks, 600 by default. How long alarms are to be quiet is
data (rollout); ALARM_SECONDS: how long they may take until then, 600 by default. REPLICATION_SECONDS:
how long an object may take from one lake into the others, 900 by default.

Plans, logs and salesctl.toml are in target/pipeline/NAME; --plan writes there what would change, in full, as plan.md. The state is in the bucket PROJECT-NAME-terraform-ACCOUNT,
which the first run makes.

Exit codes: 0 done (with --plan: nothing to change), 1 failed, 2 --plan found changes, 64 wrong usage, 69 a tool is
missing, 75 somebody else is at work on it, 77 no credentials, 130 interrupted.
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
        *) wrong_usage "$1 is no option" ;;
    esac
    shift
done
case $only_stage in
    '' | pre-deployment | deployment | post-deployment) ;;
    *) wrong_usage "--stage is pre-deployment, deployment or post-deployment, not $only_stage" ;;
esac
[[ -z $images || $images =~ ^api=(sha256:[0-9a-f]{64}),worker=(sha256:[0-9a-f]{64})$ ]] ||
    wrong_usage "--images has the form api=sha256:...,worker=sha256:..., as infra/push-images.sh prints it"
[[ -z $images ]] || images="{\"api\":\"${BASH_REMATCH[1]}\",\"worker\":\"${BASH_REMATCH[2]}\"}"
[[ -z $only_region || $only_stage != pre-deployment ]] || wrong_usage "pre-deployment is not done region by region"

# Whether what a target builds upon is there; if not, says what is missing.
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

# A region pulls from its own registry, and replication brings only what was pushed after it was set up: a new region
# has none of the older images, and its tasks would fail to start until the circuit breaker gives up.
#
# A plan of what runs is only warned: a region that is new in the data cannot have them before its replication is applied.
require_images() {
    local service digest log=$logs/describe-images.log why
    for service in api worker; do
        digest=$(jq -r ".$service" <<<"$2")
        aws ecr describe-images --region "$1" --repository-name "$prefix/sales-$service" \
            --image-ids "imageDigest=$digest" >/dev/null 2>"$log" && continue
        if grep -qvE 'ImageNotFoundException|RepositoryNotFoundException|^$' "$log"; then
            why="whether the registry of $1 has the image of sales-$service, $digest, cannot be told: $(tail -n 1 "$log")"
        else
            why="the image of sales-$service, $digest, is not in the registry of $1: push under a new tag,"
            why+=" infra/push-images.sh --env $name --tag TAG, and give what it prints by --images"
        fi
        [[ $mode == plan && -z $images ]] || die "$failed" "$why"
        warn "$why"
    done
}

# The digests that a region is to run. In this order: those given, what it runs, what another region runs.
choose_images() {
    local region found
    if [[ -n $images ]]; then
        chosen=$images
        return 0
    fi
    for region in "$1" "${regions[@]}"; do
        has_state "deployment/$region" || continue
        # Not what Terraform wanted to run: ECS goes back by itself where new tasks fail.
        if ! images_that_run "$region"; then
            warn "$region: ECS does not tell which images run: $(tail -n 1 "$logs/describe-services.log")"
            [[ $region != "$1" ]] || die "$failed" "give the images of $1 by --images"
            continue
        fi
        if [[ -n $found ]]; then
            chosen=$found
            [[ $region == "$1" ]] || say "$1 gets the images that run in $region"
            return 0
        fi
    done
    if $emulated; then
        warn "no images are given, and an emulator runs no tasks: the task definitions of $1 get a placeholder"
        chosen=$(jq -nc '("sha256:" + "0" * 64) as $none | {api: $none, worker: $none}')
        return 0
    fi
    die "$failed" "nothing says which images $1 is to run: build and push them by infra/push-images.sh --env $name," \
        "and give what it prints by --images"
}

# A key that was deleted with its region waits for 30 days, and KMS makes no other replica in that region meanwhile. One
# that does not wait is taken over. Adds to `variables`.
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
        die "$failed" "the environment's key in $1 is to be deleted on $until, and there can be no other one before;" \
            "keep it, and run this again, which takes it over: aws kms cancel-key-deletion --region $1 --key-id $id"
    variables+=(-var="kept_key=$id")
}

start_plan() {
    local options=(-input=false -no-color -detailed-exitcode -out="$(plan_of "$1")")
    # To look on needs neither the right to write nor a turn.
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
                echo "    in full: $log"
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
        record "${1/\// }" "applied: $(summary_of "$1")" "$3"
    elif grep -q 'Error: Saved plan is stale' "$4"; then
        warn "${1/\// }: something has changed since the plan was made; look at a new one: $0 --env $name --plan"
        failure=$failed
    else
        report_failure "$1" apply "$4"
    fi
}

# Whether a person at the terminal lets it go on.
agreed() {
    local answer
    $ask || return 0
    read -r -p "          apply this to ${1/\// } of $name? Only yes means yes: " answer || answer=no
    [[ $answer == yes ]]
}

# smoke WHAT URL [CONNECT]: waits until it is ready. CONNECT is the host to connect to, where its name is not known yet.
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
            warn "the regions that were to follow are left as they are; back: --images with the digests before"
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
            warn "an emulator runs no tasks, so nobody asked whether $1 is ready; $variable can say where its API is"
            return 0
        fi
        output=$(terraform_at "deployment/$1" output -json region 2>/dev/null) ||
            die "$failed" "deployment $1 has no output region, so nobody knows where its API is"
        url=$(jq -r .api_url <<<"$output")
        # Its name is known only after post-deployment, which is the last step of the first rollout. API Gateway has an
        # address of its own for each host.
        connect=$(jq -r '.api_gateway_region_domain_name // empty' <<<"$output")
    fi
    $emulated || check_images "$1" "${images_of[deployment/$1]}"
    smoke "$1" "$url" "$connect"
    $emulated || check_version "$1" "$url" "$connect" "$(jq -r .api <<<"${images_of[deployment/$1]}")"
    [[ $(checked_images "$1") != "${images_of[deployment/$1]}" ]] || return 0
    if ! has_state "wiring/$1"; then
        say "$1: no sale is made yet, since nothing would bring it to a lake before the wires are there"
        return 0
    fi
    sell "$1" "$url" "$connect" "$1"
    if $emulated; then
        warn "an emulator's alarms never ring, so nobody waited for those of $1"
    else
        check_alarms "$1"
    fi
    remember_checked "$1" "${images_of[deployment/$1]}"
}

# Waits until a region runs the least number of tasks that it is to keep. Terraform waits for tasks that it replaces, not
# for those that a raised minimum starts; and what comes next may be the traffic.
await_capacity() {
    local least services short began=$SECONDS deadline=${CAPACITY_SECONDS:-600}
    ! $emulated || return 0
    said_at=$SECONDS
    least=$(terraform_at "deployment/$1" output -json region 2>/dev/null | jq -c '.minimum // {}') || true
    [[ -n $least ]] || least={}
    while :; do
        services=$(aws ecs describe-services --region "$1" --cluster "$prefix" --output json \
            --services "$prefix-api" "$prefix-worker" 2>"$logs/describe-services.log") || services='{"services":[]}'
        short=$(jq -r --arg prefix "$prefix" --argjson least "$least" '
            (.services | map({key: .serviceName, value: .runningCount}) | from_entries) as $running
            | [$least | to_entries[] | {name: .key, least: .value, runs: ($running["\($prefix)-\(.key)"] // 0)}
                | select(.runs < .least) | "\(.name) runs \(.runs) of \(.least) tasks"] | join(", ")' <<<"$services")
        if [[ -z $short ]]; then
            record "$1" "runs the tasks that it keeps at least" $((SECONDS - began))
            return 0
        fi
        if ((SECONDS - began >= deadline)); then
            warn "$1: still short of tasks after $deadline s: $short; see the service's events: aws ecs" \
                "describe-services --region $1 --cluster $prefix --services $prefix-api $prefix-worker"
            warn "no state and no traffic was changed"
            failure=$failed
            give_up
        fi
        say_progress "$1: waiting for tasks, $((SECONDS - began)) s: $short"
        sleep 3
    done
}

# Whether what lies in the lake of a region comes to the others: S3 takes every configuration, and a role that lacks
# something shows by the status of an object alone. Readers of tables pass over what begins with _.
smoke_replication() {
    local output bucket key deadline=${REPLICATION_SECONDS:-900} began=$SECONDS version status region name late pause
    local -A lakes=()
    if $emulated; then
        warn "an emulator replicates whatever a role may do, so nobody looked whether the lake of $1 is replicated"
        return 0
    fi
    output=$(terraform_at "wiring/$1" output -json lake_replication 2>/dev/null) ||
        die "$failed" "wiring $1 has no output lake_replication, so nobody knows to where its lake is replicated"
    [[ $output != null ]] || return 0
    bucket=$(jq -r .bucket <<<"$output")
    key=$(jq -r .prefix <<<"$output")_replication-test/$1
    while read -r region name; do lakes[$region]=$name; done < <(
        jq -r '.destinations | to_entries[] | "\(.key) \(.value)"' <<<"$output")

    status=FAILED pause=0 said_at=$SECONDS
    while :; do
        # S3 does not try again; and a role that was made just now is not known everywhere yet. Each try is a version of
        # the object, so that there are fewer and fewer.
        if [[ $status == FAILED ]]; then
            version=$(aws s3api put-object --region "$1" --bucket "$bucket" --key "$key" --query VersionId \
                --output text) || die "$failed" "no object could be put into the lake of $1, $bucket"
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
            "$bucket is $status; look at its role, the keys and the rules: aws s3api get-bucket-replication --bucket $bucket"
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
        warn "an emulator has no accelerator, so nobody asked whether it lets sales through; SMOKE_URL can say where"
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
        say "salesctl finds the pipeline by: export SALESCTL_CONFIG=$(printf '%q' "$file")"
    else
        rm -f "$file.new"
        warn "post-deployment has no output salesctl_toml"
    fi
}

# Plans without a state, while there is none: everything would be created. A copy of the root, so that it is left as it
# is.
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

# refuse_if_switched TARGET MESSAGE: ends the rollout if somebody has switched, which applying the target might undo.
refuse_if_switched() {
    local why
    why=$(why_outdated "$1")
    [[ -n $why ]] || return 0
    warn "$why"
    warn "$2"
    failure=$failed
    give_up
}

# What the plans say, in full, for who approves them where no terminal is: as Markdown, and within the megabyte that
# GitHub takes of a step. Each target gets its share, so that the first one leaves room for the last. Terraform itself
# shows what is secret as (sensitive value).
write_plans() {
    local file=$work/plan.md target left=900000 count=${#planned[@]} text
    : >"$file"
    for target in "${planned[@]}"; do
        text=$(diff_of "$target" | LC_ALL=C awk -v most=$((left / count)) \
            -v log_file="log/${target//\//-}.plan.log" '
            { size += length($0) + 1 }
            size > most && !is_cut { is_cut = 1; print "... and more: the whole of it is in " log_file }
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
            say "${target/\// }: cannot be planned yet, since it builds upon $without, which has not been applied"
            rm -f "$(plan_of "$target")"
            any_changes=true
            continue
        fi
        [[ -z $without ]] ||
            die "$failed" "${target/\// } builds upon $without, which has not been applied; apply that first"
        directory_of[$target]=$infra/${target%%/*}
        if $state_exists; then
            init_target "$target"
        else
            say "there is no state yet: the bucket $state_bucket does not exist"
            prepare_without_state "$target"
        fi
        ready+=("$target")
    done
    ((${#ready[@]} > 0)) || return 0

    if [[ $mode == planned ]]; then
        for target in "${ready[@]}"; do
            [[ -f $(plan_of "$target") ]] ||
                die "$failed" "no plan is saved for ${target/\// }: $(plan_of "$target") is missing"
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
                refuse_if_switched "$target" "the dials may be those of the map: salesctl status, and switch again"
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
    # Deployments do not depend on each other; but states are set ACTIVE before PASSIVE also when there is hurry.
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
        warn "$region is no longer in the data, but is still there: ./pipeline-destroy.sh --env $name --region $region"
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
        wrong_usage "$only_region is not a region of $name, only: ${regions[*]}"
    require_tools aws curl
    claim_work
    find_aws
    if $emulated; then
        warn "AWS_ENDPOINT_URL is set: this goes to an emulator, account $account"
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
