#!/bin/bash
#
# Turns this machine into an Inductiva task runner, and ends it when it is not.
#
# inductiva-aws puts `export NAME='value'` lines below the first line and sends the
# whole as gzip; cloud-init unpacks it and runs it once, as root, in its last stage.
# It also runs by hand (Ubuntu 22.04, 24.04, Debian 12, 13).
#
#   INDUCTIVA_API_KEY     required
#   INDUCTIVA_API_URL     https://api.inductiva.ai
#   MACHINE_GROUP_NAME    required: the group to join or to make
#   MACHINE_GROUP_ID      the group to join, when it is known
#   TASK_RUNNER_IMAGE     inductiva/task-runner:main
#   FILE_TRACKER_IMAGE    inductiva/file-tracker:main
#   MAX_IDLE_MINUTES      30: power off after so long without a task; 0: never
#   MAX_LIFETIME_SECONDS  power off at this age; empty: never
#   BUDGET_SECONDS        save the work and power off at this age: the budget is used up
#   BUDGET_ENDS           the same at this time, seconds since 1970
#   BOOT_TIMEOUT_SECONDS  1800: power off when not registered by then
#   NUM_MACHINES          1: how many the group is to have
#   GPU                   true on a machine with NVIDIA GPUs
#   LOCAL_DISKS           true: work on the instance store where there is one
#   INDUCTIVA_API_KEY_FROM  instead of the key: ssm:NAME or secretsmanager:NAME, for
#                         the instance profile's role to read
#   http_proxy, https_proxy, no_proxy  for all that goes out, containers' calls too
#   PREPARE_IMAGE         true: install and pull, for an image of this machine; without
#                         a group or a key
#
# For tests: INDUCTIVA_AWS_ROOT, a prefix of all paths.
#
# Powering off terminates the machine, and no path leaves it up and useless: on_exit
# ends it when anything below fails, a deadline when anything hangs, and the
# supervisor, which systemd restarts, once this script is done.

set -Eeuo pipefail
export -n INDUCTIVA_API_KEY # not in the environment of any command below

root=${INDUCTIVA_AWS_ROOT:-}
state=$root/var/lib/inductiva-aws
units=$root/etc/systemd/system
log=$root/var/log/inductiva-aws.log
phase=start
preparing=${PREPARE_IMAGE:-}
# What a prepared image holds. Raise it when a machine needs more of its image than
# older images have: they are not used any more.
image_layout=1

# Some programs read one spelling and some the other. `set -x` shows no here-string.
for name in http_proxy https_proxy no_proxy; do
  [[ -z ${!name:+set} ]] || read -r "${name^^}" <<<"${!name}"
done
export HTTP_PROXY HTTPS_PROXY NO_PROXY

# --- What this script and the supervisor have in common ---

# One line to the console, which EC2 shows, and to the caller's log.
say() {
  local line="inductiva-aws: ${1%%$'\n'*}"
  echo "$line"
  { echo "$line" >>"$root/dev/console"; } 2>/dev/null || true
}

# Seconds as people write them: 90 s, 30m, 8h, 1h30m.
told() {
  local span="$(($1 / 3600))h$(($1 % 3600 / 60))m$(($1 % 60))s"
  (($1 < 120)) && span="$1 s"
  span=${span#0h}
  span=${span/%m0s/m}
  echo "${span/%h0m/h}"
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

# Seconds since the boot. Nobody sets this clock, unlike the wall clock.
now() {
  local uptime
  read -rd. uptime <"$root/proc/uptime"
  echo "$uptime"
}

# What tells this machine from all others, whosever disk it has. It is read from the
# board, as there may be no network yet: on Nitro the asset tag is the instance id,
# elsewhere the product's UUID is its own. Nothing when neither can be read.
this_machine() {
  local file id
  for file in board_asset_tag product_uuid; do
    { id=$(<"$root/sys/class/dmi/id/$file"); } 2>/dev/null || continue
    id=${id,,}
    if [[ $id =~ ^[0-9a-z-]+$ && ($file == product_uuid || $id == i-*) ]]; then
      echo "$id"
      return
    fi
  done
}

# Leaves out the lines that have the key in them, or the proxy's password. They are on
# no command line, and `set -x` shows no here-document.
without_key() {
  grep -vFf <(
    if [[ ${INDUCTIVA_API_KEY:+set} ]]; then
      cat <<<"$INDUCTIVA_API_KEY"
    elif [[ -e $state/containers.env ]]; then
      sed -n 's/^USER_API_KEY=//p' "$state/containers.env"
    fi
    [[ -z ${https_proxy:+set} ]] ||
      sed -nE 's#^\w+://([^@]*:[^@]*)@.*#\1#p; s#^\w+://[^@:]*:([^@]{8,})@.*#\1#p' <<<"$https_proxy"
  ) || true
}

imds() {
  local token url=http://169.254.169.254/latest curl=(curl -sf --noproxy '*' --max-time 2)
  token=$("${curl[@]}" -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $url/api/token) &&
    "${curl[@]}" -H "X-aws-ec2-metadata-token: $token" "$url/meta-data/$1"
}

# The lines that say why a command failed, out of all that it said, as one line; the
# last line if there is none such. What apt, dpkg, docker and iptables say last is
# often only how to get help.
cause() {
  without_key | tr -cd '[:print:]\n' | awk '
    { sub(/^ +/, ""); sub(/ +$/, "") }
    $0 == "" || seen[$0]++ { next }
    { last = substr($0, 1, 300) }
    /^(E|W|Error): |Failed to fetch|conffile|^dpkg: error|^docker: |Error response|^ip6?tables[ \/]/ {
      lines[++n] = substr($0, 1, 200)
    }
    END {
      if (n > 3) lines[3] = "... " lines[n]
      for (i = 1; i <= n && i <= 3; i++) told = told (i > 1 ? "; " : "") lines[i]
      print n ? told : last
    }'
}

set_traps

# --- Deadlines, before anything that can hang ---

# Whether to let a deadline pass that has come. Either it is another machine's, and
# this disk was made from an image of that one; or the wall clock was set forward
# since the boot, and the timer will come again by the other clock. Whatever cannot be
# read is no reason to: the deadline holds.
not_due() {
  local machine=$1 boot=$2 due=$3 here boot_here
  here=$(this_machine)
  # With a board of another kind it may still be this machine, of a new type: then its
  # instance id tells.
  if [[ $here == i-* && $machine != i-* ]]; then
    machine=$(cat "$state/instance-id" 2>/dev/null)
  elif [[ $machine == i-* && $here != i-* ]]; then
    here=
  fi
  [[ -z $machine || -z $here || $here == "$machine" ]] || return 0
  { boot_here=$(<"$root/proc/sys/kernel/random/boot_id"); } 2>/dev/null || return 1
  # The two clocks were not read at the same moment.
  [[ $boot && $boot == "$boot_here" ]] && (($(now) < due - 5))
}

# Powers off, after five minutes by force; the shutdown does not stop it. Nothing
# happens if the command `unless` succeeds.
ending() {
  local name=$1 words=$2 unless=${3:-}
  cat >"$units/inductiva-aws-$name.service" <<EOF
[Unit]
DefaultDependencies=no

[Service]
ExecStart=/bin/sh -c '${unless:+$unless && exit 0; }echo "inductiva-aws: $words" | tee -a $root/dev/console; timeout 60 systemctl poweroff -i; sleep 300; systemctl poweroff --force --force'
EOF
}

# The absolute time survives a reboot, the relative one a clock set back.
deadline() {
  local name=$1 seconds=$2 words=$3
  ending "$name" "$words" \
    "/bin/bash $state/not-due \"$machine\" \"$boot\" $((began + seconds))"
  cat >"$units/inductiva-aws-$name.timer" <<EOF
[Timer]
OnCalendar=@$(($(date +%s) + seconds))
OnActiveSec=$seconds
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
EOF
  timers+=("inductiva-aws-$name.timer")
}

enter deadlines
began=$(now)
machine=$(this_machine)
boot=$(cat "$root/proc/sys/kernel/random/boot_id" 2>/dev/null || true)
boot_timeout=${BOOT_TIMEOUT_SECONDS:-1800}
lifetime=${MAX_LIFETIME_SECONDS:-}
budget=${BUDGET_SECONDS:-}
budget_ends=${BUDGET_ENDS:-}
timers=()
mkdir -p "$units" "$root/var/log"
install -d -m 0700 "$state"
{
  echo '#!/bin/bash'
  declare -p root state
  declare -f now this_machine not_due
  echo 'not_due "$@"'
} >"$state/not-due"
ending end 'powering off'
[[ $boot_timeout =~ ^[0-9]+$ && "$lifetime $budget $budget_ends" =~ ^[0-9]*\ [0-9]*\ [0-9]*$ ]] ||
  fail "not a number of seconds: $boot_timeout, $lifetime${budget:+, $budget}${budget_ends:+, $budget_ends}"
boot_timeout=$((10#$boot_timeout))
deadline boot-deadline "$boot_timeout" "failed boot-deadline: not registered within $(told "$boot_timeout")"
[[ -z $lifetime ]] || deadline lifetime "$lifetime" "the maximum lifetime of $(told "$lifetime") is over"
# Money is counted from the boot. A later launch ends with the first one; by a clock that
# is behind it would end later than by its age.
if [[ $budget$budget_ends ]]; then
  left=$((10#${budget:-999999999} - began))
  if [[ $budget_ends ]]; then
    until_end=$((10#$budget_ends - $(date +%s)))
    ((until_end >= left)) || left=$until_end
  fi
  ((left > 0)) || fail 'the budget is used up'
  deadline budget "$left" 'the budget is used up'
fi
systemctl enable --quiet "${timers[@]}"
systemctl restart "${timers[@]}"

# --- What an earlier run left, on this machine or in the image that it came from ---

# The old service is not stopped here, which would take as long as its task takes to
# be saved. On another machine it ends by itself; on this one it is restarted below.
for name in lifetime budget; do
  [[ "${timers[*]}" != *"-$name.timer"* && -e $units/inductiva-aws-$name.timer ]] || continue
  timeout 60 systemctl disable --quiet --now "inductiva-aws-$name.timer" || true
  rm -f "$units/inductiva-aws-$name".{timer,service}
done
# With `registered`, a machine that never joined would delete the group.
rm -f "$state/registered" "$state/instance-id"

id=$machine
[[ $id ]] || id=$(cloud-init query instance_id 2>/dev/null || true)
of_another=
if [[ $id && -e $state/machine && $(<"$state/machine") != "$id" ]]; then
  of_another=yes
  say 'this disk comes from an image of another machine: its traces are removed'
  # cloud-init's copies of that machine's user data have its key.
  if [[ -e $root/var/lib/cloud/instance ]]; then
    for directory in "$root"/var/lib/cloud/instances/*; do
      [[ $directory -ef $root/var/lib/cloud/instance ]] || rm -rf "$directory"
    done
  fi
fi

phase=configuration
if [[ $preparing ]]; then
  # An image has what is on the root disk.
  LOCAL_DISKS=false
else
  [[ ${INDUCTIVA_API_KEY:+set}${INDUCTIVA_API_KEY_FROM:+set} ]] ||
    fail 'INDUCTIVA_API_KEY is not set, and INDUCTIVA_API_KEY_FROM is not either'
  [[ -n ${MACHINE_GROUP_NAME:-} ]] || fail 'MACHINE_GROUP_NAME is not set'
fi

# --- The proxy, also for the engine, the containers and the supervisor ---

# systemctl shows everybody a unit's variables, but not what is in a file.
drop_in=$units/docker.service.d/inductiva-aws-proxy.conf
if [[ ${https_proxy:+set} ]]; then
  install -m 0600 /dev/stdin "$state/proxy.env" <<EOF
http_proxy=${http_proxy:-$https_proxy}
https_proxy=$https_proxy
no_proxy=${no_proxy:-}
HTTP_PROXY=${http_proxy:-$https_proxy}
HTTPS_PROXY=$https_proxy
NO_PROXY=${no_proxy:-}
EOF
  mkdir -p "${drop_in%/*}"
  install -m 0600 /dev/stdin "$drop_in" <<EOF
[Service]
EnvironmentFile=-$state/proxy.env
EOF
elif [[ -e $drop_in ]]; then
  rm -f "$drop_in" "$state/proxy.env"
else
  drop_in=
fi
# An engine that runs already does so without it, or with another.
if [[ $drop_in ]]; then
  systemctl daemon-reload
  systemctl try-restart docker.service 2>/dev/null || true
fi

# --- Packages ---

# Runs a command until it succeeds, with pauses: a mirror, a registry or the network
# is usually back after a while. Gives up just before the boot deadline, which could
# not say why, or after most_tries. The output goes to a log, the cause of a failure
# to the console too.
retry() {
  local pauses=(5 15 30) pause tries=0 output
  while ! output=$("$@" 2>&1 | without_key | tee -a "$log"); do
    output="$*: $(cause <<<"$output")"
    pause=${pauses[tries]:-60}
    if ((++tries == ${most_tries:-0})); then
      say "$output"
      return 1
    fi
    (($(now) + pause < began + boot_timeout - 10)) || fail "$output"
    say "again in $pause s: $output"
    sleep "$pause"
  done
}

# The daily upgrade restarts services, which would end a task. Without its timer a
# running one goes on, so it is waited for: stopping it would leave dpkg half-way.
systemctl disable --now apt-daily-upgrade.timer 2>/dev/null || true
upgrading() {
  [[ $(systemctl is-active apt-daily-upgrade.service) == activating ]]
}
if upgrading; then
  say 'waiting for an upgrade of the system to end'
  while upgrading; do sleep 5; done
fi

# Other jobs of a first boot hold apt's locks, of which apt waits for dpkg's alone. An
# interrupted dpkg is finished first. A list that cannot be read may be one that is
# not needed, so `install` decides; after a failure the lists are asked for again, as
# some may be missing. Configuration files that are there already are kept.
apt_install() {
  local dpkg_options=(--force-confold --force-unsafe-io)
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Languages=none
    -o Acquire::CompressionTypes::Order::=gz
    "${dpkg_options[@]/#/-oDpkg::Options::=}")
  timeout 600 python3 -c 'import fcntl, sys
for p in sys.argv[1:]: fcntl.lockf(open(p, "a"), fcntl.LOCK_EX)' \
    "$root"/var/{lib/apt/lists/lock,cache/apt/archives/lock,lib/dpkg/lock-frontend,lib/dpkg/lock} || true
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  dpkg "${dpkg_options[@]}" --configure -a || true
  "${apt[@]}" update || true
  "${apt[@]}" install -y --no-install-recommends "$@"
}

# Amazon Linux 2023. dnf waits for its own locks.
dnf_install() {
  dnf --quiet --assumeyes --setopt=install_weak_deps=False install "$@"
}

install_packages() {
  if command -v apt-get >/dev/null; then
    retry apt_install "$@"
  elif command -v dnf >/dev/null; then
    retry dnf_install "$@"
  else
    fail "this image has neither apt-get nor dnf to install: $*"
  fi
}

# --- Your own commands ---
# In a copy for --user-data-path, your own lines go here. The deadlines hold, a
# failing line powers off, and `install_packages NAME...` is there.
phase=own-commands

# --- Local disks ---
phase=local-disks

# The disks of the instance store.
local_disks() {
  local path model
  for path in "$root"/sys/block/nvme*; do
    { model=$(<"$path/device/model"); } 2>/dev/null || continue
    [[ $model != 'Amazon EC2 NVMe Instance Storage'* ]] || echo "/dev/${path##*/}"
  done
}

# Those with nothing on them: in no use, no partition, no file system, RAID or LVM.
blank_local_disks() {
  local disk lines signatures
  for disk in $(local_disks); do
    # A line for it, and one for each partition or whatever else is made of it.
    mapfile -t lines < <(lsblk --noheadings --raw --output MOUNTPOINT "$disk")
    if ((${#lines[@]} == 1)) && [[ -z ${lines[0]// } ]] &&
      signatures=$(wipefs --noheadings "$disk") && [[ -z $signatures ]]; then
      echo "$disk"
    else
      say "this local disk is left alone, as it is in use or has data: $disk" >&2
    fi
  done
}

# The device of what this machine made at an earlier boot.
find_file_system() {
  [[ $1 ]] || return
  findfs "UUID=$1" 2>/dev/null || {
    mdadm --assemble --scan --quiet
    findfs "UUID=$1"
  } 2>/dev/null
}

# Puts on them what is written most: docker's data, with the volume that tasks work in,
# and the simulators' images. What an image brought along is copied there.
use_local_disks() {
  local mount=$state/local-disks uuid device disks of name directory is_new=
  ! mountpoint --quiet "$mount" || return 0
  uuid=$(cat "$mount.uuid" 2>/dev/null || true)
  if ! device=$(find_file_system "$uuid"); then
    mapfile -t disks < <(blank_local_disks)
    ((${#disks[@]})) || return 0
    if ((${#disks[@]} > 1)) && ! command -v mdadm >/dev/null; then
      disks=("${disks[0]}")
    fi
    device=${disks[0]}
    if ((${#disks[@]} > 1)); then
      device=/dev/md/inductiva-aws
      mdadm --create "$device" --quiet --run --homehost=any --level=0 \
        --raid-devices="${#disks[@]}" "${disks[@]}"
    fi
    read -r uuid <"$root/proc/sys/kernel/random/uuid"
    mkfs.ext4 -q -m 0 -E nodiscard -U "$uuid" "$device" </dev/null
    is_new=yes
    of=" of ${disks[*]}"
  fi
  mkdir -p "$mount"
  mount -o noatime "$device" "$mount"
  for directory in "$root"/var/lib/{docker,containerd} "$state/executer-images"; do
    name=$mount/${directory##*/}
    mkdir -p "$directory" "$name"
    [[ -z $is_new ]] || cp -a "$directory/." "$name"
    mount --bind "$name" "$directory"
  done
  # Last: a disk with half of a copy on it is left alone at the next boot.
  echo "$uuid" >"$mount.uuid"
  say "tasks and images are on the local disks${of:-}"
}

# Again at each boot, before the engine: a stop blanks them.
unit=inductiva-aws-local-disks.service
if [[ ${LOCAL_DISKS:-true} == true && $(local_disks) ]]; then
  {
    echo '#!/bin/bash'
    echo 'set -Eeuo pipefail'
    declare -p root state
    declare -f say local_disks blank_local_disks find_file_system use_local_disks
    echo use_local_disks
  } >"$state/use-local-disks"
  cat >"$units/$unit" <<EOF
[Unit]
Before=docker.service containerd.service inductiva-aws.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/bash $state/use-local-disks
TimeoutStartSec=300

[Install]
WantedBy=multi-user.target
EOF
  systemctl enable --quiet "$unit"
  mapfile -t disks < <(blank_local_disks 2>/dev/null)
  ((${#disks[@]} < 2)) || command -v mdadm >/dev/null || install_packages mdadm
  # An image may have an engine that runs already.
  systemctl stop docker.socket docker.service containerd.service 2>/dev/null || true
  bash "$state/use-local-disks" ||
    say 'the local disks cannot be used: going on with the root disk'
elif [[ -e $units/$unit ]]; then
  systemctl disable --quiet "$unit"
  rm -f "$units/$unit"
fi

# --- Container engine ---

engine_works() {
  command -v docker >/dev/null && systemctl start docker && timeout 60 docker version
}

# An engine that is installed gets some time to come up before the distribution's is
# put in its place.
engine_comes_up() {
  local pause
  command -v docker >/dev/null || return
  for pause in 5 10 20 ''; do
    if engine_works >/dev/null 2>&1; then return 0; fi
    [[ $pause ]] || return 1
    say "again in $pause s: the container engine does not answer"
    sleep "$pause"
  done
}

enter container-engine
engine=(docker.io ca-certificates pigz)
[[ ! -e $root/sys/module/apparmor ]] || engine+=(apparmor)
iptables_package=iptables
if ! command -v apt-get >/dev/null; then
  engine=(docker)
  iptables_package=iptables-nft
fi
packages=()
command -v curl >/dev/null || packages+=(curl)
command -v iptables >/dev/null || packages+=("$iptables_package")
engine_comes_up || packages+=("${engine[@]}")
if ((${#packages[@]})); then
  install_packages "${packages[@]}"
  # A package of its own in Debian 13.
  command -v docker >/dev/null || install_packages docker-cli
  retry engine_works
fi

# The other machine's containers have its key, and a task that it left unfinished
# would be uploaded from here.
if [[ $of_another || $preparing ]]; then
  docker rm --force inductiva-task-runner inductiva-file-tracker >/dev/null 2>&1 || true
  docker volume rm --force workdir >/dev/null
fi
echo "$id" >"$state/machine"

# --- Images, both at once ---

# An image that is on the disk already will do when the registry refuses for minutes,
# but not for a new image of the machine.
pull() {
  local most_tries=0
  [[ $preparing ]] || ! docker image inspect "$1" >/dev/null 2>&1 || most_tries=5
  retry docker pull --quiet "$1" || say "going on with the image that is there: $1"
}

enter images
runner_image=${TASK_RUNNER_IMAGE:-inductiva/task-runner:main}
tracker_image=${FILE_TRACKER_IMAGE:-inductiva/file-tracker:main}
# Else what they unpack goes to the disk in the end.
while sleep 3 && kill -0 $$; do sync; done &>/dev/null &
pull "$runner_image" &
runner_pull=$!
pull "$tracker_image" &
tracker_pull=$!

wait_for_pulls() {
  wait "$tracker_pull" || exit
  wait "$runner_pull" || exit
}

# --- An image of this machine: the end of preparing one ---

# Removes what is this machine's own, so that each machine made from the image is new
# to cloud-init. The deadlines go on, but in memory alone. Cloud-init's traces go
# before they do: after a reboot in between all of it is done again.
forget_machine() {
  rm -rf "$root"/var/lib/cloud/{instance,instances,data,sem}
  rm -rf "$root"/var/log/journal/* "$root"/etc/ssh/ssh_host_*
  find "$root/var/log" -type f -exec truncate --size=0 {} +
  # With the id of D-Bus systemd would begin again.
  rm -f "$root/var/lib/dbus/machine-id"
  : >"$root/etc/machine-id"
  mv "$units"/inductiva-aws-{end,boot-deadline}.* "$root/run/systemd/system"
  systemctl daemon-reload
  rm -rf "$state" "$units"/inductiva-aws* "$units"/*.wants/inductiva-aws* \
    "$units/docker.service.d/inductiva-aws-proxy.conf" \
    "$root"/var/lib/systemd/timers/stamp-inductiva-aws*
  sync
  say "prepared, layout $image_layout"
}

if [[ $preparing ]]; then
  wait_for_pulls
  enter prepare
  # Cloud-init writes until its last stage is over, so this is a service that comes
  # after it.
  unit=inductiva-aws-prepare.service
  mkdir -p "$root/run/systemd/system"
  {
    echo '#!/bin/bash'
    echo 'set -Eeuo pipefail'
    declare -p root state units phase image_layout
    declare -f say fail on_error on_exit end_machine set_traps forget_machine
    echo 'set_traps; forget_machine; phase=finished'
  } >"$root/run/inductiva-aws-prepare"
  cat >"$root/run/systemd/system/$unit" <<EOF
[Unit]
After=cloud-final.service
OnFailure=inductiva-aws-end.service

[Service]
Type=oneshot
ExecStart=/bin/bash $root/run/inductiva-aws-prepare
EOF
  systemctl daemon-reload
  systemctl start --no-block "$unit"
  phase=finished
  exit
fi

# --- Configuration, meanwhile ---

phase=configuration
api_url=${INDUCTIVA_API_URL:-https://api.inductiva.ai}
api_url=${api_url%/}

# What SSM or Secrets Manager keeps, into a file. The role's credentials and the key
# go from command to command by pipes.
fetch_key() {
  local service=${INDUCTIVA_API_KEY_FROM%%:*} name=${INDUCTIVA_API_KEY_FROM#*:}
  local role region domain target=AmazonSSM.GetParameter
  if ! role=$(imds iam/security-credentials/); then
    echo 'this machine has no instance profile, or not yet'
    return 1
  fi
  region=$(imds placement/region) && domain=$(imds services/domain) || return
  # Of another account's, say.
  [[ $name != arn:* ]] || IFS=: read -r _ _ _ region _ <<<"$name"
  [[ $service == ssm ]] || target=secretsmanager.GetSecretValue
  imds "iam/security-credentials/$role" | python3 -c '
import json, sys
role, body = json.load(sys.stdin), {"Name": sys.argv[1], "WithDecryption": True}
if sys.argv[2].startswith("secrets"): body = {"SecretId": sys.argv[1]}
print("user = %s:%s" % (role["AccessKeyId"], role["SecretAccessKey"]))
print("header = \"X-Amz-Security-Token: %s\"" % role["Token"])
print("data = %s" % json.dumps(json.dumps(body)))
' "$name" "$target" | curl -sS --max-time 20 --aws-sigv4 "aws:amz:$region:$service" -K - \
    -H 'Content-Type: application/x-amz-json-1.1' -H "X-Amz-Target: $target" \
    "https://$service.$region.$domain/" | python3 -c '
import json, os, sys
try: answer = json.load(sys.stdin)
except ValueError: sys.exit(1)
key = answer.get("SecretString") or (answer.get("Parameter") or {}).get("Value")
if not key: sys.exit("Error: %s: %s" % (answer.get("__type"), answer.get("message") or answer.get("Message")))
try: [key] = json.loads(key).values()
except (ValueError, AttributeError): pass
key = str(key).strip()
if not (key.isascii() and key.isprintable()) or " " in key: sys.exit("Error: what it keeps is no API key")
os.umask(0o077)
open(sys.argv[1], "w").write(key)
' "$state/api-key"
}

if [[ ${INDUCTIVA_API_KEY_FROM:-} ]]; then
  # A new role may take some time to be known.
  most_tries=8 retry fetch_key || fail "there is no API key to be had from $INDUCTIVA_API_KEY_FROM"
  read -r INDUCTIVA_API_KEY <"$state/api-key" || true
  rm -f "$state/api-key"
fi

# The key's one place outside the containers. The tracker obeys whoever reaches its
# port, so it listens on loopback alone.
install -m 0600 /dev/stdin "$state/containers.env" <<EOF
API_URL=$api_url
USER_API_KEY=$INDUCTIVA_API_KEY
WORKDIR=/workdir
FILE_TRACKER_HOST=127.0.0.1
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
  declare -p root state machine api_url group_id group_name group_path num_machines gpu \
    runner_image tracker_image boot_timeout max_idle_seconds
  declare -f say told enter fail on_error on_exit end_machine set_traps now this_machine \
    without_key cause imds
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
# After so long it is of no use to anybody: with a runner that keeps failing, or
# without a task but with a process that one left behind.
useless_seconds=$((max_idle_seconds > 1200 ? 6 * max_idle_seconds : 7200))

# No call of the engine may hang.
engine() {
  timeout -k 5 "$1" docker "${@:2}"
}

# A signal ends it.
pause() {
  sleep "$1" &
  wait "$!" || true
}

# --- What the API says ---

# The key goes from its file to curl's input, past every command line.
api() {
  sed -n 's/^USER_API_KEY=/X-API-Key: /p' "$state/containers.env" |
    curl -sSf --path-as-is --max-time 15 -H @- -X "$1" "${@:3}" "$api_url$2"
}

# Whether it is the API's own 40$1: a proxy's is no JSON.
refused_now() {
  local answer
  answer=$(api GET "$2" -o /dev/null -w '%{http_code} %{content_type}' 2>/dev/null) || true
  [[ $answer =~ ^40$1\ application/json ]]
}

# The same twice, as one may be a mishap.
refused() {
  for _ in 1 2; do
    pause 2
    refused_now "$@" || return
  done
}

# This machine as the API shows it: absent, busy or idle; `last` if the group is ours
# to delete and has no other machine; how many it ever had; its id; `over` if it is
# ending, or is another one that has the name of ours by now. Fails when the answer is
# none.
group() {
  api GET "$group_path" | python3 -c '
import json, sys, urllib.parse
me, group_id = sys.argv[1:]
group = json.load(sys.stdin)
assert type(group["machines"]) is list
there = [m for m in group["machines"] if m.get("terminated_at") is None]
mine = [m for m in there if m.get("host_name") == me]
busy = any(m.get("current_task_id") is not None for m in mine)
known = group["id"] == (group_id or group["id"])
status = group.get("status")
ours = known and status != "terminated"
over = not known or status in ("shutting_down", "shutdown_failed", "terminated")
print("busy" if busy else "idle" if mine else "absent",
      "last" if ours and mine == there else "-",
      len({m.get("host_name") for m in group["machines"]}), urllib.parse.quote(group["id"], safe=""),
      "over" if over else "on")
' "$instance_id" "$group_id" 2>/dev/null
}

# Three answers, 30 s apart: what the API says once ends no fleet.
group_is_over() {
  local look view
  for look in 1 2 3; do
    ((look == 1)) || pause 30
    if view=$(group); then
      [[ $view == *' over' ]] || return
    else
      refused_now 4 "$group_path" || return
    fi
  done
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
  read -r _ last seen id _ <<<"$view"
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

# --- Whose supervisor this is ---

# An image of a machine that ran has it enabled, with that machine's key and group.
leave() {
  say 'this supervisor is of another machine: it does nothing here'
  phase=finished
  exit 0
}

# Before anything is asked, where boards tell instance ids.
here=$(this_machine)
[[ $here != i-* || $machine != i-* || $here == "$machine" ]] || leave
own_instance_id=$machine
[[ $machine == i-* ]] || own_instance_id=$(cat "$state/instance-id" 2>/dev/null || true)

# --- Metadata for root alone, the tracker's port for this machine ---

enter metadata
for _ in 1 2 3; do
  instance_id=$(imds instance-id) && break
  pause 1
done
[[ -n $instance_id ]] || instance_id=$(cloud-init query instance_id)
[[ $instance_id =~ ^[A-Za-z0-9._-]+$ ]] || fail 'the instance id is not known'
if [[ $own_instance_id ]]; then
  [[ $own_instance_id == "$instance_id" ]] || leave
elif [[ $machine && $here && $machine != "$here" ]]; then
  leave
fi
echo "$instance_id" >"$state/instance-id"

rule() {
  local tool=("$1" -w 60 -t "$2") chain=$3 output
  shift 3
  "${tool[@]}" -C "$chain" "$@" 2>/dev/null ||
    output=$("${tool[@]}" -I "$chain" "$@" 2>&1) ||
    fail "$(cause <<<"$output")"
}

# PREROUTING is for containers on a bridge. The port is closed twice: the tracker
# listens on loopback alone.
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
  local name=$1 proxy=()
  shift
  [[ ! -e $state/proxy.env ]] || proxy=(--env-file "$state/proxy.env")
  engine 60 rm --force "$name" >/dev/null 2>&1 || true
  engine 300 run --detach --name "$name" --restart no \
    --env-file "$state/containers.env" \
    "${proxy[@]}" --log-driver local --log-opt max-size=10m --log-opt max-file=3 \
    --network host --volume workdir:/workdir "$@" 2>&1
}

enter file-tracker
running "$tracker" ||
  output=$(create "$tracker" --env ICE_URL=webrtc.inductiva.ai:3478 "$tracker_image") ||
  fail "$(cause <<<"$output")"

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

start_runner() {
  local output
  until output=$(create "$runner" "${runner_options[@]}" "$runner_image"); do
    runner_failed "$(cause <<<"$output")" own
  done
  started=$(now)
}

# Each failure lengthens the pauses. The sixth of the runner's own is the end, and so
# are failures of any kind for a long time. An hour without one, or a task, begins the
# count anew.
failures=0
own_failures=0
failing_since=
pauses=(10 20 40 80)
runner_failed() {
  local seconds=${pauses[failures]:-160}
  failing_since=${failing_since:-$(now)}
  failures=$((failures + 1))
  [[ -z ${2:-} ]] || own_failures=$((own_failures + 1))
  ((own_failures < 6 && $(now) - failing_since < useless_seconds)) ||
    finish "failed task-runner: $1"
  say "task runner: $1; again in $seconds s"
  pause "$seconds"
}

forgive() {
  failures=0
  own_failures=0
  failing_since=
}

# The runner's last line.
last_words() {
  engine 30 logs --tail 5 "$runner" 2>&1 | tr -cd '[:print:]\n' | without_key |
    tail -n 1 | cut -c -300 || true
}

# An image may have set an idle time of the runner's own. Then it has deleted the
# group, and says so in its log.
said_idle() {
  local words='TaskRunnerTerminationError\([^)]*(idle_timeout|IDLE_TIMEOUT)'
  [[ $(engine 30 logs --tail 100 "$runner" 2>&1) =~ $words ]]
}

# Exit 0 is what the runner's end looks like, but so is one bad answer to a poll: then
# it is started again. What the API is to blame for ends no machine.
runner_ended() {
  local own='' reason
  case $container in
    'exited 0')
      said_idle && finish 'the task runner is done: idle for its own limit'
      group_is_over && finish 'the task runner is done'
      ;;
    'exited 1')
      # Once it has joined, a refusal may be a mishap: the idle time decides.
      [[ -e $state/registered ]] || ! refused '[13]' /users/info ||
        finish 'failed task-runner: the API refuses the key'
      ;;
  esac
  [[ $container == 'exited 0' ]] || ! group >/dev/null || own=own
  reason="$container: $(last_words)"
  if [[ $registered ]]; then look_for_work; else look_for_deadline; fi
  runner_failed "$reason" $own
  start_runner
}

# One that outlived the supervisor may be at work.
enter task-runner
install -d -m 0777 "$state/executer-images"
started=$(now)
running "$runner" || start_runner

# --- Watching ---

# Whether the API shows a task of this machine: some, none (or no group, or it refuses
# the key), or unknown.
task() {
  local view
  if view=$(group); then
    [[ $view == busy\ * ]] && echo some || echo none
  elif refused '[134]' "$group_path"; then
    echo none
  else
    echo unknown
  fi
}

# Whether the container has as few processes as it ever had: the runner itself.
least=0
alone() {
  local processes
  [[ $container == running* ]] || return 0
  processes=$(engine 30 top "$runner" -eo pid,stat |
    awk 'NR > 1 && $2 !~ /^Z/ { n++ } END { print n; exit !n }') || return 1
  ((least && least <= processes)) || least=$processes
  ((processes == least))
}

# The machine is idle when both witnesses say so. In the long run the API's word is
# enough, as a task may leave a process behind; time without an answer does not count.
idle_since=
taskless_seconds=0
task=unknown
looked=0
look_for_work() {
  local last_task=$task last_looked=$looked
  task=$(task)
  looked=$(now)
  case "$last_task $task" in
    *some)
      taskless_seconds=0
      forgive
      ;;
    'none none') taskless_seconds=$((taskless_seconds + looked - last_looked)) ;;
  esac
  ((max_idle_seconds)) || return 0
  if [[ $task == none ]] && alone; then
    idle_since=${idle_since:-$looked}
    ((looked - idle_since < max_idle_seconds)) ||
      finish "idle for $((max_idle_seconds / 60)) minutes"
  else
    idle_since=
  fi
  [[ $task != none ]] || ((taskless_seconds < useless_seconds)) ||
    finish "no task for $((useless_seconds / 60)) minutes, although the runner has other processes"
}

begun=$(now)
registered=
look_for_registration() {
  local view
  if view=$(group) && [[ $view != absent\ * ]]; then
    systemctl disable --now inductiva-aws-boot-deadline.timer
    touch "$state/registered"
    registered=yes
    enter registered
  else
    look_for_deadline
  fi
}

# For after a reboot, when the timer may be disarmed. A silent API is no reason.
look_for_deadline() {
  (($(now) - begun > boot_timeout)) || return 0
  if group >/dev/null || refused '[134]' "$group_path"; then
    finish "failed task-runner: not registered within $(told "$boot_timeout")"
  fi
}

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
  if [[ $container != running* ]]; then
    runner_ended
    tick=0
    continue
  fi
  (($(now) - started < 3600)) || forgive

  if [[ -z $registered ]]; then
    look_for_registration
  elif ((tick % 4 == 0)); then
    engine 60 start "$tracker" >/dev/null 2>&1 || true
    look_for_work
  fi
done
EOF

# systemd's own OOMPolicy ends the service when one helper is killed for memory, and
# the runner with it.
cat >"$units/inductiva-aws.service" <<EOF
[Unit]
Description=Inductiva task runner
After=docker.service network-online.target
Wants=docker.service network-online.target
OnFailure=inductiva-aws-end.service
StartLimitIntervalSec=3600
StartLimitBurst=5

[Service]
EnvironmentFile=-$state/proxy.env
ExecStart=/bin/bash $state/supervisor
Restart=on-failure
RestartSec=10
KillMode=mixed
TimeoutStopSec=240
OOMPolicy=continue
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
EOF

phase=images
wait_for_pulls
enter configuration

# cloud-init's last stage does not wait for it.
systemctl enable --quiet inductiva-aws.service
systemctl reset-failed inductiva-aws.service 2>/dev/null || true
systemctl restart --no-block inductiva-aws.service
phase=finished
