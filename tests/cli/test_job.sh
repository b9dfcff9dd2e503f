#!/bin/bash
# qsvit submit, status, logs and cancel, and what the batch script does, with stand-ins for Slurm's
# commands: each notes how it was called in $TMP/calls. tests/slurm has the real ones.
. tests/lib.sh

mkdir "$TMP/bin" "$TMP/base"
for tool in bash sh cat cut date env grep rm sed sleep; do
    ln -s "$(command -v $tool)" "$TMP/base/$tool"
done
PATH_WAS=$PATH
slurm_path=$TMP/bin:$TMP/base # Slurm's commands, if they are there, must not be found
export TMP

stub() { # command, body
    printf '#!/bin/sh\necho "%s $*" >>"$TMP/calls"\n%s\n' "$1" "$2" >"$TMP/bin/$1"
    chmod +x "$TMP/bin/$1"
}

queue() { # what squeue answers for job 42: state, reason; without: it knows no job
    if [ $# = 0 ]; then
        stub squeue 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1'
    else
        stub squeue "printf '42\\037$1\\0371\\0370:10\\0379:50\\037N/A\\037n1\\037$2\\037%s\\n' \"\$TMP/r/job.sh\""
    fi
}

spec() { # more lines of the scheduler section
    cat >"$TMP/s.yaml" <<YAML
model: $PWD/tests/data/tiny.h5
dataset: {images: $PWD/tests/data/tiny_images.h5}
constraint: {max_top1_drop: 5}
run: r
scheduler:
  launcher: srun
  ranks_per_node: 3
  max_restarts: 5
$1
YAML
}

qsvit() {
    run env PATH="$slurm_path" "$QSVIT" "$@"
}

# As Slurm would: the environment, then the log's name.
job() { # NAME=VALUE...
    rm -f "$TMP/calls"
    run env -u SLURM_RESTART_COUNT PATH="$slurm_path" SLURM_JOB_ID=42 "$@" bash "$TMP/r/job.sh"
}

calls() { # of a command
    grep "^$1 " "$TMP/calls" 2>/dev/null
}

submitted() {
    rm -rf "$TMP/r"
    spec "${1:-}"
    qsvit submit -c "$TMP/s.yaml"
    [ "$status" = 0 ] || fail "submitted: ${1:-}" "$err"
}

stub sbatch 'echo 42'
stub srun '[ "$1" != --mpi=list ] || echo pmix none pmi2'
stub scontrol '[ "$1" != show ] || echo "JobState=${STATE:-RUNNING} PreemptTime=${PREEMPT:-None}"'
stub scancel ''
queue

# --- submit
submitted
holds 'submit: the number is shown' 'job        42'
holds 'submit: and how to follow it' 'qsvit logs -f 42'
same 'submit: sbatch gets the script' "sbatch --parsable $TMP/r/job.sh" "$(calls sbatch)"
same 'submit: the number is kept' 42 "$(cat "$TMP/r/job.id")"
same 'submit: the spec is kept' '' "$(cmp "$TMP/s.yaml" "$TMP/r/job.yaml" 2>&1)"
same 'submit: the script can be run' '' "$([ -x "$TMP/r/job.sh" ] || echo no)"
same 'submit: and is whole' '' "$(bash -n "$TMP/r/job.sh" 2>&1)"
qsvit status "$TMP/r"
holds 'status: nothing has begun' 'recorded   nothing yet'
holds 'status: of a job that Slurm does not know' 'job        42 is over, and forgotten by Slurm'

queue RUNNING None
qsvit submit -c "$TMP/s.yaml"
same 'submit: a second job is refused' 2 "$status"
same 'submit: with the first one by name' "qsvit: $TMP/r: job 42 of this run is RUNNING already (n1); qsvit cancel ends it" "$err"
qsvit status "$TMP/r"
holds 'status: running' 'job        42 RUNNING on n1 for 0:10, 9:50 left until its time limit'
queue PENDING Priority
qsvit status 42
holds 'status: by number, waiting' 'job        42 PENDING (Priority), expected to start: N/A'
qsvit status 42 --format json
holds 'status: as JSON' '"state": "PENDING"'
queue COMPLETED None
qsvit submit -c "$TMP/s.yaml"
same 'submit: goes on with a run whose job has ended' 0 "$status"

echo '# mine' >>"$TMP/r/job.sh"
qsvit submit -c "$TMP/s.yaml"
same 'submit: an edited script is not overwritten' 2 "$status"
same 'submit: and says what to do' "qsvit: $TMP/r/job.sh: was edited; submit it as it is with sbatch, or write it anew with --rewrite" "$err"
qsvit submit -c "$TMP/s.yaml" --rewrite
same 'submit: unless it may be' 0 "$status"
same 'submit: the edited one is kept' '# mine' "$(tail -n 1 "$TMP/r/job.sh.old")"

stub sbatch 'echo "sbatch: error: invalid partition specified: x" >&2; exit 1'
qsvit submit -c "$TMP/s.yaml"
same 'submit: what Slurm refuses: status' 2 "$status"
same 'submit: what Slurm refuses: its words' "qsvit: $TMP/r/job.sh: sbatch: error: invalid partition specified: x" "$err"
qsvit submit -c "$TMP/s.yaml" --dry-run
same 'submit: dry run: what Slurm refuses' 2 "$status"
stub sbatch 'echo 42'

spec '  mpi: pmix_v3'
qsvit submit -c "$TMP/s.yaml"
same 'submit: an unknown --mpi' "qsvit: $TMP/s.yaml:9: scheduler.mpi: found 'pmix_v3', this Slurm has (srun --mpi=list): pmix none pmi2" "$err"
spec '  launcher_options: [x]'
qsvit submit -c "$TMP/s.yaml"
same 'submit: a wrong spec' 2 "$status"
spec ''
sed -i 's,images.h5,images.h6,' "$TMP/s.yaml"
qsvit submit -c "$TMP/s.yaml"
same 'submit: a file that is missing' "qsvit: $TMP/s.yaml:2: dataset.images: $PWD/tests/data/tiny_images.h6: cannot read: No such file or directory" "$err"

rm -rf "$TMP/r"
spec ''
qsvit submit -c "$TMP/s.yaml" --dry-run
same 'submit: a dry run' 0 "$status"
holds 'submit: a dry run shows the script' '#SBATCH --ntasks-per-node=3'
same "submit: and writes nothing" "" "$([ ! -e "$TMP/r" ] || echo something)"
mv "$TMP/bin/sbatch" "$TMP/bin/sbatch.away"
qsvit submit -c "$TMP/s.yaml" --dry-run
same 'submit: a dry run needs no Slurm' 0 "$status"
qsvit submit -c "$TMP/s.yaml"
same 'submit: without Slurm' "qsvit: $TMP/r/job.sh: cannot start sbatch: there is no such command here" "$err"
mv "$TMP/bin/sbatch.away" "$TMP/bin/sbatch"

# --- the script, by what the ranks end with
queue
submitted
ends() { # name, status of the launcher, expected status, requeued or not, job.end, what qsvit noted
    stub srun "${6:+echo $6 >$TMP/r/job.status.42; }exit $2"
    job STATE="${STATE:-}" PREEMPT="${PREEMPT:-}"
    same "$1: status" "$3" "$status"
    same "$1: requeued" "$4" "$(calls scontrol | grep -q '^scontrol requeue 42$' && echo yes || echo no)"
    same "$1: the end is noted" "$5" "$(cat "$TMP/r/job.end" 2>/dev/null)"
}
ends 'complete' 0 0 no '0 42' 0
ends 'complete, but a rank hung' 1 0 no '0 42' 0
ends 'the launcher was kept from starting it' 0 75 yes ''
ends 'wrong spec' 2 2 no '2 42'
ends 'constraint not met' 3 3 no '3 42'
ends 'failed' 1 1 no '1 42'
ends 'crashed' 139 139 no '139 42'
ends 'ended while starting' 143 143 no '143 42'
ends 'asked to stop' 75 75 yes ''
ends 'a rank was killed' 137 137 yes ''
ends 'out of memory' 253 253 yes ''
ends 'stopped, by srun killed' 137 75 yes '' 75
ends 'stopped, by mpirun failed' 1 75 yes '' 75
ends 'failed, the others killed' 137 1 no '1 42' 1
ends 'wrong spec, the others killed' 137 2 no '2 42' 2
ends 'ended from outside, by mpirun failed' 1 75 yes '' begun
ends 'ended from outside, by mpirun terminated' 143 75 yes '' begun
ends 'a rank crashed' 139 139 no '139 42' begun
STATE=COMPLETING ends 'cancelled' 75 75 no ''
STATE=COMPLETING PREEMPT=2026-01-31T12:00:00 ends 'preempted' 75 75 yes ''
STATE='COMPLETING Reason=TimeLimit' ends 'out of time' 75 75 yes ''
job SLURM_RESTART_COUNT=5 STATE=RUNNING
same 'no more restarts than allowed' '' "$(calls 'scontrol requeue')"
stub srun 'exit 75'
rm -rf "$TMP/r/headway"
job SLURM_RESTART_COUNT=5
same 'restarted often enough: it ends' '75 42' "$(cat "$TMP/r/job.end")"
holds 'restarted often enough: it says so' 'no more than 5 are allowed'
same 'started as asked for' "srun --mpi=pmix --kill-on-bad-exit=1 $QSVIT run $TMP/r/job.yaml --paths-from $TMP --run $TMP/r --status-file $TMP/r/job.status.42" "$(calls srun)"

# The controller is away for a moment.
stub scontrol 'if [ "$1" = show ]; then [ -e "$TMP/away" ] && echo JobState=RUNNING || { : >"$TMP/away"; exit 1; }; fi'
job
same 'the controller is asked again' 'scontrol requeue 42' "$(calls scontrol | tail -n 1)"
stub scontrol '[ "$1" != show ] || echo "JobState=${STATE:-RUNNING}"'

# --- signals
signalled() { # name, signal, what srun does, expected status, requeued or not
    rm -f "$TMP/calls" "$TMP/ready" "$TMP/r/headway"
    stub srun "$3"
    env PATH="$slurm_path" SLURM_JOB_ID=42 bash "$TMP/r/job.sh" >"$TMP/.out" 2>"$TMP/.err" </dev/null &
    pid=$!
    until [ -e "$TMP/ready" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
    kill -s "$2" $pid
    wait $pid
    status=$?
    same "$1: status" "$4" "$status"
    same "$1: requeued" "$5" "$(calls scontrol | grep -q '^scontrol requeue 42$' && echo yes || echo no)"
}
loop='trap "exit 75" USR1; : >"$TMP/ready"; while :; do sleep 0.02; done'
signalled 'time limit' USR1 "$loop" 75 yes
signalled 'preemption' TERM "$loop" 75 yes
signalled 'asked to stop at its end' USR1 'trap "echo 0 >$TMP/r/job.status.42; exit 0" USR1; : >"$TMP/ready"; while :; do sleep 0.02; done' 0 no
signalled 'before it could say so' USR1 ': >"$TMP/ready"; exec sleep 100' 138 yes
signalled 'the launcher is ended, too' TERM 'trap "exit 1" USR1; : >"$TMP/ready"; while :; do sleep 0.02; done' 1 yes
# Slowly: the ranks take their time, and the wait must not end before them.
signalled 'slow ranks' USR1 'trap "sleep 0.5; : >$TMP/late; exit 75" USR1; : >"$TMP/ready"; while :; do sleep 0.02; done' 75 yes
same 'slow ranks: they were waited for' '' "$([ -e "$TMP/late" ] || echo no)"

# --- setup lines
stub srun 'exit 0'
submitted '  setup: ["set -eu", "MINE=yes; export MINE", "kill -USR1 $$"]'
stub srun 'exit 0'
job
same 'asked to stop before it began: requeued' 'scontrol requeue 42' "$(calls scontrol | tail -n 1)"
same 'asked to stop before it began: nothing was started' '' "$(calls srun)"
submitted '  setup: ["set -eu", "export MINE=yes"]'
stub srun 'echo "mine: $MINE"; exit 75'
job
holds 'setup lines come first' 'mine: yes'
same 'and may be strict' 'scontrol requeue 42' "$(calls scontrol | tail -n 1)"

# --- in vain
submitted
stub srun 'exit 75'
for n in 0 1; do
    job SLURM_RESTART_COUNT=$n
    same "in vain, restart $n" 75 "$status"
done
job SLURM_RESTART_COUNT=2
same 'in vain twice: status 4' 4 "$status"
same 'in vain twice: it says so' "qsvit: $TMP/r: the last 2 starts of this job have recorded nothing" "${err%%;*}"
same 'in vain twice: not requeued' '' "$(calls scontrol)"
same 'in vain twice: the end is noted' '4 42' "$(cat "$TMP/r/job.end")"

# --- without scontrol: a successor is in the queue from the beginning
submitted
mv "$TMP/bin/scontrol" "$TMP/bin/scontrol.away"
stub sbatch 'echo 43'
stub srun 'exit 75'
job
same 'no scontrol: a successor' "sbatch --parsable --dependency=singleton --export=ALL,QSV_RESTARTED=1 $TMP/r/job.sh" "$(calls sbatch)"
same 'no scontrol: both are noted' '42 43' "$(paste -s -d' ' "$TMP/r/job.id")"
same 'no scontrol: it goes on there' '' "$(cat "$TMP/r/job.end" 2>/dev/null)"
same 'no scontrol: status' 75 "$status"
job SLURM_RESTART_COUNT=1
same 'no scontrol: restarted by Slurm it has its successor already' '' "$(calls sbatch)"
holds 'no scontrol: which goes on' 'job 43 goes on'
rm -f "$TMP/r/headway"
stub srun 'echo 0 >"$TMP/r/job.status.42"'
job
same 'no scontrol: the successor is taken back at the end' 'scancel 43' "$(calls scancel)"
job QSV_RESTARTED=1
same 'no scontrol: and does nothing if it starts' '' "$(calls srun)$(calls sbatch)"
same 'no scontrol: and says so' 0 "$status"
stub sbatch 'echo "sbatch: error: no" >&2; exit 1'
stub srun 'exit 75'
rm -f "$TMP/r/job.end" "$TMP/r/headway"
job
holds 'neither scontrol nor sbatch: it says what to do' 'submit it again to go on'
same 'neither scontrol nor sbatch: the end is noted' '75 42' "$(cat "$TMP/r/job.end")"
mv "$TMP/bin/scontrol.away" "$TMP/bin/scontrol"

# --- logs and cancel
stub sbatch 'echo 42'
submitted
queue PENDING Resources
qsvit logs "$TMP/r"
same 'logs: not there yet' "qsvit: $TMP/r/job.log: is not there yet: job 42 is PENDING (Resources)" "$err"
printf 'one\ntwo\nthree\n' >"$TMP/r/job.log"
qsvit logs 42
same 'logs: all' 'one two three' "$(echo $out)"
qsvit logs 42 -n 2
same 'logs: the last two' 'two three' "$(echo $out)"
qsvit logs 42 -n 9
same 'logs: no more than there are' 'one two three' "$(echo $out)"
printf four >>"$TMP/r/job.log"
qsvit logs 42 -n 2
same 'logs: a line that has not ended yet counts' 'three four' "$(echo $out)"
(sleep 0.5; echo ' five' >>"$TMP/r/job.log"; queue COMPLETED None) &
qsvit logs -f -n 1 42
same 'logs: follows until the job is over' 'four five' "$(echo $out)"
wait
printf '2026 job 42: restart 1 on n1\nqsvit: /r: no room\n' >>"$TMP/r/job.log"
qsvit status 42
holds 'status: the last error' 'last error qsvit: /r: no room'

queue RUNNING None
rm -f "$TMP/calls"
qsvit cancel "$TMP/r"
same 'cancel: by folder' 'scancel 42' "$(calls scancel)"
holds 'cancel: says so' 'job 42, which was RUNNING, is cancelled'
stub scancel 'echo "scancel: error: Access/permission denied" >&2; exit 1'
qsvit cancel 42
same "cancel: Slurm's words" 'qsvit: scancel: error: Access/permission denied' "$err"
queue
qsvit cancel "$TMP/r"
holds 'cancel: nothing is there' "nothing is running or waiting for $TMP/r"
qsvit cancel 42
same 'cancel: a number that Slurm does not know' 2 "$status"
queue RUNNING None
sed -i 's,TMP/r/job.sh,TMP/other.sh,' "$TMP/bin/squeue"
qsvit cancel 42
same "cancel: somebody else's job is left alone" "qsvit: job 42 is none of qsvit submit: its script is '$TMP/other.sh'" "$err"

PATH=$PATH_WAS
finish
