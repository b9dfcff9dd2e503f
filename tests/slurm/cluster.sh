# shellcheck shell=bash disable=SC2154
# For tests that need a real Slurm: one of our own on the loopback, of two nodes that are both this
# machine. Everything is in $B/slurm.<pid>, the daemons are this shell's children, and nothing of
# them is left when it ends. To be read behind tests/lib.sh.

PATH=$PATH:/usr/sbin:/sbin # where daemons are
cluster=$PWD/$B/slurm.$$
case $B in /*) cluster=$B/slurm.$$ ;; esac
# Sockets have names of at most 107 bytes.
[ ${#cluster} -le 60 ] || cluster=$TMP/slurm
daemons=() node_pid=()
export SLURM_CONF=$cluster/slurm.conf
# As root, as in a container, mpirun wants to be told that this is meant.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# A port that nobody listens on, by the kernel's own tables.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 30000))
        grep -qi ":$(printf %04X $port) " /proc/net/tcp /proc/net/tcp6 2>/dev/null || break
    done
    echo $port
}

# Jobs of two clusters at once must differ in their numbers: ranks share memory by names of these.
write_conf() {
    local host user
    host=$(hostname -s)
    user=$(id -un)
    cat >"$SLURM_CONF" <<CONF
ClusterName=qsvit-test
FirstJobId=$(($$ % 60000 * 1000 + 1))
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
SlurmctldPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.socket
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool-%n
SlurmctldPidFile=$cluster/slurmctld.pid
TmpFS=$cluster/tmp
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd-%n.log
SlurmctldDebug=verbose
SlurmdDebug=verbose
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=${KILL_WAIT:-30}
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=16 State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=16 State=UNKNOWN
PartitionName=normal Nodes=ALL Default=YES State=UP PriorityTier=1
PartitionName=grace Nodes=n1 State=UP PriorityTier=1 GraceTime=120
PartitionName=weak Nodes=n1 State=UP PriorityTier=1 PreemptMode=CANCEL
PartitionName=urgent Nodes=ALL State=UP PriorityTier=10 PreemptMode=OFF
CONF
}

# A daemon that ends with this shell, even where that is killed.
daemon() { # log, command...
    local log=$cluster/$1.out
    shift
    if command -v setpriv >/dev/null; then
        setpriv --pdeathsig KILL "$@" >>"$log" 2>&1 </dev/null &
    else
        "$@" >>"$log" 2>&1 </dev/null &
    fi
    daemons+=($!)
}

await() { # seconds, command...: until it succeeds
    local tries=$(($1 * 10))
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}

idle() {
    [ "$(sinfo -h -N -p normal -o %T | sort -u)" = idle ]
}

# Processes of jobs: Slurm's own, and what they started. All have our configuration's name in their
# environment; the daemons have it too.
job_processes() {
    local environ pid
    for environ in /proc/[0-9]*/environ; do
        pid=${environ#/proc/}
        pid=${pid%/environ}
        [ "$pid" = $$ ] || [ "$pid" = "$BASHPID" ] && continue
        [[ " ${daemons[*]:-} " == *" $pid "* ]] && continue
        grep -qz "^SLURM_CONF=$SLURM_CONF\$" "$environ" 2>/dev/null && echo "$pid"
    done
}

processes_of() { # job
    local pid
    for pid in $(job_processes); do
        if grep -qz "^SLURM_JOB_ID=$1\$" "/proc/$pid/environ" 2>/dev/null ||
            grep -q "^slurmstepd: \[$1\." "/proc/$pid/cmdline" 2>/dev/null; then
            echo "$pid"
        fi
    done
}

# What helps to see why a test has failed.
keep_logs() {
    local folder
    for folder in "$TMP"/*/; do
        [ -e "$folder/job.log" ] || continue
        mkdir -p "$cluster/runs/$(basename "$folder")"
        cp "$folder"/job.* "$cluster/runs/$(basename "$folder")"
    done
    echo "# the logs of Slurm and of the jobs are kept: $cluster"
}

ended() { # pid...
    local pid
    for pid; do
        ! kill -0 "$pid" 2>/dev/null || return 1
    done
}

# Within seconds, whatever goes on: daemons first, so that nothing new is started.
stop_cluster() {
    local pids
    [ ${#daemons[@]} -gt 0 ] || return 0
    kill "${daemons[@]}" 2>/dev/null
    await 3 ended "${daemons[@]}"
    kill -9 "${daemons[@]}" 2>/dev/null
    wait "${daemons[@]}" 2>/dev/null
    daemons=()
    while pids=$(job_processes); [ -n "$pids" ]; do
        # shellcheck disable=SC2086
        kill -9 $pids 2>/dev/null
        sleep 0.05
    done
    if [ $bad_tests = 0 ]; then
        rm -rf "$cluster"
    else
        keep_logs
    fi
}

start_node() { # n1
    daemon "slurmd-$1" slurmd -D -N "$1"
    node_pid[${1#n}]=${daemons[-1]}
}

# A node that dies with all that runs on it, a job of ours; Slurm would only notice in minutes.
lose_node() { # n1, job
    kill -9 "${node_pid[${1#n}]}"
    wait "${node_pid[${1#n}]}" 2>/dev/null
    # shellcheck disable=SC2046
    kill -9 $(processes_of "$2")
    scontrol update NodeName="$1" State=DOWN Reason=lost
}

return_node() { # n1, job
    # PMIx refuses to start the same step where it finds what a killed one has left.
    rm -rf "$cluster/tmp/spmix_appdir_"*"_$2".* "$cluster/spool-$1/"*pmix."$2".*
    start_node "$1"
    scontrol update NodeName="$1" State=RESUME
}

start_cluster() {
    trap 'stop_cluster; rm -rf "$TMP"' EXIT
    rm -rf "$cluster"
    mkdir -p "$cluster/state" "$cluster/tmp" "$cluster/spool-n1" "$cluster/spool-n2"
    head -c 1024 /dev/urandom >"$cluster/munge.key"
    chmod 400 "$cluster/munge.key"
    write_conf
    daemon munged munged --force --foreground --key-file="$cluster/munge.key" \
        --socket="$cluster/munge.socket" --pid-file="$cluster/munged.pid" \
        --log-file="$cluster/munged.own.log" --seed-file="$cluster/munge.seed"
    await 10 test -S "$cluster/munge.socket"
    daemon slurmctld slurmctld -D
    start_node n1
    start_node n2
    await 20 idle && return
    tail -n 5 "$cluster"/*.log | sed 's/^/# /'
    fail 'Slurm starts'
    finish
}

# --- jobs

state() { # job
    squeue -h --states=all -j "$1" -o %T 2>/dev/null
}

is() { # job, states...
    local now want
    now=$(state "$1")
    shift
    for want in "$@"; do
        [ "$now" = "$want" ] && return 0
    done
    return 1
}

over() {
    is "$1" COMPLETED FAILED CANCELLED TIMEOUT PREEMPTED NODE_FAIL ''
}

# A requeued job waits for two minutes, until nothing of its last start can get in its way. Here it
# is enough that its processes are gone, and credentials of the last second.
start_again() { # job
    await 60 is "$1" PENDING || return
    await 60 eval "[ -z \"\$(processes_of $1)\" ]" || return
    sleep 2
    scontrol update JobId="$1" StartTime=now
}

exit_code() { # job
    scontrol show job "$1" | sed -n 's/.*ExitCode=\([0-9]*\):.*/\1/p'
}
