#!/bin/bash
# What user-data.sh is measured against: the same containers by a script that
# does one thing after another, as instructions on the web have it.
set -euo pipefail

enter() {
  echo "inductiva-aws: phase $1" >/dev/console
}

export DEBIAN_FRONTEND=noninteractive
enter container-engine
apt-get update
apt-get install -y --no-install-recommends docker.io

enter images
docker pull "$TASK_RUNNER_IMAGE"
docker pull "$FILE_TRACKER_IMAGE"

enter file-tracker
instance_id=$(cloud-init query instance_id)
install -d -m 0777 /var/lib/inductiva-aws/executer-images
environment=(
  --env API_URL="$INDUCTIVA_API_URL"
  --env USER_API_KEY="$INDUCTIVA_API_KEY"
  --env WORKDIR=/workdir
  --env FILE_TRACKER_HOST=127.0.0.1
)
docker run --detach --name inductiva-file-tracker --network host \
  --volume workdir:/workdir "${environment[@]}" \
  --env ICE_URL=webrtc.inductiva.ai:3478 "$FILE_TRACKER_IMAGE"

enter task-runner
docker run --detach --name inductiva-task-runner --network host --privileged \
  --volume workdir:/workdir \
  --volume /var/lib/inductiva-aws/executer-images:/executer-images \
  "${environment[@]}" \
  --env EXECUTER_IMAGES_DIR=/executer-images \
  --env HOST_ID="$instance_id" --env HOST_NAME="$instance_id" \
  --env LOCAL_MODE=true --env MACHINE_GROUP_ID="$MACHINE_GROUP_ID" \
  "$TASK_RUNNER_IMAGE"
