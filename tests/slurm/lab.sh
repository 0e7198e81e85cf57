#!/usr/bin/env bash
# A real SLURM on this one machine, for tests: munge, slurmctld and a slurmd a node, on loopback, as the user who calls.
#   lab.sh install   the packages, where this user may        lab.sh up | down | status
# All that it writes lies in $AVF_LAB; it stops only what it started. Partitions: cpu (cpu1, cpu2), gpu (gpu1, with
# two fake GPUs), spare (cpu3, cpu5: one is lost), low and urgent (cpu4: a job in urgent puts one in low back into the queue).
set -euo pipefail
ROOT=${AVF_LAB:?set AVF_LAB to the folder that the lab may use}
PORT=${AVF_LAB_PORT:-26817} # and the six above it
PROGRAMS=(munged munge slurmctld slurmd srun sbatch squeue scontrol)
NODES=(cpu1 cpu2 cpu3 cpu4 cpu5 gpu1)
ETC=$ROOT/etc RUN=$ROOT/run LOG=$ROOT/log
PATH=$PATH:/usr/sbin:/sbin
export SLURM_CONF=$ETC/slurm.conf

absent() { for name in "${PROGRAMS[@]}"; do command -v "$name" >/dev/null || echo "$name"; done; }

cannot() {
  echo "SLURM packages cannot be installed here: $*" >&2
  exit 77
}

install_packages() { # exit 77: this machine has none and this user may not install them
  [[ -n $(absent) ]] || return 0
  command -v apt-get >/dev/null || cannot "no apt-get; absent: $(absent | paste -sd' ')"
  local as_root=()
  ((EUID == 0)) || as_root=(sudo -n)
  "${as_root[@]}" true 2>/dev/null || cannot "neither root nor sudo without a password"
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq || true
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null ||
    cannot "apt-get install slurm-wlm munge failed"
  [[ -z $(absent) ]] || cannot "still absent: $(absent | paste -sd' ')"
}

born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; } # a process' start, in ticks

alive() { # whether the process on record is still that process, and not another of its number
  local pid ticks
  [[ -s $RUN/$1.pid ]] && read -r pid ticks <"$RUN/$1.pid" && [[ -n $ticks && $(born "$pid") == "$ticks" ]]
}

start() { # name command...: a daemon in its own session, on record
  local name=$1
  shift
  if alive "$name"; then return; fi
  setsid "$@" </dev/null >>"$LOG/$name.out" 2>&1 &
  local pid=$!
  disown
  sleep 0.2
  echo "$pid $(born "$pid")" >"$RUN/$name.pid"
}

finish() { # name: ask, wait, then kill
  local pid
  if alive "$1"; then
    read -r pid _ <"$RUN/$1.pid"
    kill "$pid" 2>/dev/null || true
    for _ in {1..100}; do alive "$1" && sleep 0.1 || break; done
    if alive "$1"; then kill -KILL "$pid"; fi
  fi
  rm -f "$RUN/$1.pid"
}

await() { # command...: until it succeeds, a minute at most
  local until=$((SECONDS + 60))
  until timeout 10 "$@" >/dev/null 2>&1; do
    ((SECONDS < until)) || { echo "lab: waited a minute for: $* (see $LOG)" >&2; exit 1; }
    sleep 0.3
  done
}

configure() {
  mkdir -p "$ETC" "$RUN" "$LOG" "$ROOT"/{bin,state,spool}
  [[ -s $ETC/munge.key ]] || (umask 077 && head -c 1024 /dev/urandom >"$ETC/munge.key")
  # Snakemake's inner srun is started without SLURM_CONF; this one, first on the path, knows it.
  printf '#!/bin/sh\nSLURM_CONF=%q exec %q "$@"\n' "$SLURM_CONF" "$(command -v srun)" >"$ROOT/bin/srun"
  chmod +x "$ROOT/bin/srun"
  # SLURM wants a device file for each GPU; any will do.
  printf 'NodeName=gpu1 Name=gpu File=/dev/%s\n' null zero >"$ETC/gres.conf"
  echo "CgroupAutomount=no" >"$ETC/cgroup.conf"
  slurm_conf >"$ETC/slurm.conf"
}

slurm_conf() { # munge's credentials expire soon, so that a job put back into the queue starts again soon
  local me host port=$PORT node more
  me=$(id -un) host=$(hostname -s)
  cat <<C
ClusterName=lab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=$me
SlurmdUser=$me
AuthType=auth/munge
AuthInfo=socket=$RUN/munge.sock,cred_expire=10
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$ROOT/state
SlurmdSpoolDir=$ROOT/spool/%n
SlurmctldPidFile=$RUN/slurmctld.own
SlurmdPidFile=$RUN/slurmd.%n.own
SlurmctldLogFile=$LOG/slurmctld.log
SlurmdLogFile=$LOG/slurmd.%n.log
AccountingStorageType=accounting_storage/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2
ReturnToService=2
KillWait=5
MinJobAge=36000
C
  for node in "${NODES[@]}"; do
    more=
    [[ $node == gpu* ]] && more=Gres=gpu:2
    port=$((port + 1))
    echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$port CPUs=4 RealMemory=32000 $more State=UNKNOWN"
  done
  cat <<C
PartitionName=DEFAULT MaxTime=1-0 DefaultTime=60 OverSubscribe=NO PreemptMode=off
PartitionName=cpu Nodes=cpu1,cpu2 Default=YES
PartitionName=gpu Nodes=gpu1
PartitionName=spare Nodes=cpu3,cpu5
PartitionName=low Nodes=cpu4 PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes=cpu4 PriorityTier=9
C
}

up() {
  configure
  # --force: the socket may lie below a folder that others can write to, such as /tmp
  start munged munged --foreground --force --num-threads=2 --socket="$RUN/munge.sock" --key-file="$ETC/munge.key" \
    --pid-file="$RUN/munged.own" --log-file="$LOG/munged.log" --seed-file="$ETC/munge.seed"
  await munge -S "$RUN/munge.sock" -n
  start slurmctld slurmctld -D
  await scontrol ping
  for node in "${NODES[@]}"; do
    mkdir -p "$ROOT/spool/$node"
    start "slurmd.$node" slurmd -D -N "$node"
  done
  await bash -c "! sinfo -h -N -o %T | grep -qvE '^(idle|mixed|allocated)$'"
}

down() { # jobs, then what they left behind (a step's children outlive it without cgroups), then daemons
  if alive slurmctld; then
    timeout 20 scancel --full --me 2>/dev/null || true
    for _ in {1..80}; do [[ -n $(timeout 5 squeue -h -t R,CG) ]] && sleep 0.25 || break; done
  fi
  for node in "${NODES[@]}"; do finish "slurmd.$node" & done
  wait
  for place in /proc/[0-9]*; do
    if grep -zqx "AVF_LAB=$ROOT" "$place/environ" 2>/dev/null &&
      grep -zq '^SLURMD_NODENAME=' "$place/environ" 2>/dev/null; then
      kill -KILL "${place#/proc/}" 2>/dev/null || true
    fi
  done
  finish slurmctld
  finish munged
}

status() {
  for name in munged slurmctld "${NODES[@]/#/slurmd.}"; do
    alive "$name" && echo "$name up" || echo "$name down"
  done
  if alive slurmctld; then sinfo -N -o '%N %P %T %c %m %G'; fi
}

case ${1:-} in
  install) install_packages ;;
  up | down | status) "$1" ;;
  *) sed -n '2,5p' "$0" && exit 2 ;;
esac
