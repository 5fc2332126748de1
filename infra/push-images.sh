#!/usr/bin/env bash
# Builds the images of all services, pushes them to the home region's registry, and waits for their replication; see --help.

set -euo pipefail
# shellcheck source=infra/pipeline-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/pipeline-lib.sh"

print_help() {
    cat <<'HELP'
usage: infra/push-images.sh --env NAME [--tag TAG]

Builds Dockerfile.api, .worker and .lake for the environment's architecture, pushes them to ECR in the home region,
waits until they are replicated to every region, and prints one line to standard output, the value of --images of
pipeline.sh:

  api=sha256:...,worker=sha256:...,lake=sha256:...

pre-deployment must have been applied, since it creates the repositories.

  --env NAME     a directory in infra/environment
  --tag TAG      tag of the images; default: the checked out revision. Tags are immutable: an image that exists with this
                 tag is used and not built again
  --help         show this help

REPLICATION_SECONDS: how long the replication may take, 900 by default. Exit codes are those of pipeline.sh.
HELP
}

name='' tag=''
while (($# > 0)); do
    case $1 in
        --env | --tag) [[ -n ${2:-} && $2 != --* ]] || wrong_usage "$1 needs a value" ;;
    esac
    case $1 in
        --env) name=$2 && shift ;;
        --tag) tag=$2 && shift ;;
        --help | -h)
            print_help
            exit 0
            ;;
        *) wrong_usage "unknown option $1" ;;
    esac
    shift
done
[[ -z $tag || $tag =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || wrong_usage "invalid --tag $tag: expected letters, digits and _.-, at most 128"

# digest_in REGION SERVICE: empty while the image is not there.
digest_in() {
    local found
    found=$(aws ecr describe-images --region "$1" --repository-name "$prefix/sales-$2" --image-ids "imageTag=$tag" \
        --query 'imageDetails[0].imageDigest' --output text 2>"$logs/describe-images.log") || return 0
    [[ $found == None ]] || echo "$found"
}

# Without provenance, so that the digest is that of the image and not that of an index.
push() {
    local service=$1 image=$registry/$prefix/sales-$1:$tag
    (cd "$repository" && docker buildx build --platform "$platform" --file "Dockerfile.$service" \
        --build-arg "REVISION=$revision" --provenance=false --tag "$image" --push .) \
        >"$logs/build-$service.log" 2>&1 || {
        tail -n 30 "$logs/build-$service.log" | sed 's/^/    /' >&2
        die "$failed" "cannot build or push sales-$service; full output: $logs/build-$service.log"
    }
}

# Messages go to standard error: standard output is for other programs.
exec 3>&1 1>&2

require_tools jq git
require_terraform
load_settings "$name"
require_tools aws docker
docker buildx version >/dev/null 2>&1 || die "$missing" "docker has no buildx: $(where_from docker)"
find_aws

revision=$(git -C "$repository" rev-parse HEAD)
if [[ -z $tag ]]; then
    [[ -z $(git -C "$repository" status --porcelain) ]] ||
        die "$failed" "the working tree differs from revision ${revision:0:12}, the default tag: commit the changes, or choose" \
            "a tag with --tag"
    tag=${revision:0:12}
elif [[ -n $(git -C "$repository" status --porcelain) ]]; then
    # The image is not that of a commit.
    revision+=-dirty
fi
home=$(setting .home_region)
registry=$account.dkr.ecr.$home.amazonaws.com
case $(setting .architecture) in
    ARM64) platform=linux/arm64 ;;
    *) platform=linux/amd64 ;;
esac

aws ecr describe-repositories --region "$home" --repository-names "${services[@]/#/$prefix/sales-}" >/dev/null 2>&1 ||
    die "$failed" "not all repositories are in $home: ${services[*]/#/$prefix/sales-}; create them first:" \
        "./pipeline.sh --env $name --stage pre-deployment"

declare -A digests=()
signed_in=false
for service in "${services[@]}"; do
    began=$SECONDS
    digests[$service]=$(digest_in "$home" "$service")
    if [[ -n ${digests[$service]} ]]; then
        record "sales-$service" "already pushed: $tag" 0
        continue
    fi
    if ! $signed_in; then
        aws ecr get-login-password --region "$home" |
            docker login --username AWS --password-stdin "$registry" >/dev/null 2>&1 ||
            die "$no_permission" "docker cannot sign in to $registry"
        signed_in=true
    fi
    push "$service"
    digests[$service]=$(digest_in "$home" "$service")
    [[ ${digests[$service]} =~ ^sha256:[0-9a-f]{64}$ ]] ||
        die "$failed" "sales-$service:$tag was pushed, but the registry returns no digest"
    record "sales-$service" "built and pushed: $tag, $platform" $((SECONDS - began))
done

began=$SECONDS
for region in "${regions[@]}"; do
    for service in "${services[@]}"; do
        until found=$(digest_in "$region" "$service") && [[ -n $found ]]; do
            ((SECONDS - began < ${REPLICATION_SECONDS:-900})) ||
                die "$failed" "sales-$service:$tag has not reached $region after ${REPLICATION_SECONDS:-900} s;" \
                    "if $region is new: only images pushed after its replication rule are replicated, so use a new --tag"
            sleep 5
        done
        [[ $found == "${digests[$service]}" ]] ||
            die "$failed" "sales-$service:$tag is $found in $region, but ${digests[$service]} in $home"
    done
done
record "all regions" "all images are available" $((SECONDS - began))
print_records
echo "api=${digests[api]},worker=${digests[worker]},lake=${digests[lake]}" >&3
