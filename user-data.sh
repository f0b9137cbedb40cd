#!/bin/bash
#
# Turns this machine into an Inductiva task runner, and ends it when it is not.
#
# inductiva-aws puts `export NAME='value'` lines below the first line; cloud-init
# runs it once, as root, in its last stage. It also runs by hand (Ubuntu 22.04,
# 24.04, Debian 12, 13).
#
#   INDUCTIVA_API_KEY     required
#   INDUCTIVA_API_URL     https://api.inductiva.ai
#   MACHINE_GROUP_NAME    required: the group to join or to make
#   MACHINE_GROUP_ID      the group to join, when it is known
#   TASK_RUNNER_IMAGE     inductiva/task-runner:main
#   FILE_TRACKER_IMAGE    inductiva/file-tracker:main
#   MAX_IDLE_MINUTES      30: power off after so long without a task; 0: never
#   MAX_LIFETIME_SECONDS  power off at this age; empty: never
#   BOOT_TIMEOUT_SECONDS  1800: power off when not registered by then
#   NUM_MACHINES          1: how many the group is to have
#   GPU                   true on a machine with NVIDIA GPUs
#
# For tests: INDUCTIVA_AWS_ROOT, a prefix of all paths.
#
# Powering off terminates it. No path leaves it up and useless.

set -Eeuo pipefail
export -n INDUCTIVA_API_KEY # not in the environment of any command below

root=${INDUCTIVA_AWS_ROOT:-}
state=$root/var/lib/inductiva-aws
units=$root/etc/systemd/system
phase=start

# One line to the console, which EC2 shows, and to the caller's log.
say() {
  local line="inductiva-aws: ${1%%$'\n'*}"
  echo "$line"
  { echo "$line" >>"$root/dev/console"; } 2>/dev/null || true
}

enter() {
  phase=$1
  say "phase $phase"
}

# Status 70: the reason has been said.
fail() {
  say "failed $phase: $1"
  exit 70
}

# A failing subshell is said by the shell around it.
on_error() {
  ((BASH_SUBSHELL)) || fail "$1"
}

# The supervisor is started again by systemd.
on_exit() {
  local status=$?
  trap - ERR EXIT
  [[ $phase != finished ]] || exit 0
  ((status == 70)) || say "failed $phase: stopped at: $1"
  [[ $0 == */supervisor ]] || end_machine
  exit 70
}

end_machine() {
  timeout 30 systemctl start --no-block inductiva-aws-end.service ||
    timeout 30 systemctl poweroff || systemctl poweroff --force --force
}

set_traps() {
  trap 'on_error "line $LINENO, exit status $?: $BASH_COMMAND"' ERR
  trap 'on_exit "$BASH_COMMAND"' EXIT
}
set_traps

# Output goes to a log, a failure's last line to the console too.
retry() {
  local pause output
  for pause in 5 15 30 60 ''; do
    ! output=$("$@" 2>&1 | tee -a "$root/var/log/inductiva-aws.log") || return 0
    output="$*: ${output##*$'\n'}"
    [[ $pause ]] || fail "$output"
    say "again in $pause s: $output"
    sleep "$pause"
  done
}

# --- Deadlines, before anything that can hang ---

# Powers off, after five minutes by force; the shutdown does not stop it.
ending() {
  cat >"$units/inductiva-aws-$1.service" <<EOF
[Unit]
DefaultDependencies=no

[Service]
ExecStart=/bin/sh -c 'echo "inductiva-aws: $2" | tee -a $root/dev/console; timeout 60 systemctl poweroff -i; sleep 300; systemctl poweroff --force --force'
EOF
}

# The absolute time survives a reboot, the relative one a clock set back.
deadline() {
  ending "$1" "$3"
  cat >"$units/inductiva-aws-$1.timer" <<EOF
[Timer]
OnCalendar=@$(($(date +%s) + $2))
OnActiveSec=$2
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
EOF
  timers+=("inductiva-aws-$1.timer")
}

enter deadlines
mkdir -p "$units" "$root/var/log"
timers=()
boot_timeout=${BOOT_TIMEOUT_SECONDS:-1800}
lifetime=${MAX_LIFETIME_SECONDS:-}
ending end 'powering off'
deadline boot-deadline "$boot_timeout" "failed boot-deadline: not registered within $boot_timeout s"
[[ -z $lifetime ]] || deadline lifetime "$lifetime" "the maximum lifetime of $lifetime s is over"
systemctl enable --quiet "${timers[@]}"
systemctl restart "${timers[@]}"

phase=configuration
[[ -n ${INDUCTIVA_API_KEY:+set} ]] || fail 'INDUCTIVA_API_KEY is not set'
[[ -n ${MACHINE_GROUP_NAME:-} ]] || fail 'MACHINE_GROUP_NAME is not set'

# --- Packages ---

# Its restarts would end a task.
systemctl disable --now apt-daily-upgrade.timer 2>/dev/null || true

# Other jobs of a first boot hold apt's locks: it waits for dpkg's alone. `update`
# and `install` are one try: the first ends well with a part of the lists.
apt_install() {
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Languages=none
    -o Acquire::CompressionTypes::Order::=gz -o Dpkg::Options::=--force-unsafe-io)
  timeout 600 python3 -c 'import fcntl, sys
for p in sys.argv[1:]: fcntl.lockf(open(p, "a"), fcntl.LOCK_EX)' \
    "$root"/var/{lib/apt/lists,cache/apt/archives}/lock || true
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"
}

install_packages() {
  retry apt_install "$@"
}

# --- Your own commands ---
# In a copy for --user-data-path, your own lines go here. The deadlines hold, a
# failing line powers off, and `install_packages NAME...` is there.
phase=own-commands

# --- Container engine ---

engine_works() {
  command -v docker >/dev/null && systemctl start docker && timeout 60 docker version
}

enter container-engine
packages=()
for tool in curl iptables; do
  command -v "$tool" >/dev/null || packages+=("$tool")
done
engine=(docker.io ca-certificates pigz)
[[ ! -e $root/sys/module/apparmor ]] || engine+=(apparmor)
engine_works >/dev/null 2>&1 || packages+=("${engine[@]}")
if ((${#packages[@]})); then
  install_packages "${packages[@]}"
  # A package of its own in Debian 13.
  command -v docker >/dev/null || install_packages docker-cli
  retry engine_works
fi

# --- Images, both at once ---

enter images
runner_image=${TASK_RUNNER_IMAGE:-inductiva/task-runner:main}
tracker_image=${FILE_TRACKER_IMAGE:-inductiva/file-tracker:main}
# Else what they unpack goes to the disk in the end.
while sleep 3 && kill -0 $$; do sync; done &>/dev/null &
retry docker pull --quiet "$runner_image" &
runner_pull=$!
retry docker pull --quiet "$tracker_image" &
tracker_pull=$!

# --- Configuration, meanwhile ---

phase=configuration
install -d -m 0700 "$state"
api_url=${INDUCTIVA_API_URL:-https://api.inductiva.ai}
api_url=${api_url%/}

# The key's one place outside the containers. `set -x` shows no here-document.
install -m 0600 /dev/stdin "$state/containers.env" <<EOF
API_URL=$api_url
USER_API_KEY=$INDUCTIVA_API_KEY
WORKDIR=/workdir
EOF
unset INDUCTIVA_API_KEY

group_id=${MACHINE_GROUP_ID:-}
group_name=$MACHINE_GROUP_NAME
group_path=/compute/group/$(python3 -c 'import sys, urllib.parse
print(urllib.parse.quote(sys.argv[1], safe=""))' "$group_name")
num_machines=$((10#${NUM_MACHINES:-1}))
gpu=${GPU:-false}
max_idle_seconds=$((10#${MAX_IDLE_MINUTES:-30} * 60))
{
  declare -p root state api_url group_id group_name group_path num_machines gpu \
    runner_image tracker_image boot_timeout max_idle_seconds
  declare -f say enter fail on_error on_exit end_machine set_traps
} >"$state/settings"

install -m 0700 /dev/stdin "$state/supervisor" <<'EOF'
#!/bin/bash
# Keeps the containers running, and ends the machine when it has nothing to do.
set -Eeuo pipefail
. "${0%/*}/settings"
phase=start
set_traps
trap 'finish "stopped by systemd" stop' TERM
runner=inductiva-task-runner
tracker=inductiva-file-tracker

# No call of the engine may hang.
engine() {
  timeout -k 5 "$1" docker "${@:2}"
}

# Seconds since the boot, never set.
now() {
  read -rd. uptime <"$root/proc/uptime"
  echo "$uptime"
}

# A signal ends it.
pause() {
  sleep "$1" &
  wait "$!" || true
}

imds() {
  local token url=http://169.254.169.254/latest curl=(curl -sf --noproxy '*' --max-time 2)
  token=$("${curl[@]}" -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $url/api/token) &&
    "${curl[@]}" -H "X-aws-ec2-metadata-token: $token" "$url/meta-data/$1"
}

# The key goes from its file to curl's input, past every command line.
api() {
  sed -n 's/^USER_API_KEY=/X-API-Key: /p' "$state/containers.env" |
    curl -sSf --path-as-is --max-time 15 -H @- -X "$1" "${@:3}" "$api_url$2"
}

# By the API's own 40$1, twice: a proxy's is no JSON.
refused() {
  local answer
  for _ in 1 2; do
    pause 2
    answer=$(api GET "$2" -o /dev/null -w '%{http_code} %{content_type}' 2>/dev/null)
    [[ $answer =~ ^40$1\ application/json ]] || return
  done
}

# This machine as the API shows it: absent, busy or idle; `last` if the group is
# ours to delete and has no other machine; how many it ever had; its id.
group() {
  api GET "$group_path" | python3 -c '
import json, sys, urllib.parse
me, group_id = sys.argv[1:]
group = json.load(sys.stdin)
assert type(group["machines"]) is list
there = [m for m in group["machines"] if m.get("terminated_at") is None]
mine = [m for m in there if m.get("host_name") == me]
busy = any(m.get("current_task_id") is not None for m in mine)
ours = group["id"] == (group_id or group["id"]) and group.get("status") != "terminated"
print("busy" if busy else "idle" if mine else "absent",
      "last" if ours and mine == there else "-",
      len({m.get("host_name") for m in group["machines"]}), urllib.parse.quote(group["id"], safe=""))
' "$instance_id" "$group_id" 2>/dev/null
}

# --- Ends ---

# The runner has two minutes to save its work. It repeats its last event until the
# API takes it: bounded from here.
stop_containers() {
  engine 130 stop -t 120 "$runner" || engine 15 kill "$runner"
  engine 20 stop -t 10 "$tracker" || engine 15 kill "$tracker"
} >/dev/null 2>&1

# Not by one that never joined, nor while others may be on their way.
delete_group() {
  local view last='' seen id
  [[ -e $state/registered ]] || return
  view=$(group) || say 'cannot ask about the machine group'
  read -r _ last seen id <<<"$view"
  [[ $last == last ]] && ((seen >= num_machines || $(now) > boot_timeout)) || return
  api DELETE "/compute/group?machine_group_id=$id" >/dev/null ||
    say "cannot delete the machine group $group_name"
}

# With `stop` the machine may stay, as in a reboot.
finish() {
  trap '' TERM
  trap - ERR
  set +e
  say "$1"
  stop_containers
  if [[ -z ${2:-} || $(systemctl list-jobs) == *poweroff.target* ]]; then
    delete_group
    end_machine
  fi
  phase=finished
  exit 0
}

# --- Metadata for root alone, the tracker's port for this machine ---

enter metadata
for _ in 1 2 3; do
  instance_id=$(imds instance-id) && break
  pause 1
done
[[ -n $instance_id ]] || instance_id=$(cloud-init query instance_id)
[[ $instance_id =~ ^[A-Za-z0-9._-]+$ ]] || fail 'the instance id is not known'

rule() {
  local tool=("$1" -w 60 -t "$2") chain=$3
  shift 3
  "${tool[@]}" -C "$chain" "$@" 2>/dev/null || "${tool[@]}" -I "$chain" "$@"
}

# PREROUTING is for containers on a bridge.
close_off() {
  rule "$1" filter OUTPUT -d "$2" -m owner ! --uid-owner 0 -j REJECT
  rule "$1" raw PREROUTING -d "$2" -j DROP
  rule "$1" filter INPUT -p tcp --dport 5000 ! -i lo -j DROP
}
close_off iptables 169.254.169.254
[[ ! -e $root/proc/net/if_inet6 ]] || close_off ip6tables fd00:ec2::254

# Ubuntu 24.04's switch; apptainer needs it.
userns=kernel.apparmor_restrict_unprivileged_userns
[[ ! -e $root/proc/sys/${userns//.//} ]] || sysctl -q -w "$userns=0"

# --- Containers ---

running() {
  [[ $(engine 60 inspect --format '{{.State.Running}}' "$1" 2>/dev/null) == true ]]
}

create() {
  local name=$1
  shift
  engine 60 rm --force "$name" >/dev/null 2>&1 || true
  engine 300 run --detach --name "$name" --restart no \
    --env-file "$state/containers.env" \
    --log-driver local --log-opt max-size=10m --log-opt max-file=3 \
    --network host --volume workdir:/workdir "$@" 2>&1
}

enter file-tracker
running "$tracker" ||
  output=$(create "$tracker" --env ICE_URL=webrtc.inductiva.ai:3478 "$tracker_image") ||
  fail "${output##*$'\n'}"

runner_options=(
  --privileged
  --stop-timeout 120
  --volume "$state/executer-images:/executer-images"
  --env EXECUTER_IMAGES_DIR=/executer-images
  --env HOST_ID="$instance_id"
  --env HOST_NAME="$instance_id"
  --env LOCAL_MODE=true
)
if [[ -n $group_id ]]; then
  runner_options+=(--env MACHINE_GROUP_ID="$group_id")
else
  runner_options+=(--env MACHINE_GROUP_NAME="$group_name")
fi
[[ $gpu != true ]] || runner_options+=(--gpus all --env ON_GPU=true)

failures=0
pauses=(10 20 40 80 160)
start_runner() {
  local output
  until output=$(create "$runner" "${runner_options[@]}" "$runner_image"); do
    runner_failed "${output##*$'\n'}"
  done
  started=$(now)
}

runner_failed() {
  ((failures < ${#pauses[@]})) || finish "failed task-runner: $1"
  say "task runner: $1; again in ${pauses[failures]} s"
  pause "${pauses[failures]}"
  ((++failures))
}

# The runner's last line, without the key.
last_words() {
  engine 30 logs --tail 5 "$runner" 2>&1 | tr -cd '[:print:]\n' |
    grep -vFf <(sed -n 's/^USER_API_KEY=//p' "$state/containers.env") |
    tail -n 1 | cut -c -300 || true
}

# One that outlived the supervisor may be at work.
enter task-runner
install -d -m 0777 "$state/executer-images"
started=$(now)
running "$runner" || start_runner

# --- Watching ---

# Two witnesses: the API shows no task (or no group, or refuses the key), and the
# container has as few processes as it ever had: the runner itself.
least=0
idle() {
  local view processes
  view=$(group) || refused '[134]' "$group_path" || return 1
  [[ $view != busy\ * ]] || return 1
  processes=$(engine 30 top "$runner" -eo pid,stat |
    awk 'NR > 1 && $2 !~ /^Z/ { n++ } END { print n; exit !n }') || return 1
  ((least && least <= processes)) || least=$processes
  ((processes == least))
}

begun=$(now)
registered=
idle_since=
tick=0
unseen=0
while pause 5; do
  ((++tick))
  notice=$(imds spot/instance-action) && finish "spot interruption: $notice"

  # No answer for minutes: no runner either.
  if container=$(engine 60 inspect --format '{{.State.Status}} {{.State.ExitCode}}' \
    "$runner" 2>/dev/null); then
    unseen=0
  else
    ((++unseen >= 40)) || continue
    container=gone
  fi
  case $container in
    running*) (($(now) - started < 3600)) || failures=0 ;;
    'exited 0') finish 'the task runner is done' ;;
    *)
      tick=0
      [[ $container != 'exited 1' ]] || ! refused '[13]' /users/info ||
        finish 'failed task-runner: the API refuses the key'
      runner_failed "$container: $(last_words)"
      start_runner
      continue
      ;;
  esac

  if [[ -z $registered ]]; then
    if view=$(group) && [[ $view != absent\ * ]]; then
      systemctl disable --now inductiva-aws-boot-deadline.timer
      touch "$state/registered"
      registered=yes
      enter registered
    elif (($(now) - begun > boot_timeout)) &&
      { [[ $view ]] || refused '[134]' "$group_path"; }; then
      finish "failed task-runner: not registered within $boot_timeout s"
    fi
  elif ((tick % 4 == 0)); then
    engine 60 start "$tracker" >/dev/null 2>&1 || true
    if ((!max_idle_seconds)) || ! idle; then
      idle_since=
      continue
    fi
    idle_since=${idle_since:-$(now)}
    if (($(now) - idle_since >= max_idle_seconds)); then
      finish "idle for $((max_idle_seconds / 60)) minutes"
    fi
  fi
done
EOF

cat >"$units/inductiva-aws.service" <<EOF
[Unit]
Description=Inductiva task runner
After=docker.service network-online.target
Wants=docker.service network-online.target
OnFailure=inductiva-aws-end.service
StartLimitIntervalSec=3600
StartLimitBurst=5

[Service]
ExecStart=/bin/bash $state/supervisor
Restart=on-failure
RestartSec=10
KillMode=mixed
TimeoutStopSec=240

[Install]
WantedBy=multi-user.target
EOF

phase=images
wait "$tracker_pull" || exit
wait "$runner_pull" || exit
enter configuration

# cloud-init's last stage does not wait for it.
systemctl enable --quiet inductiva-aws.service
systemctl reset-failed inductiva-aws.service 2>/dev/null || true
systemctl restart --no-block inductiva-aws.service
phase=finished
