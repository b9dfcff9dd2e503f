#!/bin/bash
# shellcheck disable=SC2154,SC2317 # what stands for the lines that begin with #@
# A sweep as a Slurm job that goes on by itself through time limits, preemption and lost nodes.
# qsvit submit has written it; edit it as you like: sbatch takes it as it is.
#
#@ names
# A restart goes on in the same log; Slurm may put the job back into the queue (lost nodes,
# preemption); this script is told ahead of the time limit.
#SBATCH --open-mode=append
#SBATCH --requeue
#@ signal
# From the spec's scheduler section:
#@ resources

#@ variables

# Starts the ranks. job.yaml is the spec as it was submitted; how it ended is noted for this script,
# because a launcher's status may be that of a rank which it has killed itself.
noted=$run/job.status.${SLURM_JOB_ID:-0}
#@ launch

# Restarts so far: of this job, and of those that it is the successor of.
restarts=$((${SLURM_RESTART_COUNT:-0} + ${QSV_RESTARTED:-0}))

say() {
    echo "$(date '+%F %T') job ${SLURM_JOB_ID:-none}: $*"
}

# Asks the ranks to stop: they record what is finished and end with status 75, in seconds.
ranks='' signals=0
stop() { # why
    signals=$((signals + 1))
    say "$1: the ranks are asked to stop"
    [ -z "$ranks" ] || kill -USR1 "$ranks" 2>/dev/null || :
}
trap 'stop "the time limit is near"' USR1
trap 'stop "the job is being ended"' TERM # cancelled, preempted, or out of time

#@ setup
# The end: for qsvit status, and for a successor that is not needed any more.
finish() { # status
    echo "$1 ${SLURM_JOB_ID:-0}" >"$run/job.end"
    [ -z "$next" ] || scancel "$next" 2>/dev/null || :
    exit "$1"
}

# Whether it is for this script to go on: not where somebody has cancelled the job, nor where Slurm
# puts it back into the queue itself.
left_to_us() {
    local job='' try
    for try in 1 2 3 4 5; do
        job=$(scontrol show job "$SLURM_JOB_ID" 2>/dev/null) && break
        sleep "$try"
    done
    case $job in
    *JobState=RUNNING* | *Reason=TimeLimit* | *PreemptTime=[0-9]*) return 0 ;;
    esac
    return 1
}

# Back into the queue, under the same number. Slurm then ends this script: nothing comes after.
restart() { # status
    if [ "$restarts" -ge "$max_restarts" ]; then
        say "restarted $restarts times, and no more than $max_restarts are allowed:" \
            "submit it again to go on"
        finish "$1"
    elif [ -n "$next" ]; then
        say "job $next goes on"
    elif ! command -v scontrol >/dev/null; then
        say 'there is no scontrol to restart this job with: submit it again to go on'
        finish "$1"
    elif left_to_us; then
        say "back into the queue, restart $((restarts + 1))"
        trap '' TERM USR1
        scontrol requeue "$SLURM_JOB_ID" || finish "$1"
    else
        say 'the job was cancelled, or Slurm restarts it'
    fi
    exit "$1"
}

if [ -n "${QSV_RESTARTED:-}" ] && [ -e "$run/job.end" ]; then
    say 'the sweep has ended already'
    exit 0
fi
rm -f "$run/job.end"
grep -qsx "${SLURM_JOB_ID:-0}" "$run/job.id" || echo "${SLURM_JOB_ID:-0}" >>"$run/job.id"

# Where a node has no scontrol, a successor waits in the queue from the beginning.
next=''
if ! command -v scontrol >/dev/null && [ "$restarts" -lt "$max_restarts" ]; then
    if [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
        env -u SLURM_RESTART_COUNT sbatch --parsable --dependency=singleton \
            --export="ALL,QSV_RESTARTED=$((restarts + 1))" "$run/job.sh" >"$run/job.next" || :
    fi
    next=$(cut -d ';' -f 1 "$run/job.next" 2>/dev/null) || :
    if [ -n "$next" ]; then
        echo "$next" >>"$run/job.id"
        say "no scontrol on this node: job $next goes on where this one stops"
    fi
fi

say "restart $restarts on ${SLURM_JOB_NODELIST:-this machine}"
"$qsvit" headway "$run" "$restarts" || finish $? # not for ever, where nothing gets recorded
status=75 said=''
rm -f "$noted"
if [ $signals = 0 ]; then
    launch &
    ranks=$!
    [ $signals = 0 ] || kill -USR1 "$ranks" 2>/dev/null || : # one that came just before
    while :; do # a signal ends `wait` before the ranks have ended
        before=$signals status=0
        wait "$ranks" || status=$?
        [ "$before" != "$signals" ] || break
    done
    said=$(cat "$noted" 2>/dev/null) || :
    rm -f "$noted"
    say "the launcher has ended with status $status, qsvit with ${said:-none}"
fi

# What qsvit has noted counts: a number, or "begun" where it was ended before it could tell.
case $said in
[0-9]*) status=$said ;;
begun) # from outside, unless by a fault of its own, to which it would come again
    case $status in 132 | 134 | 135 | 136 | 139) ;; *) status=75 ;; esac
    ;;
*) # some end with 0, too, where they were kept from starting anything
    [ "$status" != 0 ] || status=75
    ;;
esac
case $status in
0 | 2 | 3 | 4) # the end, or nothing that another start would change
    finish "$status" ;;
75 | 137 | 253) # asked to stop; a rank was killed, or had no memory left
    restart "$status" ;;
*) # asked to stop, but before it could say so
    [ $signals = 0 ] || restart "$status"
    finish "$status" ;;
esac
