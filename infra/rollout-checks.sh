# shellcheck shell=bash
# The checks of pipeline.sh: the images that ECS runs and the API serves, a test sale, alarms, which regions have passed, and
# whether an operator has switched meanwhile. For sourcing, after pipeline-lib.sh. A failed check ends with `give_up`.
#
# Variables that are unused or not assigned here are used or assigned in those two.
# shellcheck disable=SC2034,SC2154

# --- What runs ---

# ask_ecs REGION SERVICE: the rollout of a service according to ECS. Sets `ecs_state` (COMPLETED, IN_PROGRESS, FAILED; empty
# if there is no such service), `ecs_runs` (the image digest of the last completed rollout) and `ecs_intends` (that of the
# newest rollout). Fails if ECS does not respond.
ask_ecs() {
    local service definitions
    ecs_state='' ecs_runs='' ecs_intends=''
    if ! service=$(aws ecs describe-services --region "$1" --cluster "$prefix" --services "$prefix-$2" --output json \
        2>"$logs/describe-services.log"); then
        grep -q ClusterNotFoundException "$logs/describe-services.log"
        return
    fi
    service=$(jq -c '.services[]? | select(.status == "ACTIVE")' <<<"$service") || return
    [[ -n $service ]] || return 0
    ecs_state=$(jq -r 'first(.deployments[]? | select(.status == "PRIMARY") | .rolloutState) // "COMPLETED"' <<<"$service")
    # The newest and the last completed one: they differ while new tasks start, and after they have failed.
    definitions=$(jq -r '.taskDefinition,
        (first(.deployments[]? | select(.rolloutState == "COMPLETED") | .taskDefinition) // .taskDefinition)' <<<"$service")
    ecs_intends=$(digest_of "$1" "${definitions%%$'\n'*}") && ecs_runs=$(digest_of "$1" "${definitions##*$'\n'}")
}

# digest_of REGION TASK-DEFINITION
digest_of() {
    aws ecs describe-task-definition --region "$1" --task-definition "$2" --output json \
        2>"$logs/describe-task-definition.log" |
        jq -er '.taskDefinition.containerDefinitions[0].image | split("@")[1] // empty'
}

# images_that_run REGION: sets `found` to the digests by service, empty if a service is not there. Fails if ECS does not
# respond.
images_that_run() {
    local service digests={}
    found=
    for service in "${services[@]}"; do
        ask_ecs "$1" "$service" || return
        [[ -n $ecs_runs ]] || return 0
        digests=$(jq -c --arg service "$service" --arg digest "$ecs_runs" '.[$service] = $digest' <<<"$digests")
    done
    found=$digests
}

# check_images REGION IMAGES: waits until all services run them according to ECS. If new tasks fail, ECS rolls back and
# reports a steady state.
check_images() {
    local region=$1 service wanted began=$SECONDS deadline=${SMOKE_SECONDS:-300}
    for service in "${services[@]}"; do
        wanted=$(jq -r ".$service" <<<"$2")
        while :; do
            ask_ecs "$region" "$service" || fail_region "$region: cannot read from ECS which image sales-$service runs:" \
                "$(tail -n 1 "$logs/describe-services.log" "$logs/describe-task-definition.log" 2>/dev/null | tail -n 1)"
            if [[ $ecs_state == FAILED || $ecs_intends != "$wanted" ]]; then
                fail_region "$region: sales-$service runs ${ecs_runs:-nothing} instead of $wanted: its tasks failed and" \
                    "ECS rolled back; see aws ecs describe-services --region $region --cluster" \
                    "$prefix --services $prefix-$service --query 'services[0].events[:10].message'"
            fi
            [[ $ecs_state != COMPLETED ]] || break
            ((SECONDS - began < deadline)) ||
                fail_region "$region: the rollout of sales-$service is $ecs_state after $deadline s"
            sleep 3
        done
    done
    record "$region" "runs the new images" $((SECONDS - began))
}

# fail_region MESSAGE...: ends the rollout here.
fail_region() {
    warn "$@"
    warn "the remaining regions are unchanged; to roll back: --images with the previous digests"
    failure=$failed
    give_up
}

# --- What is served ---

# The header of requests that need a token; empty for all others.
authorization=

# call URL CONNECT METHOD PATH [OPTION...]: prints the status of the response; its body is in $logs/call.body. CONNECT is the
# host to connect to, empty if that of the URL resolves.
call() {
    local url=${1%/} connect=$2 method=$3 path=$4 options=()
    shift 4
    [[ -z $connect ]] || options+=(--connect-to "::$connect:443")
    curl --silent --output "$logs/call.body" --write-out '%{http_code}' --max-time 15 --request "$method" \
        "${options[@]}" "$@" --config - "$url$path" <<<"${authorization:+header = \"$authorization\"}" || echo "no answer"
}

# check_version REGION URL CONNECT DIGEST: waits until the API serves the image that was rolled out.
check_version() {
    local region=$1 wanted=$4 status served commit began=$SECONDS deadline=${SMOKE_SECONDS:-300}
    while :; do
        status=$(call "$2" "$3" GET /version)
        served=$(jq -r '.image // empty' "$logs/call.body" 2>/dev/null) || served=
        commit=$(jq -r '.commit // "unknown"' "$logs/call.body" 2>/dev/null) || commit=unknown
        if [[ $status == 200 && $served == "$wanted" ]]; then
            record "$region" "serves $served, built from commit ${commit:0:12}" $((SECONDS - began))
            return 0
        fi
        if [[ $status == 200 && -z $served ]]; then
            warn "$region: /version reports no image (IMAGE not set in this version); ECS runs $wanted"
            return 0
        fi
        ((SECONDS - began < deadline)) || fail_region "$region: ${2%/}/version reports ${served:-no image} ($status)" \
            "after $deadline s instead of $wanted"
        sleep 3
    done
}

# --- A sale ---

# sign_in WHAT REGION: sets `authorization` for a test sale where sign-in is on: SALES_TOKEN, or a new token of the client operator
# from the user pool of REGION, or of the first other region that gives one. Secrets and tokens are in no argument, which other
# processes see, and in no file.
sign_in() {
    local region token=${SALES_TOKEN:-} mode
    mode=$(setting .sign_in)
    authorization=
    [[ $mode != off ]] || return 0
    if [[ -z $token && $mode == cognito ]]; then
        for region in $2 "${regions[@]}"; do
            ! token=$(token_of_operator "$region") || break
        done
    fi
    [[ -n $token ]] || fail_region "$1: cannot post the test sale: no region's user pool gives a token to its client operator, and" \
        "SALES_TOKEN is not set"
    authorization="Authorization: Bearer $token"
}

# token_of_operator REGION: prints a token for the client operator of the region's user pool. Fails without one.
token_of_operator() {
    local timeouts=(--cli-connect-timeout 5 --cli-read-timeout 15) log=$logs/sign-in.log pool client secret
    pool=$(aws cognito-idp list-user-pools --region "$1" "${timeouts[@]}" --max-results 60 --output text \
        --query "UserPools[?Name=='$prefix'].Id | [0]" 2>"$log") || return
    client=$(aws cognito-idp list-user-pool-clients --region "$1" "${timeouts[@]}" --user-pool-id "$pool" --output text \
        --query "UserPoolClients[?ClientName=='operator'].ClientId | [0]" 2>"$log") || return
    secret=$(aws cognito-idp describe-user-pool-client --region "$1" "${timeouts[@]}" --user-pool-id "$pool" \
        --client-id "$client" --query UserPoolClient.ClientSecret --output text 2>"$log") || return
    curl --silent --fail --max-time 15 --config - "https://$prefix-$account.auth.$1.amazoncognito.com/oauth2/token" 2>"$log" \
        <<<"user = \"$client:$secret\"
data = \"grant_type=client_credentials\"" | jq -er .access_token 2>"$log"
}

# sell WHAT URL CONNECT REGION: a real sale, accepted by REGION (by any if empty), found in a lake and cancelled. The sale
# and its cancellation stay in the lake, as any other.
sell() {
    local what=$1 url=$2 connect=$3 region=$4 began=$SECONDS deadline=${SALE_SECONDS:-300} status id day accepted lake=
    local sale='{"product":"rollout check","amount":0.01}' key
    # One sale, even if a response is lost and the request repeated.
    key="rollout-$account-$(date +%s)-$$-$RANDOM"
    said_at=$SECONDS
    sign_in "$what" "$region"
    while :; do
        status=$(call "$url" "$connect" POST /sales --header 'Content-Type: application/json' \
            --header "Idempotency-Key: $key" --data "$sale")
        [[ $status != 20[01] ]] || break
        if [[ $status == 4?? && $status != 429 ]] || ((SECONDS - began >= deadline)); then
            fail_region "$what: the test sale was not accepted: $status $(head -c 500 "$logs/call.body" 2>/dev/null)"
        fi
        say_progress "$what: waiting until the test sale is accepted, $((SECONDS - began)) s: $status"
        sleep 3
    done
    id=$(jq -r .id "$logs/call.body" 2>/dev/null) || id=
    [[ $id =~ ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$ ]] ||
        fail_region "$what: the response to the test sale has no id: $(head -c 500 "$logs/call.body")"
    day=$(jq -r '.timestamp | strftime("%Y-%m-%d")' "$logs/call.body")
    accepted=$(jq -r '.region // empty' "$logs/call.body")

    until lake=$(lake_that_holds "$id" "$day") && [[ -n $lake ]]; do
        if ((SECONDS - began >= deadline)); then
            cancel "$what" "$url" "$connect" "$id"
            fail_region "$what: sale $id has not reached a lake after $deadline s: salesctl sale trace $id"
        fi
        say_progress "$what: waiting until sale $id reaches a lake, $((SECONDS - began)) s"
        sleep 3
    done
    cancel "$what" "$url" "$connect" "$id"
    authorization=
    [[ -z $region || -z $accepted || $accepted == "$region" ]] ||
        fail_region "$what: the test sale was posted to ${url%/}, but accepted by $accepted"
    record "$what" "the test sale reached the lake of $lake and was cancelled" $((SECONDS - began))
}

# lake_that_holds ID DAY: prints the first region in whose lake the sale is: its mark names an object, which holds its line. A
# worker of a version before the journal, which may still run in another region, names none: its object is the sale's own.
lake_that_holds() {
    local region mark object timeouts=(--cli-connect-timeout 5 --cli-read-timeout 15)
    for region in "${regions[@]}"; do
        mark=$(aws dynamodb get-item --region "$region" "${timeouts[@]}" --table-name "$prefix-sales-idempotency" \
            --key "{\"id\":{\"S\":\"$1\"}}" --query 'Item.[id.S, object.S]' --output text 2>"$logs/mark.log") || continue
        [[ $mark == "$1"$'\t'* ]] || continue
        object=${mark#*$'\t'}
        [[ $object != None ]] || object=sales/dt=$2/$1.json
        aws s3api get-object --region "$region" "${timeouts[@]}" --bucket "$prefix-lake-$account-$region" \
            --key "$object" "$logs/lake.ndjson" >"$logs/lake.log" 2>&1 || continue
        if grep -qF "{\"id\":\"$1\"," "$logs/lake.ndjson"; then
            echo "$region"
            return 0
        fi
    done
}

cancel() {
    local attempt status
    for attempt in 1 2 3 4 5; do
        status=$(call "$2" "$3" DELETE "/sales/$4")
        [[ $status != 204 ]] || return 0
        ((attempt == 5)) || sleep 3
    done
    fail_region "$1: cannot cancel the test sale $4 ($status); cancel it by hand:" \
        "curl -X DELETE ${2%/}/sales/$4"
}

# --- Alarms ---

# alarms_of REGION: the names of active alarms, one per line.
alarms_of() {
    aws cloudwatch describe-alarms --region "$1" --alarm-name-prefix "$prefix-" --state-value ALARM \
        --alarm-types MetricAlarm CompositeAlarm --output json 2>"$logs/describe-alarms.log" |
        jq -er '[(.MetricAlarms // [])[], (.CompositeAlarms // [])[] | .AlarmName] | sort | join("\n")'
}

declare -A rang_before=()

# note_alarms REGION: alarms that are active already are not caused by this rollout, which may be their fix; unless the
# region's last rollout did not pass, which may have caused them.
note_alarms() {
    rang_before[$1]=
    images_that_run "$1" || return 0
    if [[ -n $found && $(checked_images "$1") == "$found" ]]; then
        rang_before[$1]=$(alarms_of "$1") || rang_before[$1]=
    fi
}

# check_alarms REGION: waits until no new alarm has been active in the region for the soak time. An alarm that was active
# before is only reported.
check_alarms() {
    local region=$1 began=$SECONDS quiet_since=$SECONDS soak limit ringing new told=
    soak=$(setting .soak_seconds)
    limit=$((soak + ${ALARM_SECONDS:-600}))
    say "$region: waiting $soak s for new alarms"
    while :; do
        ringing=$(alarms_of "$region") ||
            fail_region "$region: cannot read alarms from CloudWatch: $(tail -n 1 "$logs/describe-alarms.log")"
        new=$(grep -vxF -- "${rang_before[$region]:-}" <<<"$ringing" | paste -sd ' ') || new=
        if [[ -n $new ]]; then
            quiet_since=$SECONDS
            [[ $told == "$new" ]] || warn "$region: active alarms: $new"
            told=$new
            ((SECONDS - began < limit)) || fail_region "$region: alarms still active after $((SECONDS - began)) s: $new"
        elif ((SECONDS - quiet_since >= soak)); then
            break
        fi
        sleep 5
    done
    [[ -z $ringing ]] || warn "$region: alarms that were active before this rollout: ${ringing//$'\n'/ }"
    record "$region" "no new alarms for $soak s" $((SECONDS - began))
}

# --- What has passed ---

# The images with which a region has passed all checks since it was last changed are in an SSM parameter of the region: a
# rollout that was stopped may be repeated from anywhere, and then finds nothing to change.

# checked_images REGION: prints them, nothing if the last rollout has not passed. If SSM does not respond,
# the checks are repeated.
checked_images() {
    local log=$logs/get-checked-images.log
    aws ssm get-parameter --region "$1" --name "/$prefix/$checked_parameter" --query Parameter.Value --output text \
        2>"$log" || grep -q ParameterNotFound "$log" ||
        warn "$1: cannot read whether the last rollout passed its checks: $(tail -n 1 "$log")"
}

# remember_checked REGION IMAGES
remember_checked() {
    local log=$logs/put-checked-images.log
    aws ssm put-parameter --region "$1" --name "/$prefix/$checked_parameter" --value "$2" --type String --overwrite \
        >"$log" 2>&1 ||
        warn "$1: cannot record that the checks passed, so the next rollout repeats them: $(tail -n 1 "$log")"
}

# forget_checked REGION: before anything of it is changed.
forget_checked() {
    local log=$logs/delete-checked-images.log
    aws ssm delete-parameter --region "$1" --name "/$prefix/$checked_parameter" >"$log" 2>&1 ||
        grep -q ParameterNotFound "$log" ||
        fail_region "$1: cannot record that its checks are pending: $(tail -n 1 "$log")"
}

# --- Switches by operators ---

# state_in REGION: prints the value and the version of the region's state and when it was changed, with tabs between;
# nothing if there is none. Fails if SSM does not respond.
state_in() {
    local log=$logs/get-parameter.log
    aws ssm get-parameter --region "$1" --name "/$prefix/site/state" \
        --query '[Parameter.Value, Parameter.Version, Parameter.LastModifiedDate]' --output text \
        --cli-connect-timeout 5 --cli-read-timeout 15 2>"$log" || grep -q ParameterNotFound "$log"
}

# die_of_plan TARGET
die_of_plan() {
    die "$failed" "the plan of ${1/\// } cannot be read: $(log_of show "$1")"
}

# why_outdated TARGET: prints why the plan of a target is out of date: an operator has switched since, which applying it might
# undo. Terraform compares the states while it plans, and an approval may take hours. salesctl does not wait for rollouts, so
# a switch during one is reported afterwards, too.
why_outdated() {
    local target=$1 region state value version changed planned
    case $target in
        deployment/*)
            region=${target#*/}
            # The region's capacity depends on it.
            planned=$(in_plan "$target" '[.prior_state | .. | objects
                | select(.address? == "data.aws_ssm_parameters_by_path.site") | .values
                | ([.names, .values] | transpose | map({(.[0]): .[1]}) | add // {})["/'"$prefix"'/site/state"] // "PASSIVE"
                ][0] // empty') || die_of_plan "$target"
            state=$(state_in "$region") || return 0
            IFS=$'\t' read -r value version changed <<<"$state"
            [[ -z $planned || -z $value || $value == "$planned" ]] ||
                echo "$region has been switched since this plan was made: its state is $value"
            [[ -z $value ]] || why_it_lowers_minimum "$target" "$changed"
            ;;
        wiring/*)
            region=${target#*/}
            planned=$(in_plan "$target" '[.prior_state | .. | objects
                | select(.address? == "module.site_state.aws_ssm_parameter.state") | .values.version][0] // empty') ||
                die_of_plan "$target"
            state=$(state_in "$region") || return 0
            IFS=$'\t' read -r value version changed <<<"$state"
            [[ -z $planned || -z $version || $version == "$planned" ]] ||
                echo "$region has been switched since this plan was made: its state is $value"
            ;;
        post-deployment)
            for region in "${regions[@]}"; do
                if ! state=$(state_in "$region"); then
                    warn "$region: cannot read its state: a concurrent switch would go unnoticed" >&2
                    continue
                fi
                IFS=$'\t' read -r value version changed <<<"$state"
                [[ -z $value || $value == $(setting ".states[\"$region\"]") ]] ||
                    echo "$region has been switched during this rollout: its state is $value"
            done
            ;;
    esac
}

# `salesctl capacity release` refuses to lower a raised minimum for the same time.
readonly capacity_minutes=20

# why_it_lowers_minimum TARGET CHANGED: whether applying it would stop tasks that a switch has just started: a switch raises
# the scaling minimum above that of the environment's data. CHANGED is the time of the last change of the region's state.
why_it_lowers_minimum() {
    local region=${1#*/} planned targets minutes log=$logs/describe-scalable-targets.log
    planned=$(in_plan "$1" '[.resource_changes[]? | select(.type == "aws_appautoscaling_target")
        | select(.change.actions | index("create") or index("update")) | .change.after
        | {(.resource_id // ""): .min_capacity}] | add // {} | tojson') || die_of_plan "$1"
    minutes=$(jq -nr --arg changed "$2" "$jq_epoch"' (now - ($changed | epoch)) / 60 | floor')
    [[ $planned != "{}" ]] && ((minutes < capacity_minutes)) || return 0
    targets=$(aws application-autoscaling describe-scalable-targets --region "$region" --service-namespace ecs \
        --resource-ids "service/$prefix/$prefix-api" "service/$prefix/$prefix-worker" --output json 2>"$log") || {
        echo "the state of $region was changed $minutes minutes ago, and its scaling minimum cannot be read:" \
            "$(tail -n 1 "$log")"
        return 0
    }
    jq -r --argjson planned "$planned" --arg region "$region" --arg minutes "$minutes" --arg wait "$capacity_minutes" '
        .ScalableTargets[] | (.ResourceId | split("/")[2]) as $service | $planned[.ResourceId] as $to
        | select($to != null and $to < .MinCapacity)
        | "the state of \($region) was changed \($minutes) minutes ago, and this plan lowers the minimum of \($service) from "
            + "\(.MinCapacity) tasks to \($to), which a switch may have raised: wait until \($wait) minutes have passed"' \
        <<<"$targets"
}
