#!/bin/bash
# Sweeps as jobs of a real Slurm, through every interruption: each ends with the result of an
# undisturbed one.
. tests/lib.sh
. tests/mpi/sweep.sh
. tests/slurm/cluster.sh

for tool in sbatch slurmctld slurmd munged; do
    if ! command -v $tool >/dev/null; then
        skip 'sweeps in Slurm' "$tool is missing: apt-get install slurm-wlm munge"
        finish
    fi
done
start_cluster

# A spec for a job; more lines of its scheduler section may follow.
job_spec() { # name, lines
    local file
    file=$(granularity=layer sensitivity_images=96 ranks=0 spec "$1")
    printf 'scheduler:\n  ranks_per_node: 3\n  signal_lead_s: 10\n' >>"$file"
    printf '  %s\n' "${@:2}" >>"$file"
    echo "$file"
}

submit() { # name, lines: $job is its number
    run "$QSVIT" submit -c "$(job_spec "$@")"
    job=$(printf '%s\n' "$out" | sed -n 's/^job  *//p')
    [ -n "$job" ] || fail "$1 is submitted" "$err"
}

recording() { # name, attempt, how many segments
    [ "$(last_segment "$TMP/$1" "$2")" -ge "$3" ]
}

# Of a job's processes those that compute: rank 0 is not among them.
workers() { # job
    local pid
    for pid in $(pgrep -x qsvit); do
        grep -qz "^SLURM_JOB_ID=$1\$" "/proc/$pid/environ" 2>/dev/null || continue
        grep -qzE '^(PMIX|OMPI_COMM_WORLD)_RANK=[1-9]' "/proc/$pid/environ" && echo "$pid"
    done
}

log_of() { # name
    cat "$TMP/$1/job.log" 2>/dev/null
}

logged() { # name, text
    log_of "$1" | grep -qF "$2"
}

equal() { # what, name
    run "$QSVIT" diff "$TMP/whole" "$TMP/$2"
    if [ "$status" = 0 ]; then
        pass "$1: the result is the same"
    else
        fail "$1: the result is the same" "$out" "$err" "$(log_of "$2" | tail -n 20)"
    fi
}

completed() { # what, name, job
    await 120 over "$3"
    same "$1: the job completes" COMPLETED "$(state "$3")"
    equal "$1" "$2"
}

# Whatever stopped it: it is in the queue again, and goes on.
resumed() { # what, name, job
    start_again "$3"
    completed "$1" "$2" "$3"
    same "$1: it went on from what was recorded" 1 \
        "$(log_of "$2" | grep -cE 'attempt 2, [1-9][0-9]* records so far')"
}

run "$QSVIT" run "$(granularity=layer sensitivity_images=96 ranks=3 spec whole)"
same 'an undisturbed run' 0 "$status"

# --- A time limit, of one minute, which is the shortest: workers are halted in the middle of the
# sweep until it is near, so that nobody has to compute for so long. Meanwhile the others run.
submit limit 'launcher: srun' 'time: 1' 'sbatch_options: [--nodelist=n2]'
limit=$job
await 60 recording limit 1 3
halted=$(workers "$limit")
# shellcheck disable=SC2086
kill -STOP $halted
same 'time limit: it is in the middle of the sweep' '' \
    "$(logged limit selected && echo 'it is through already')"

# --- From submission to completion, and what can be seen on the way.
submit plain 'launcher: srun' 'setup: ["export GREETING=hello", "echo $GREETING"]'
await 60 recording plain 1 1
run "$QSVIT" status "$job"
same 'status: works while it runs' 0 "$status"
holds 'status: the queue' "job        $job RUNNING on n"
holds 'status: the ranks' 'workers    2 of 2 alive'
holds 'status: who holds it' 'state      running, by process'
run "$QSVIT" submit -c "$TMP/plain.yaml"
same 'a second submit is refused' 2 "$status"
same 'a second submit is told by whom' "qsvit: $TMP/plain: job $job of this run is RUNNING already" "${err% (*}"
# Behind its back, as by somebody else's sbatch.
second=$(sbatch --parsable --output="$TMP/second.log" "$TMP/plain/job.sh")
await 60 over "$second"
same 'a second job ends with status 2' 2 "$(exit_code "$second")"
same 'a second job says who holds the run: host, process, job' 1 \
    "$(grep -cE "^qsvit: .*this run is held by process [0-9]+ on host [^ ]+, job $job, since" "$TMP/second.log")"
completed 'submit' plain "$job"
run "$QSVIT" logs "$job"
holds 'logs: what it printed' 'selected: '
holds 'logs: setup lines came first' hello
run "$QSVIT" status "$TMP/plain"
holds 'status: complete' 'state      complete'
holds 'status: how it ended' "job        $job COMPLETED; the sweep ended with status 0"

# --- Somebody puts the job back into the queue.
submit requeue 'launcher: srun'
await 60 recording requeue 1 3
scontrol requeue "$job"
resumed 'scontrol requeue' requeue "$job"

# --- Cancelled in the middle of it: it stays so, and what is recorded stays too.
submit cancel 'launcher: srun'
await 60 recording cancel 1 3
run "$QSVIT" cancel "$TMP/cancel"
holds 'cancel: says what it does' "job $job, which was RUNNING, is cancelled"
await 60 over "$job"
await 60 logged cancel 'the job was cancelled, or Slurm restarts it'
same 'cancel: the job is cancelled, not requeued' CANCELLED "$(state "$job")"
same 'cancel: nobody holds the run' '' "$(ls "$TMP/cancel/lock" 2>/dev/null)"
run "$QSVIT" status "$TMP/cancel"
holds 'cancel: the run was asked to stop' 'state      ended: SIG'
submit cancel 'launcher: srun'
completed 'cancel, submitted again' cancel "$job"
same 'cancel, submitted again: from what was recorded' 1 \
    "$(log_of cancel | grep -cE 'attempt 2, [1-9][0-9]* records so far')"

# --- A rank is killed, as for want of memory.
submit kill 'launcher: srun'
await 60 recording kill 1 3
# shellcheck disable=SC2046
kill -9 $(workers "$job" | tail -n 1)
resumed 'a killed rank' kill "$job"
same 'a killed rank: the job restarted itself' 1 "$(log_of kill | grep -c 'back into the queue, restart 1$')"

# --- Preempted by a job of a higher priority: Slurm requeues it, or leaves it time, or cancels it.
preempt() { # name, partition
    submit "$1" 'launcher: srun' "partition: $2" 'sbatch_options: [--nodelist=n1]'
    await 60 recording "$1" 1 3
    urgent=$(sbatch --parsable -p urgent -w n1 -n 16 -o /dev/null --wrap 'sleep 3')
    await 60 is "$urgent" RUNNING COMPLETED
    await 60 over "$urgent"
    resumed "preempted ($2)" "$1" "$job"
}
preempt preempt normal
preempt preempt_grace grace
preempt preempt_cancel weak

# --- The same signal without a preemption, to all that belongs to the job.
submit term 'launcher: srun'
await 60 recording term 1 3
scancel --signal=TERM --full "$job"
resumed 'TERM to everything' term "$job"

# --- Other ways to start ranks.
submit mpirun 'launcher: mpirun'
await 60 recording mpirun 1 3
scancel --signal=USR1 --batch "$job"
resumed 'mpirun, asked to stop' mpirun "$job"
submit local 'launcher: local'
await 60 recording local 1 3
scancel --signal=USR1 --batch "$job"
resumed 'local, asked to stop' local "$job"

# --- By now the time limit of the first one is near, or it waits for us already.
await 90 logged limit 'the time limit is near'
same 'time limit: the script is told ahead of it' 1 "$(log_of limit | grep -c 'the time limit is near')"
# shellcheck disable=SC2086
kill -CONT $halted
resumed 'time limit' limit "$limit"
same 'time limit: the job restarted itself' 1 "$(log_of limit | grep -c 'back into the queue, restart 1$')"

# --- A job that records nothing, time and again: somebody asks it to stop before it can.
submit vain 'launcher: srun' 'setup: ["kill -USR1 $$"]'
start_again "$job"
await 60 logged vain 'restart 1 on'
start_again "$job"
await 60 over "$job"
same 'in vain: it ends, with a status of its own' 4 "$(exit_code "$job")"
same 'in vain: it says why' 1 "$(log_of vain | grep -c '^qsvit: .*the last 2 starts of this job have recorded nothing')"

# --- No scontrol where the job runs: a successor waits from the beginning.
mkdir "$TMP/bin"
for tool in bash cut date env rm sleep sbatch scancel srun; do
    ln -s "$(command -v $tool)" "$TMP/bin/$tool"
done
submit next 'launcher: srun' "setup: ['PATH=$TMP/bin']"
await 60 recording next 1 3
next=$(tail -n 1 "$TMP/next/job.id")
same 'no scontrol: a successor waits' 'PENDING Dependency' "$(squeue -h -j "$next" -o '%T %r')"
scancel --signal=USR1 --batch "$job"
await 60 over "$job"
completed 'no scontrol' next "$next"
same 'no scontrol: no job is left' '' "$(squeue -h -n qsvit-next -t all -o '%i %T' | grep -vE 'COMPLETED|FAILED|CANCELLED')"

# --- A node is lost, and the lock that its job has left names another host.
submit node 'launcher: srun' 'sbatch_options: [--nodelist=n1]'
await 60 recording node 1 3
# shellcheck disable=SC2046
kill -9 $(job_processes)
sed -i 's/^qsvit host [^ ]*/qsvit host elsewhere/' "$TMP/node/lock"
await 60 eval '! is $job RUNNING COMPLETING'
submit node 'launcher: srun'
completed 'a lost node' node "$job"
same 'a lost node: its lock is seen to be left over' 1 "$(log_of node | grep -c 'its lock was left by Slurm job [0-9]* on elsewhere, which is over')"

# --- Programs that are no ranks of one job: a wrong --mpi.
for mpi in none pmi2 pmix_v1; do
    run "$QSVIT" submit -c "$(job_spec apart 'launcher: srun' "mpi: $mpi")"
    same "mpi: $mpi is refused by submit" 2 "$status"
    same "mpi: $mpi, naming the key" 1 "$(printf '%s\n' "$err" | grep -c "scheduler.mpi: found '$mpi'")"
done
run "$QSVIT" submit -c "$(job_spec apart 'launcher: srun')" --dry-run
mkdir "$TMP/apart"
cp "$TMP/apart.yaml" "$TMP/apart/job.yaml"
printf '%s\n' "$out" | sed 's/--mpi=pmix/--mpi=none/' >"$TMP/apart/job.sh"
job=$(sbatch --parsable "$TMP/apart/job.sh")
await 60 over "$job"
same 'started apart: status 2' 2 "$(exit_code "$job")"
same 'started apart: said once, naming the key' 1 \
    "$(log_of apart | grep -c '^qsvit: the launcher has started 3 programs.*scheduler.mpi')"
same 'started apart: no file was touched' '' "$(ls -d "$TMP/apart/results.h5" "$TMP/apart/segments" "$TMP/apart/lock" 2>/dev/null)"

# --- What Slurm refuses is said in its words.
run "$QSVIT" submit -c "$(job_spec refused 'launcher: srun' 'partition: nowhere')"
same 'an unknown partition: status 2' 2 "$status"
same "an unknown partition: Slurm's words" 1 "$(printf '%s\n' "$err" | grep -c 'invalid partition specified: nowhere')"
run "$QSVIT" submit -c "$(job_spec refused 'launcher: srun' 'sbatch_options: [--no-such]')" --dry-run
same "an unknown option: Slurm's words" 1 "$(printf '%s\n' "$err" | grep -c "unrecognized option '--no-such'")"

# --- A folder whose name means something to shells, to sbatch and to its file names.
odd="it's a \"100%j\" \$HOME #1 & co"
file=$(job_spec odd 'launcher: srun' "sbatch_options: ['--comment=it''s \"odd\" # 1']")
run "$QSVIT" submit -c "$file" --run "$TMP/$odd"
job=$(printf '%s\n' "$out" | sed -n 's/^job  *//p')
await 120 over "${job:-0}"
same 'an odd folder: the job completes' COMPLETED "$(state "${job:-0}")"
same 'an odd folder: everything is in it' '' "$([ -s "$TMP/$odd/results.h5" ] && [ -s "$TMP/$odd/job.log" ] || ls "$TMP")"

stop_cluster
same 'no process is left' '' "$(job_processes)"
finish
