# shellcheck shell=bash
# Shared by pipeline.sh, pipeline-destroy.sh and infra/push-images.sh: an environment's data, credentials, the state bucket,
# and running Terraform so that it can be interrupted. For sourcing.
#
# A target is one run of Terraform: a root (pre-deployment), a root in a region (deployment/us-east-1), or a
# root for a pair of regions (peering/sa-east-1_us-east-1). Its name is also that of its state, TARGET.tfstate.
#
# Variables that are unused here are used by the scripts that source this; backquotes in single quotes are JMESPath.
# shellcheck disable=SC2034,SC2016

program=${0##*/}
# The parameter of a region that holds the images with which it has passed all checks of a rollout, below /PREFIX/.
readonly checked_parameter=rollout/checked-images

# Each has an image, a repository and a service in ECS.
readonly services=(api worker lake)
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
infra=$repository/infra

readonly ok=0 failed=1 changes=2 usage=64 missing=69 busy=75 no_permission=77

# The order of a rollout, one root per line: its stage, its directory in infra, and `once`, the order of its regions
# (`others` are all but the home region), or `pairs`. The ACTIVE regions are deployed last, after the PASSIVE ones have shown
# that the new code works; but states are set ACTIVE first, so that there always is an ACTIVE region. pipeline-destroy.sh
# uses the reverse order.
readonly rollout=(
    "pre-deployment   pre-deployment   once"
    "pre-deployment   registry         others"
    "deployment       deployment       passive,active"
    "post-deployment  wiring           active,passive"
    "post-deployment  post-deployment  once"
    # Last, so that neither a switch nor the traffic waits for it.
    "post-deployment  peering          pairs"
)

die() {
    local status=$1
    shift
    printf '%s: %s\n' "$program" "$*" >&2
    exit "$status"
}

wrong_usage() {
    die "$usage" "$*; see --help"
}

say() {
    clear_status
    printf '%(%H:%M:%S)T  %s\n' -1 "$*"
}

said_at=0

# say_progress TEXT: called in each iteration of a wait; prints it once a minute. A wait starts by setting `said_at`.
say_progress() {
    if ((SECONDS - said_at >= ${PROGRESS_SECONDS:-60})); then
        said_at=$SECONDS
        say "$1"
    fi
}

# For messages that must not be overlooked.
warn() {
    clear_status
    printf '%(%H:%M:%S)T  ** %s\n' -1 "$*" >&2
}

require_tools() {
    local tool
    ((BASH_VERSINFO[0] > 4 || (BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4))) ||
        die "$missing" "unsupported bash $BASH_VERSION: expected 4.4 or newer (on macOS: brew install bash)"
    for tool; do
        command -v "$tool" >/dev/null || die "$missing" "$tool is missing: $(where_from "$tool")"
    done
}

where_from() {
    case $1 in
        terraform) echo "install Terraform 1.11 or a newer 1.x: https://developer.hashicorp.com/terraform/install" ;;
        aws) echo "install the AWS CLI: https://docs.aws.amazon.com/cli" ;;
        docker) echo "install Docker with buildx: https://docs.docker.com/engine/install" ;;
        *) echo "install it with your system's package manager" ;;
    esac
}

require_terraform() {
    local version
    require_tools terraform
    version=$(terraform version -json 2>/dev/null | jq -r .terraform_version) || version=unknown
    case $version in
        1.[0-9].* | 1.10.* | 0.* | unknown)
            die "$missing" "unsupported Terraform $version: expected 1.11 or a newer 1.x; $(where_from terraform)"
            ;;
    esac
    # Terraform asks no questions, and does not check for newer versions during a rollout.
    export TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1
    if [[ -z ${TERRAFORM_PLUGIN_DIR:-} && -z ${TF_PLUGIN_CACHE_DIR:-} ]] &&
        ! grep -qs provider_installation "${TF_CLI_CONFIG_FILE:-$HOME/.terraformrc}"; then
        # Without a cache, each root would download the provider in each region: 0.7 GB unpacked.
        export TF_PLUGIN_CACHE_DIR=$repository/target/pipeline/providers
        mkdir -p "$TF_PLUGIN_CACHE_DIR"
    fi
}

# load_settings NAME: the environment's data as Terraform reads it, so that invalid data is rejected before any AWS call.
load_settings() {
    local known
    known=$(cd "$infra/environment" && printf '%s ' */)
    known=${known//\//}
    [[ -n $1 ]] || wrong_usage "--env is required: one of ${known% }"
    [[ $1 =~ ^[a-z0-9]+$ && -f $infra/environment/$1/pipeline.tfvars ]] ||
        die "$usage" "unknown environment $1: expected one of ${known% }, the directories in infra/environment"

    environment=$1
    environment_data=$infra/environment/$1
    work=$repository/target/pipeline/$1
    logs=$work/log
    mkdir -p "$logs"

    # Terraform does not print the contents of a backend file; but it is flat.
    state_region=$(sed -nE 's/^region[[:space:]]*=[[:space:]]*"([a-z0-9-]+)"[[:space:]]*$/\1/p' \
        "$environment_data/backend.hcl")
    [[ $state_region =~ ^[a-z]+(-[a-z]+)+-[0-9]+$ ]] ||
        die "$failed" "invalid infra/environment/$1/backend.hcl: expected one line region = \"...\""

    local plan=$work/settings.plan log=$logs/settings.log
    if ! TF_DATA_DIR=$work/data/settings terraform -chdir="$infra/settings" plan -no-color -input=false -lock=false \
        -state="$work/settings.tfstate" -var-file="$environment_data/pipeline.tfvars" \
        -var="state_store={bucket=\"\",region=\"$state_region\"}" -out="$plan" >"$log" 2>&1; then
        warn "invalid data in infra/environment/$1, nothing was changed:"
        show_errors "$log"
        exit "$failed"
    fi
    settings=$(TF_DATA_DIR=$work/data/settings terraform -chdir="$infra/settings" show -json "$plan" |
        jq -c .planned_values.outputs.settings.value)
    [[ $(setting .environment) == "$1" ]] ||
        die "$failed" "wrong environment \"$(setting .environment)\" in infra/environment/$1/pipeline.tfvars: expected \"$1\""
    prefix=$(setting .project)-$1
    # In the order of a rollout.
    read -ra regions <<<"$(setting '.regions | join(" ")')"
}

# setting FILTER: a part of the environment's data, by a filter of jq.
setting() {
    jq -r "$1" <<<"$settings"
}

# For jq: a date as the AWS CLI writes it, in any time zone, in seconds since 1970.
readonly jq_epoch='
    def epoch:
        (tonumber? // (capture("^(?<at>[0-9-]+T[0-9:]+)(\\.[0-9]+)?((?<sign>[+-])(?<hours>[0-9]+):(?<minutes>[0-9]+))?Z?$")
            | (.at + "Z" | fromdate) - (if .sign == "-" then -1 else 1 end)
                * ((.hours // "0" | tonumber) * 3600 + (.minutes // "0" | tonumber) * 60)));'

# list_regions ORDER: the regions of a line of the rollout, such as passive,active, or its pairs of regions.
list_regions() {
    jq -r --arg order "$1" '. as $all | $order | split(",") | map($all[.]) | add | .[]' <<<"$settings"
}

# AWS, or an emulator: its special settings are here only.
find_aws() {
    local variable
    emulated=false
    for variable in $(compgen -e AWS_ENDPOINT_URL); do
        [[ -z ${!variable} ]] || emulated=true
    done
    # A pager would wait for a key.
    export AWS_PAGER=
    if $emulated; then
        export AWS_EC2_METADATA_DISABLED=true
        if [[ -z ${AWS_CONFIG_FILE:-} && -z ${AWS_PROFILE:-} ]]; then
            # BUCKET.localhost does not resolve everywhere.
            export AWS_CONFIG_FILE=$work/aws-config
            printf '[default]\ns3 =\n    addressing_style = path\n' >"$AWS_CONFIG_FILE"
        fi
    fi

    local answer
    if ! answer=$(aws sts get-caller-identity --region "$state_region" --query Account --output text 2>&1); then
        answer=$(grep -v '^$' <<<"$answer" | tail -n 1)
        die "$no_permission" "no valid AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and" \
            "AWS_SECRET_ACCESS_KEY, and try \`aws sts get-caller-identity\` ($answer)"
    fi
    account=$answer
    state_bucket=$prefix-terraform-$account
    state_key_alias=alias/$prefix-terraform
}

aws_state() {
    aws "$@" --region "$state_region"
}

# Whether the state bucket exists, and the ARN of its key, empty if there is none.
find_state() {
    local answer
    state_exists=false
    if answer=$(aws_state s3api head-bucket --bucket "$state_bucket" --query BucketRegion --output text 2>&1); then
        # The AWS CLI finds a bucket in any region; Terraform and the key do not.
        $emulated || [[ $answer != *-*-* || $answer == "$state_region" ]] ||
            die "$failed" "state bucket $state_bucket is in $answer, but infra/environment/$environment/backend.hcl expects" \
                "$state_region; to move it, see \"Moving the state\" in docs/infrastructure.md"
        state_exists=true
    elif [[ $answer != *404* && $answer != *NoSuchBucket* ]]; then
        die "$no_permission" "cannot access state bucket $state_bucket:" \
            "$(grep -v '^$' <<<"$answer" | tail -n 1)"
    fi
    state_key=$(aws_state kms describe-key --key-id "$state_key_alias" --query KeyMetadata.Arn --output text \
        2>/dev/null) || state_key=
    states=()
    if $state_exists; then
        answer=$(aws_state s3api list-objects-v2 --bucket "$state_bucket" \
            --query 'Contents[?ends_with(Key, `.tfstate`)].Key' --output text)
        [[ $answer == None ]] || read -ra states <<<"${answer//[$'\t\n']/ }"
    fi
}

# has_state TARGET: whether it has been applied, and not destroyed since.
has_state() {
    [[ " ${states[*]} " == *" $1.tfstate "* ]]
}

# regions_of TARGET: its region, both of a pair, or none.
regions_of() {
    [[ $1 != */* ]] || tr _ '\n' <<<"${1#*/}"
}

# is_in TARGET REGION: whether a target is in a region, or in a pair with it.
is_in() {
    [[ _${1#*/}_ == *_"$2"_* ]]
}

# list_left_regions: those that have a state, but are no longer in the data.
list_left_regions() {
    local state region
    for state in "${states[@]}"; do
        for region in $(regions_of "${state%.tfstate}"); do
            [[ " ${regions[*]} " == *" $region "* ]] || echo "$region"
        done
    done | sort -u
}

# Creates the state bucket and its key. Safe to repeat: the tag comes last, so that an interrupted run is completed.
make_state() {
    local done_with tag=2026-11-a
    if $state_exists && [[ -n $state_key ]]; then
        done_with=$(aws_state s3api get-bucket-tagging --bucket "$state_bucket" \
            --query 'TagSet[?Key==`made-by-pipeline`].Value' --output text 2>/dev/null) || done_with=
        [[ $done_with != "$tag" ]] || return 0
    fi
    local started=$SECONDS
    if [[ -z $state_key ]]; then
        state_key=$(aws_state kms create-key --description "Terraform's state of $prefix" \
            --tags "TagKey=project,TagValue=$(setting .project)" "TagKey=environment,TagValue=$environment" \
            --query KeyMetadata.Arn --output text)
        aws_state kms create-alias --alias-name "$state_key_alias" --target-key-id "$state_key"
    fi
    aws_state kms enable-key-rotation --key-id "$state_key"
    if ! $state_exists; then
        local location=()
        # The only region that may not be named.
        [[ $state_region == us-east-1 ]] || location=(--create-bucket-configuration "LocationConstraint=$state_region")
        aws_state s3api create-bucket --bucket "$state_bucket" "${location[@]}" >/dev/null
        aws_state s3api wait bucket-exists --bucket "$state_bucket"
        state_exists=true
    fi
    aws_state s3api put-public-access-block --bucket "$state_bucket" --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
    aws_state s3api put-bucket-versioning --bucket "$state_bucket" --versioning-configuration Status=Enabled
    aws_state s3api put-bucket-encryption --bucket "$state_bucket" --server-side-encryption-configuration "$(
        jq -n --arg key "$state_key" '{Rules: [{
            ApplyServerSideEncryptionByDefault: {SSEAlgorithm: "aws:kms", KMSMasterKeyID: $key},
            BucketKeyEnabled: true}]}'
    )"
    aws_state s3api put-bucket-policy --bucket "$state_bucket" --policy "$(
        jq -n --arg bucket "arn:aws:s3:::$state_bucket" '{Version: "2012-10-17", Statement: [{
            Sid: "OnlyOverTLS", Effect: "Deny", Principal: "*", Action: "s3:*", Resource: [$bucket, "\($bucket)/*"],
            Condition: {Bool: {"aws:SecureTransport": "false"}}}]}'
    )"
    aws_state s3api put-bucket-lifecycle-configuration --bucket "$state_bucket" --lifecycle-configuration "$(
        jq -n '{Rules: [{ID: "old-versions", Status: "Enabled", Filter: {Prefix: ""},
            NoncurrentVersionExpiration: {NoncurrentDays: 90, NewerNoncurrentVersions: 10},
            AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}}]}'
    )" >/dev/null
    aws_state s3api put-bucket-tagging --bucket "$state_bucket" --tagging "$(
        jq -n --arg project "$(setting .project)" --arg environment "$environment" --arg tag "$tag" '{TagSet: [
            {Key: "project", Value: $project}, {Key: "environment", Value: $environment},
            {Key: "made-by-pipeline", Value: $tag}]}'
    )"
    record "state" "bucket $state_bucket is created" $((SECONDS - started))
}

# AWS creates this key when a region's first table is used; an emulator may not, and Terraform reads it.
supply_managed_keys() {
    local region key
    for region; do
        aws kms describe-key --region "$region" --key-id alias/aws/dynamodb >/dev/null 2>&1 && continue
        key=$(aws kms create-key --region "$region" --description "stand-in for the AWS managed key" \
            --query KeyMetadata.Arn --output text)
        aws kms create-alias --region "$region" --alias-name alias/aws/dynamodb --target-key-id "$key"
    done
}

# Two runs in one directory would overwrite each other's plans; the state lock separates runs in different directories.
claim_work() {
    local owner
    if ! mkdir "$work/claim" 2>/dev/null; then
        owner=$(cat "$work/claim/pid" 2>/dev/null) || owner=
        if [[ -n $owner ]] && kill -0 "$owner" 2>/dev/null; then
            die "$busy" "process $owner is working on $environment in this directory; wait for it, or interrupt it:" \
                "kill -INT $owner"
        fi
    fi
    mkdir -p "$work/claim"
    echo "$$" >"$work/claim/pid"
    trap 'rm -rf "$work/claim"' EXIT
}

# --- Terraform ---

# terraform_at TARGET COMMAND...: a short command in the directory and with the state of a target.
terraform_at() {
    local target=$1
    shift
    TF_DATA_DIR=$work/data/${target//\//-} terraform -chdir="$infra/${target%%/*}" "$@"
}

# init_target TARGET: with the state in the bucket.
init_target() {
    local log=$logs/${1//\//-}.init.log
    local options=(-input=false -no-color -reconfigure -lockfile=readonly
        -backend-config="$environment_data/backend.hcl"
        -backend-config="bucket=$state_bucket" -backend-config="key=$1.tfstate")
    [[ -z ${TERRAFORM_PLUGIN_DIR:-} ]] || options+=(-plugin-dir="$TERRAFORM_PLUGIN_DIR")
    [[ -z $state_key ]] || options+=(-backend-config="kms_key_id=$state_key")
    if $emulated; then
        options+=(-backend-config=use_path_style=true -backend-config=skip_credentials_validation=true
            -backend-config=skip_metadata_api_check=true -backend-config=skip_region_validation=true)
    fi
    terraform_at "$1" init "${options[@]}" >"$log" 2>&1 || {
        report_failure "$1" init "$log"
        give_up
    }
}

# The root of a target, if it is not in infra.
declare -A directory_of=()

# plan_of TARGET [KIND]: the file of its saved plan; KIND tells several of a target apart.
plan_of() {
    echo "$work/${1//\//-}${2:+.$2}.tfplan"
}

# in_plan TARGET FILTER [KIND]: a part of its saved plan, by a filter of jq. The conversion to JSON takes some seconds, so
# the result is kept beside Terraform's other data of the target.
in_plan() {
    local plan data=$work/data/${1//\//-} json
    plan=$(plan_of "$1" "${3:-}")
    json=$data/${plan##*/}.json
    if [[ ! $json -nt $plan ]]; then
        mkdir -p "$data"
        TF_DATA_DIR=$data terraform -chdir="${directory_of[$1]:-$infra/${1%%/*}}" show -json "$plan" >"$json.new" \
            2>"$(log_of show "$1")" || return
        mv "$json.new" "$json"
    fi
    jq -r "$2" "$json"
}

# The variables that are not in the environment's data. Sets `variables`.
set_variables() {
    variables=(-var-file="$environment_data/pipeline.tfvars" -var="emulated=$emulated"
        -var="state_store={bucket=\"$state_bucket\",region=\"$state_region\"}")
    local of
    mapfile -t of < <(regions_of "$1")
    ((${#of[@]} == 0)) || variables+=(-var="region=${of[0]}")
    ((${#of[@]} < 2)) || variables+=(-var="peer=${of[1]}")
}

running=()
interrupted=
status_shown=false

# start LOG COMMAND...: in the background, in a separate process group: Ctrl-C at the terminal reaches only this script,
# which forwards it once, because a second one makes Terraform abort at once. Sets `started_pid`.
start() {
    local log=$1
    shift
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    set +m
    started_pid=$!
    running+=("$started_pid")
}

# shellcheck disable=SC2317,SC2329  # Called by the traps.
on_signal() {
    local pid
    interrupted=$1
    ((${#running[@]} > 0)) || exit 130
    warn "interrupted: waiting for Terraform to complete pending operations and to release its lock"
    for pid in "${running[@]}"; do
        kill -INT -- "-$pid" 2>/dev/null || true
    done
}
trap 'on_signal INT' INT
trap 'on_signal TERM' TERM
trap 'on_signal HUP' HUP

# side_by_side STEP TARGET...: starts STEP for each (start_STEP TARGET, with its log), waits for all, and has
# finish_STEP TARGET STATUS SECONDS LOG called as each ends.
side_by_side() {
    local step=$1 target status began=$SECONDS
    shift
    said_at=$SECONDS
    local -A pids=()
    for target; do
        "start_$step" "$target"
        pids[$target]=$started_pid
    done
    while ((${#pids[@]} > 0)); do
        sleep 0.2 || true
        for target in "${!pids[@]}"; do
            kill -0 "${pids[$target]}" 2>/dev/null && continue
            status=0
            wait "${pids[$target]}" || status=$?
            unset "pids[$target]"
            # Its pid may be reused.
            running=("${pids[@]}")
            "finish_$step" "$target" "$status" $((SECONDS - began)) "$(log_of "$step" "$target")"
        done
        if ((${#pids[@]} > 0)); then
            show_status "$step" $((SECONDS - began)) "${!pids[@]}"
            [[ -t 1 ]] || say_progress "$(status_of "$step" $((SECONDS - began)) "${!pids[@]}")"
        fi
    done
    running=()
    if [[ -n $interrupted ]]; then
        warn "interrupted; completed changes are in the state; repeat the command to continue"
        print_records
        exit 130
    fi
    # Only now, when nothing runs any more.
    ((failure == 0)) || give_up
}

log_of() {
    echo "$logs/${2//\//-}.$1.log"
}

# The progress line at a terminal.
show_status() {
    [[ -t 1 ]] || return 0
    clear_status
    printf '          %s' "$(status_of "$@")"
    status_shown=true
}

clear_status() {
    if $status_shown; then
        printf '\r\033[K'
        status_shown=false
    fi
}

status_of() {
    local step=$1 seconds=$2 target count text=
    shift 2
    for target; do
        count=$(grep -cE '(Creation|Modifications|Destruction) complete after|Read complete after|Refreshing state' \
            "$(log_of "$step" "$target")" 2>/dev/null) || true
        text+="${text:+; }${target/\// }: $step, $count resources"
    done
    echo "$text, $seconds s"
}

failure=0

# report_failure TARGET STEP LOG: reports the error; the script ends when the other targets have finished.
report_failure() {
    local target=$1 step=$2 log=$3 id
    # An interruption is reported once, without details.
    [[ -z $interrupted ]] || return 0
    failure=$failed
    if grep -q 'Error acquiring the state lock' "$log"; then
        id=$(sed -nE 's/^ *ID: +//p' "$log" | head -n 1)
        warn "${target/\// }: its state is locked by" \
            "$(sed -nE 's/^ *Who: +//p' "$log" | head -n 1), since $(sed -nE 's/^ *Created: +//p' "$log" | head -n 1)"
        warn "only if that run no longer exists, release its lock and repeat this command:"
        printf '    TF_DATA_DIR=%q terraform -chdir=infra/%s force-unlock -force %s\n' \
            "$work/data/${target//\//-}" "${target%%/*}" "$id" >&2
        failure=$busy
        return 0
    fi
    warn "${target/\// }: $step failed:"
    show_errors "$log"
    ! grep -q 'execution halted' "$log" ||
        warn "Terraform received a signal that was not sent by this script (a cancelled job, or a shutdown)"
    echo "    full output: $log" >&2
    if grep -qE 'Failed to query available provider packages|Failed to install provider' "$log"; then
        warn "registry.terraform.io cannot be reached: set TERRAFORM_PLUGIN_DIR to a directory that holds the provider"
    fi
}

give_up() {
    ((failure == busy)) || [[ ${mode:-} == plan ]] ||
        warn "completed changes are in the state; fix the cause and repeat the command"
    print_records
    exit "$failure"
}

# show_errors LOG: only Terraform's errors.
show_errors() {
    if grep -q '^Error: ' "$1"; then
        sed -n '/^Error: /,$p' "$1" | grep -v '^$' | head -n 60 | sed 's/^/    /' >&2
    else
        tail -n 20 "$1" | sed 's/^/    /' >&2
    fi
}

# changes_of TARGET: the changes of a plan, one resource per line.
changes_of() {
    # shellcheck disable=SC2016  # Of jq.
    in_plan "$1" '.resource_changes[]?
        | {"create": "+", "update": "~", "delete": "-", "forget": "forget", "create,delete": "-+", "delete,create": "-+"}[
            .change.actions | join(",")] as $sign
        | if $sign then "    \($sign) \(.address)" elif .change.importing then "    import \(.address)" else empty end'
}

# diff_of TARGET: the complete changes of a plan, as a diff: signs at the beginning of a line.
diff_of() {
    TF_DATA_DIR=$work/data/${1//\//-} terraform -chdir="${directory_of[$1]:-$infra/${1%%/*}}" show -no-color \
        "$(plan_of "$1")" 2>"$(log_of show "$1")" | sed -E -e 's/^( +)([-+~]) /\2\1 /' -e 's/^~/!/'
}

# counts_of TARGET [KIND]: how many resources a plan adds, changes, destroys and imports; a replaced one is counted as
# added and as destroyed, as in Terraform's summary.
counts_of() {
    in_plan "$1" '[.resource_changes[]?.change] | [
        ("create", "update", "delete") as $action | map(select(.actions | index($action))) | length
        ] + [map(select(.importing)) | length] | join(" ")' "${2:-}"
}

# summary_of TARGET [KIND]: the counts in words.
summary_of() {
    local counts add change destroy import
    counts=$(counts_of "$1" "${2:-}") || return
    read -r add change destroy import <<<"$counts"
    case $counts in
        "0 0 0 0") echo "only outputs change" ;;
        *" 0") echo "$add to add, $change to change, $destroy to destroy" ;;
        *) echo "$import to import, $add to add, $change to change, $destroy to destroy" ;;
    esac
}

records=()

# record WHAT OUTCOME SECONDS: prints it now, and again in the table at the end.
record() {
    say "$(printf '%-28s %s (%d s)' "$1" "$2" "$3")"
    records+=("$(printf '%-28s %6d s  %s' "$1" "$3" "$2")")
}

print_records() {
    ((${#records[@]} > 0)) || return 0
    clear_status
    echo
    printf '%s\n' "${records[@]}"
    printf '%-28s %6d s\n' "in all" "$SECONDS"
}
