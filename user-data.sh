#!/bin/bash
#
# Turns this machine into an Inductiva task runner.
#
# inductiva-aws puts a block of `export NAME='value'` lines right below the
# first line of this file and gives the whole to the machine as user data;
# cloud-init runs it once, as root, at the first boot. It can be run by hand as
# well, on Ubuntu or Debian, with at least INDUCTIVA_API_KEY and
# MACHINE_GROUP_NAME in the environment:
#
#   INDUCTIVA_API_KEY     the key; required
#   INDUCTIVA_API_URL     https://api.inductiva.ai
#   MACHINE_GROUP_ID      the group to join; wins over its name
#   MACHINE_GROUP_NAME    the group to join or to make
#   TASK_RUNNER_IMAGE     inductiva/task-runner:main
#   FILE_TRACKER_IMAGE    inductiva/file-tracker:main
#   MAX_LIFETIME_SECONDS  power off at this age; empty: never
#   BOOT_TIMEOUT_SECONDS  power off when not set up by then; 1800
#   GPU                   true on a machine with NVIDIA GPUs
#
# A machine that cannot be set up powers itself off, and with the shutdown
# behaviour that inductiva-aws gives it, it is terminated by that.

set -euo pipefail

# --- What to run ------------------------------------------------------------

api_url=${INDUCTIVA_API_URL:-https://api.inductiva.ai}
api_url=${api_url%/}
runner_image=${TASK_RUNNER_IMAGE:-inductiva/task-runner:main}
tracker_image=${FILE_TRACKER_IMAGE:-inductiva/file-tracker:main}
state_dir=/var/lib/inductiva-aws
env_file=$state_dir/runner.env

phase=starting

# To the console, where `aws ec2 get-console-output` finds it, and to
# cloud-init's log.
say() {
  echo "inductiva-aws: $*"
  { echo "inductiva-aws: $*" >/dev/console; } 2>/dev/null || true
}

enter() {
  phase=$1
  say "phase $phase"
}

fail() {
  trap - ERR
  say "failed $phase: $*"
  systemctl poweroff
  exit 1
}
trap 'fail "line $LINENO ended with exit code $?"' ERR

# Tries a command three times: mirrors and registries have bad moments.
retry() {
  local pause
  for pause in 5 15 0; do
    "$@" && return 0
    if ((pause > 0)); then
      say "again in $pause s: $1"
      sleep "$pause"
    fi
  done
  return 1
}

# --- Deadlines, before anything that can hang -------------------------------

enter deadlines
systemd-run --quiet --unit=inductiva-aws-boot-deadline \
  --on-active="${BOOT_TIMEOUT_SECONDS:-1800}" systemctl poweroff
if [[ -n ${MAX_LIFETIME_SECONDS:-} ]]; then
  systemd-run --quiet --unit=inductiva-aws-lifetime \
    --on-active="$MAX_LIFETIME_SECONDS" systemctl poweroff
fi
[[ -n ${INDUCTIVA_API_KEY:-} ]] || fail "INDUCTIVA_API_KEY is not set"
[[ -n ${MACHINE_GROUP_ID:-}${MACHINE_GROUP_NAME:-} ]] || fail "no machine group is named"

# --- Container engine -------------------------------------------------------

enter container-engine
if ! command -v docker >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # Other first-boot jobs hold apt's lock for a while.
  apt=(apt-get -o DPkg::Lock::Timeout=300 -qq)
  retry "${apt[@]}" update
  retry "${apt[@]}" install -y --no-install-recommends docker.io
fi
systemctl enable --now docker
# Ubuntu 24.04 keeps unprivileged user namespaces, which the runner's apptainer
# needs, behind this switch; other systems do not have it.
sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0 2>/dev/null || true

# --- Images, both at once ---------------------------------------------------

enter images
retry docker pull --quiet "$tracker_image" &
tracker_pull=$!
retry docker pull --quiet "$runner_image"
wait "$tracker_pull"

# --- The key, in a file for root alone --------------------------------------

enter configuration
instance_id=$(cloud-init query instance_id)
install -d -m 0700 "$state_dir"
(
  umask 077
  {
    echo "API_URL=$api_url"
    echo "USER_API_KEY=$INDUCTIVA_API_KEY"
    echo "WORKDIR=/workdir"
  } >"$env_file"
)
unset INDUCTIVA_API_KEY

runner_options=(
  --env EXECUTER_IMAGES_DIR=/executer-images
  --env HOST_ID="$instance_id"
  --env HOST_NAME="$instance_id"
  --env LOCAL_MODE=true
)
if [[ -n ${MACHINE_GROUP_ID:-} ]]; then
  runner_options+=(--env MACHINE_GROUP_ID="$MACHINE_GROUP_ID")
else
  runner_options+=(--env MACHINE_GROUP_NAME="$MACHINE_GROUP_NAME")
fi
if [[ ${GPU:-false} == true ]]; then
  runner_options+=(--gpus all --env ON_GPU=true)
fi

# --- Containers -------------------------------------------------------------

common_options=(
  --detach
  --env-file "$env_file"
  --log-driver local
  --network host
  --restart no
  --volume workdir:/workdir
)
install -d -m 0777 "$state_dir/executer-images"

# A second run of this script replaces what the first one started.
docker rm --force inductiva-task-runner inductiva-file-tracker >/dev/null 2>&1 || true

enter file-tracker
docker run "${common_options[@]}" --name inductiva-file-tracker \
  --env ICE_URL=webrtc.inductiva.ai:3478 "$tracker_image" >/dev/null

enter task-runner
docker run "${common_options[@]}" --name inductiva-task-runner \
  --privileged --stop-timeout 120 \
  --volume "$state_dir/executer-images:/executer-images" \
  "${runner_options[@]}" "$runner_image" >/dev/null

# --- Gone when done ---------------------------------------------------------

# Outside of this script, so that cloud-init's last stage can end.
systemd-run --quiet --unit=inductiva-aws-end \
  sh -c 'docker wait inductiva-task-runner; systemctl poweroff'
systemctl stop inductiva-aws-boot-deadline.timer
say "started"
