#!/usr/bin/env bash
# slurm_sandbox.sh: a private Slurm cluster on this one host, for tests.
#
#   slurm_sandbox.sh start DIR   start it, print exports
#   slurm_sandbox.sh stop DIR    cancel its jobs, end its daemons, keep DIR
#
# Everything lives in DIR: munge key and socket, slurm.conf, state, spool, logs and pid files. Nothing outside DIR is written, no
# systemd is needed, and a system-wide Slurm or munge is neither used nor disturbed. Two nodes, node1 and node2, each its own
# slurmd on loopback; where the kernel allows it, each with a host name of its own, which matters to Open MPI (own_host).
# Partitions: preempt (default, low priority: its jobs are requeued when "urgent" needs their CPUs) and urgent.
# Environment, read by start: SLURM_SANDBOX_CPUS on each node (2), SLURM_SANDBOX_GRACE, seconds of GraceTime (10),
# SLURM_SANDBOX_USERSIG=1: a preempted job gets the signal that it asked for.
# Debian packages it needs: slurmctld slurmd slurm-client munge.

set -euo pipefail

readonly PROG=${0##*/}
readonly LOOPBACK=127.0.0.1

NODES=2
CPUS=${SLURM_SANDBOX_CPUS:-2}
GRACE=${SLURM_SANDBOX_GRACE:-10}
KILLWAIT=5
REQUEUE=5
WAIT=60
NS=1
USERSIG=${SLURM_SANDBOX_USERSIG:-0}

# Everything for people goes to stderr: stdout is for eval.
say() { printf '%s: %s\n' "$PROG" "$*" >&2; }
die() { say "$*"; exit 1; }

# ---------------------------------------------------------------- processes

# pid_of NAME: print the pid of our daemon NAME if it is alive.  A pid file
# alone proves nothing (pids are reused), so the process must also have DIR on
# its command line: every daemon here is started with a path inside DIR.
pid_of() {
    local pid
    pid=$(cat "$DIR/run/$1.pid" 2>/dev/null) || return 1
    [[ $pid =~ ^[1-9][0-9]*$ ]] || return 1
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$DIR/" || return 1
    printf '%s\n' "$pid"
}

# The daemons that have a pid file in DIR, in the order they start.
daemons() {
    local f
    printf 'munged\nslurmctld\n'
    for f in "$DIR"/run/slurmd.*.pid; do
        [[ -e $f ]] || continue
        f=${f##*/}
        printf '%s\n' "${f%.pid}"
    done
}

# step_pids: the slurmstepd processes of this cluster and what they started,
# children first.  They outlive slurmd by design and have no pid file, but they
# inherit its working directory, DIR/log.
step_pids() {
    local p
    for p in /proc/[0-9]*; do
        [[ $(cat "$p/comm" 2>/dev/null) == slurmstepd ]] || continue
        [[ $(readlink "$p/cwd" 2>/dev/null) == "$DIR/log" ]] || continue
        with_children "${p##*/}"
    done
}

with_children() {
    local c
    # shellcheck disable=SC2013
    for c in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        with_children "$c"
    done
    printf '%s\n' "$1"
}

# end_pid PID SECONDS: SIGTERM, wait, SIGKILL.
end_pid() {
    local i
    kill -TERM "$1" 2>/dev/null || return 0
    for ((i = 0; i < $2 * 10; i++)); do
        running "$1" || return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || return 0
    sleep 0.2
}

# running PID: exists and is not a zombie that nobody has reaped.
running() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    [[ ${stat%% *} != Z ]]
}

# ------------------------------------------------------------- configuration

need_packages() {
    local c missing=()
    declare -A pkg=([munged]=munge [slurmctld]=slurmctld [slurmd]=slurmd
        [sbatch]=slurm-client [sinfo]=slurm-client [scontrol]=slurm-client)
    for c in munged slurmctld slurmd sbatch sinfo scontrol; do
        command -v "$c" >/dev/null && continue
        [[ " ${missing[*]-} " == *" ${pkg[$c]} "* ]] || missing+=("${pkg[$c]}")
    done
    ((${#missing[@]} == 0)) && return
    say "Slurm is not complete on this machine; missing Debian packages: ${missing[*]}"
    say "install them with: apt-get install --no-install-recommends ${missing[*]}"
    exit 2
}

# in_use PORT: does something listen there on loopback?
in_use() { (: <"/dev/tcp/$ADDR/$1") 2>/dev/null; }

# pick_ports: the first of NODES+1 consecutive free ports.  Below 32768, where
# Linux takes the ports of outgoing connections from.
pick_ports() {
    local base i try
    for ((try = 0; try < 200; try++)); do
        base=$((20000 + RANDOM % 12000))
        for ((i = 0; i <= NODES; i++)); do
            in_use $((base + i)) && continue 2
        done
        printf '%s\n' "$base"
        return
    done
    die "found no $((NODES + 1)) free ports in a row"
}

# own_host NAME COMMAND...: run COMMAND as if on a host called NAME: in a UTS
# namespace, and a mount namespace whose /etc/hosts knows the nodes.  Jobs
# inherit both from slurmd.  Without it two simulated nodes look like one host
# to Open MPI while it numbers the ranks of each from 0: with two or more ranks
# on both, they take each other's shared memory files and crash in MPI_Init.
own_host() {
    # shellcheck disable=SC2016
    unshare --uts --mount --propagation private -- bash -c '
        mount --bind "$1" /etc/hosts && hostname "$2" && shift 2 && exec "$@"
    ' own_host "$DIR/hosts" "$@"
}

# write_conf: directories, key and slurm.conf.
write_conf() {
    local base comm host n nodes='' usersig=''

    # Slurm binds to every interface, unless told to bind to the address that
    # the host's own name has.  So where that is a loopback address, use it;
    # elsewhere the daemons are reachable from outside, though useless without
    # the key, and we say so.
    ADDR=$(getent -A ahostsv4 "$(uname -n)" 2>/dev/null | awk 'NR == 1 { print $1 }') || ADDR=
    if [[ $ADDR == 127.* ]]; then
        comm=NoInAddrAny,NoCtldInAddrAny
    else
        ADDR=$LOOPBACK
        comm=
        say "note: this host's name is not a loopback address, so Slurm binds to all interfaces"
    fi
    # Where loopback is the only interface, Slurm's look-ups (AI_ADDRCONFIG)
    # find nothing at all unless it may use IPv6 too.
    getent ahostsv4 "$LOOPBACK" >/dev/null || comm+=${comm:+,}EnableIPv6
    base=$(pick_ports)
    ((USERSIG == 0)) || usersig=SlurmctldParameters=preempt_send_user_signal

    # 0711: munged wants its socket to be reachable, the key itself is 0600.
    mkdir -p "$DIR"/{munge,state,spool,tmp,log,run}
    chmod 0711 "$DIR" "$DIR/munge"
    chmod 0700 "$DIR/state" "$DIR/run"
    chmod 0755 "$DIR/spool" "$DIR/tmp" "$DIR/log"
    [[ -s $DIR/munge/munge.key ]] ||
        (umask 077 && head -c 128 /dev/urandom >"$DIR/munge/munge.key")

    # Own host names, where namespaces are permitted (root on most machines, but
    # not in every container).
    cat /etc/hosts >"$DIR/hosts" 2>/dev/null || true
    for ((n = 1; n <= NODES; n++)); do
        printf '%s node%d\n' "$ADDR" "$n" >>"$DIR/hosts"
    done
    OWN_HOST=0
    if ((NS)) && [[ $(own_host node1 uname -n 2>/dev/null) == node1 ]]; then
        OWN_HOST=1
    elif ((NODES > 1)); then
        say "note: all nodes have this host's name; Open MPI needs OMPI_MCA_btl=self,tcp, as exported"
    fi

    for ((n = 1; n <= NODES; n++)); do
        # tmp: where the PMIx plugin of each slurmd makes its sockets.
        mkdir -p "$DIR/spool/node$n" "$DIR/tmp/node$n"
        chmod 1777 "$DIR/tmp/node$n"
        host=localhost
        ((OWN_HOST == 0)) || host=node$n
        nodes+="NodeName=node$n NodeHostname=$host NodeAddr=$ADDR Port=$((base + n))"
        nodes+=" CPUs=$CPUS Sockets=1 CoresPerSocket=$CPUS ThreadsPerCore=1"
        nodes+=" RealMemory=1024 State=UNKNOWN"$'\n'
    done

    cat >"$DIR/slurm.conf" <<CONF
# Written by $PROG; overwritten at the next start.
ClusterName=sandbox
SlurmctldHost=localhost($ADDR)
SlurmctldPort=$base
${comm:+CommunicationParameters=$comm}
SlurmUser=$(id -un)
SlurmdUser=$(id -un)

# Own munged.  cred_expire is also how long a requeued job is held back
# (its default, 120 s, is what makes requeue slow on a real cluster).
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$DIR/munge/munge.socket,cred_expire=$REQUEUE

StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool/%n
TmpFS=$DIR/tmp/%n
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmdPidFile=$DIR/run/slurmd.%n.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info

# Believe the CPU counts below, whatever this machine has.
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
# No cgroups.  linuxproc follows /proc parents, so it also finds the ranks
# that mpirun put into process groups of their own (pgid would not).
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none

# No slurmdbd: one text line for each finished job.
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$DIR/log/jobcomp.log
MinJobAge=86400
MailProg=/bin/true

# Requeue and preemption.
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
$usersig
KillWait=$KILLWAIT
PriorityType=priority/basic

# Quick reactions rather than throughput.
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SlurmctldTimeout=60
SlurmdTimeout=10
ReturnToService=2
InactiveLimit=0
Waittime=0

$nodes
PartitionName=DEFAULT Nodes=ALL State=UP DefaultTime=60 MaxTime=INFINITE
PartitionName=preempt Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=$GRACE
PartitionName=urgent PriorityTier=100 PreemptMode=OFF
CONF
}

# ------------------------------------------------------------------- daemons

# Each daemon goes to the background by itself and writes its pid file.  Its
# standard streams must not be ours, or $(slurm-sandbox start) would wait for
# it for ever; nor may it keep the lock (fd 9).
start_munged() {
    # --origin: do not look for an interface to name in the credentials.
    # --force: accept a DIR below directories with other permissions than munged
    # wants for a public service (pytest's are 0700, for one).
    munged --force --key-file="$DIR/munge/munge.key" --socket="$DIR/munge/munge.socket" \
        --pid-file="$DIR/run/munged.pid" --log-file="$DIR/log/munged.log" \
        --seed-file="$DIR/munge/munged.seed" --origin="$LOOPBACK" --num-threads=4 \
        </dev/null >>"$DIR/log/munged.out" 2>&1 9>&-
}

start_slurmctld() {
    slurmctld -f "$DIR/slurm.conf" </dev/null >>"$DIR/log/slurmctld.out" 2>&1 9>&-
}

start_slurmd() {
    local as=()
    ((OWN_HOST == 0)) || as=(own_host "$1")
    "${as[@]}" slurmd -f "$DIR/slurm.conf" -N "$1" \
        </dev/null >>"$DIR/log/slurmd.$1.out" 2>&1 9>&-
}

# fail WHAT: show where to look, end what was started.
fail() {
    say "$1 did not start; the last lines of its logs:"
    tail -n 5 "$DIR/log/$1".{log,out} >&2 2>/dev/null || true
    end_all
    exit 1
}

# end_all: every daemon of DIR that is alive, in the reverse order.
end_all() {
    local name pid
    for name in $(daemons | tac); do
        pid=$(pid_of "$name") || continue
        end_pid "$pid" 10
    done
}

# all_up: are all daemons of this configuration alive?
all_up() {
    local n
    pid_of munged >/dev/null && pid_of slurmctld >/dev/null || return 1
    for n in $(node_names); do
        pid_of "slurmd.$n" >/dev/null || return 1
    done
}

node_names() { sed -n 's/^NodeName=\([^ ]*\) .*/\1/p' "$DIR/slurm.conf" 2>/dev/null; }

# ------------------------------------------------------------------ commands

print_exports() {
    printf 'export SLURM_CONF=%q\n' "$DIR/slurm.conf"
    printf 'export SLURM_SANDBOX_DIR=%q\n' "$DIR"
    # Open MPI ignores loopback by default, and would use other interfaces
    # between the nodes, or fail where there are none.
    printf 'export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo\n'
    # No host names of their own: keep Open MPI off shared memory (see own_host).
    if (($(grep -c '^NodeName=.* NodeHostname=localhost ' "$DIR/slurm.conf") > 1)); then
        printf 'export OMPI_MCA_btl=self,tcp\n'
    fi
}

# lock: one start or stop at a time; held until this process ends.
lock() {
    exec 9>"$DIR/.slurm_sandbox"
    flock -w 120 9 || die "another $PROG works on $DIR"
}

cmd_start() {
    local n i end states
    need_packages
    # Unix sockets below DIR have names of at most 107 characters.
    ((${#DIR} <= 60)) || die "directory name too long for sockets (over 60 characters): $DIR"
    [[ $DIR != *[[:space:],#]* ]] || die "no spaces, commas or # in the directory name, please: $DIR"

    # Never take over a directory that has something else in it.
    if [[ ! -e $DIR/.slurm_sandbox && -n $(ls -A "$DIR" 2>/dev/null) ]]; then
        die "$DIR is not empty, and not a directory of $PROG"
    fi
    mkdir -p "$DIR"
    : >"$DIR/.slurm_sandbox"
    lock

    if all_up; then
        say "already running in $DIR"
    else
        end_all                         # remains of a cluster that half died
        rm -f "$DIR"/run/*.pid          # ours, and stale by now
        write_conf
        start_munged || fail munged
        start_slurmctld || fail slurmctld
        for n in $(node_names); do
            start_slurmd "$n" || fail "slurmd.$n"
        done
    fi

    export SLURM_CONF=$DIR/slurm.conf
    end=$((SECONDS + WAIT))
    for ((i = 0; ; i++)); do
        states=$(timeout 5 sinfo -h -N -o %T 2>/dev/null | sort -u) || states=
        # A cluster that was found running may well be busy.
        [[ -n $states ]] && ! grep -qvE '^(idle|mixed|allocated|completing)$' <<<"$states" && break
        # Daemons report some errors only after they went to the background.
        if ((i >= 10)); then
            for n in munged slurmctld $(node_names | sed 's/^/slurmd./'); do
                pid_of "$n" >/dev/null || fail "$n"
            done
        fi
        if ((SECONDS >= end)); then
            tail -n 10 "$DIR/log/slurmctld.log" >&2 || true
            end_all
            die "nodes are not idle after $WAIT s, but: ${states//$'\n'/ }"
        fi
        sleep 0.2
    done
    say "$(node_names | wc -l) nodes up in $DIR"
    print_exports
}

cmd_stop() {
    local pid jobs end
    [[ -e $DIR/.slurm_sandbox ]] || { say "nothing of $PROG in $DIR"; return 0; }
    lock

    # Jobs first: their processes would outlive the daemons.  scancel means
    # SIGTERM, and SIGKILL after KillWait.
    if pid_of munged >/dev/null && pid_of slurmctld >/dev/null; then
        export SLURM_CONF=$DIR/slurm.conf
        end=$((SECONDS + 15 + $(sed -n 's/^KillWait=//p' "$SLURM_CONF")))
        while ((SECONDS < end)); do
            jobs=$(timeout 5 squeue -h -o %A -t PD,R,S,CG,CF 2>/dev/null | sort -un) || break
            [[ -n $jobs ]] || break
            # Again and again: new ones may come while we wait.
            # shellcheck disable=SC2086
            timeout 5 scancel -Q $jobs 2>/dev/null || true
            sleep 0.5
        done
    fi
    end_all
    # Only if a slurmd had died before: steps that nobody ended.
    for pid in $(step_pids); do
        end_pid "$pid" 2
    done
    say "stopped; files are left in $DIR"
}

main() {
    local cmd=${1:-}
    DIR=${2:?}
    DIR=$(realpath -m -- "$DIR")
    # The daemons are in /usr/sbin, which is not on everybody's PATH.
    PATH=$PATH:/usr/sbin:/sbin
    case $cmd in
        start) cmd_start ;;
        stop) cmd_stop ;;
        *) die 'expected start DIR or stop DIR' ;;
    esac
}

main "$@"
