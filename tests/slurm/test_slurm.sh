#!/bin/bash
# Sweeps as jobs of a real Slurm, through every interruption: each ends with the result of an
# undisturbed one. Scenarios are the functions below whose names begin with "t_"; arguments choose
# some of them: tests/slurm/test_slurm.sh submit cancel
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

# Of a start that is to be disturbed: with the slowest kernels it takes a quarter of a minute of
# computing, so that it is in the middle of the sweep when it is.
slowly='setup: ["[ ${SLURM_RESTART_COUNT:-0} != 0 ] || export QSV_ISA=scalar"]'

submit() { # name, lines: $job is its number
    run "$QSVIT" submit -c "$(job_spec "$@")"
    job=$(printf '%s\n' "$out" | sed -n 's/^job  *//p')
    [ -n "$job" ] || fail "$1 is submitted" "$err"
}

recording() { # name
    [ "$(last_segment "$TMP/$1" 1)" -ge 3 ]
}

# A job that has come to the middle of its sweep.
submit_and_wait() { # name, lines
    submit "$@"
    await 60 recording "$1" || fail "$1 records something" "$(state "$job")" "$(log_of "$1" | tail -n 5)"
}

# Of a job's processes those that compute: rank 0 is not among them.
workers() { # job
    local pid
    for pid in $(processes_of "$1"); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = qsvit ] || continue
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
    same "$1: the sweep's end is noted" "0 $3" "$(cat "$TMP/$2/job.end" 2>/dev/null)"
    equal "$1" "$2"
}

# Whatever stopped it: it is in the queue again, and goes on.
resumed() { # what, name, job
    start_again "$3" || fail "$1: it is in the queue again" "$(state "$3")"
    completed "$1" "$2" "$3"
    same "$1: it went on from what was recorded" 1 \
        "$(log_of "$2" | grep -cE 'attempt 2, [1-9][0-9]* records so far')"
}

# A time limit, of one minute, which is the shortest. Workers are halted in the middle of the sweep
# until it is near, so that nobody has to compute for so long; the other scenarios run meanwhile.
begin_limit() {
    submit_and_wait limit 'launcher: srun' 'time: 1' 'sbatch_options: [--nodelist=n2]' "$slowly"
    limit=$job
    halted=$(workers "$limit")
    # shellcheck disable=SC2086
    kill -STOP $halted
    same 'time limit: it is in the middle of the sweep' '' \
        "$(logged limit selected && echo 'it is through already')"
}

t_limit() {
    await 120 logged limit 'the time limit is near'
    # shellcheck disable=SC2086
    kill -CONT $halted
    resumed 'time limit' limit "$limit"
    same 'time limit: the script was told ahead of it' 1 "$(log_of limit | grep -c 'the time limit is near')"
    same 'time limit: the job restarted itself' 1 "$(log_of limit | grep -c 'back into the queue, restart 1$')"
}

# From submission to completion, and what can be seen on the way.
t_submit() {
    submit_and_wait plain 'launcher: srun' 'setup: ["export QSV_ISA=scalar", "echo setup $QSV_ISA"]'
    run "$QSVIT" status "$job"
    same 'status: works while it runs' 0 "$status"
    holds 'status: the queue' "job        $job RUNNING on n"
    holds 'status: the ranks' 'workers    2 of 2 alive'
    holds 'status: who holds it' 'state      running, by process'
    run "$QSVIT" submit -c "$TMP/plain.yaml"
    same 'a second submit is refused' 2 "$status"
    same 'a second submit is told by whom' \
        "qsvit: $TMP/plain: job $job of this run is RUNNING already" "${err% (*}"
    # Behind its back, as by somebody else's sbatch.
    second=$(sbatch --parsable --output="$TMP/second.log" "$TMP/plain/job.sh")
    await 60 over "$second"
    same 'a second job ends with status 2' 2 "$(exit_code "$second")"
    same 'a second job says who holds the run: host, process, job' 1 \
        "$(grep -cE "^qsvit: .*this run is held by process [0-9]+ on host [^ ]+, job $job, since" "$TMP/second.log")"
    await 120 over "$job"
    same 'submit: the job completes' COMPLETED "$(state "$job")"
    equal submit plain
    run "$QSVIT" logs "$job"
    holds 'logs: what it printed' 'selected: '
    holds 'logs: setup lines came first' 'setup scalar'
    run "$QSVIT" status "$TMP/plain"
    holds 'status: complete' 'state      complete'
    holds 'status: how it ended' "job        $job COMPLETED; the sweep ended with status 0"
}

# Somebody puts the job back into the queue.
t_requeue() {
    submit_and_wait requeue 'launcher: srun' "$slowly"
    scontrol requeue "$job"
    resumed 'scontrol requeue' requeue "$job"
}

# Cancelled in the middle of it: it stays so, and what is recorded stays too.
t_cancel() {
    submit_and_wait cancel 'launcher: srun' "$slowly"
    cp "$TMP/cancel/lock" "$TMP/lock"
    run "$QSVIT" cancel "$TMP/cancel"
    holds 'cancel: says what it does' "job $job, which was RUNNING, is cancelled"
    await 60 over "$job"
    await 60 logged cancel 'the job was cancelled, or Slurm restarts it'
    same 'cancel: the job is cancelled, not requeued' CANCELLED "$(state "$job")"
    gone=$job
    # As if its node had died with it: the lock is left, and names another host.
    sed 's/^qsvit host [^ ]*/qsvit host elsewhere/' "$TMP/lock" >"$TMP/cancel/lock"
    submit cancel 'launcher: srun'
    completed 'cancel, submitted again' cancel "$job"
    same 'cancel, submitted again: from what was recorded' 1 \
        "$(log_of cancel | grep -cE 'attempt 2, [1-9][0-9]* records so far')"
    same 'a lock that a dead job has left is recognised' 1 \
        "$(log_of cancel | grep -c "its lock was left by Slurm job $gone on elsewhere, which is over")"
}

# A rank is killed, as for want of memory.
t_kill() {
    submit_and_wait kill 'launcher: srun' "$slowly"
    kill -9 "$(workers "$job" | tail -n 1)"
    resumed 'a killed rank' kill "$job"
    same 'a killed rank: the job restarted itself' 1 "$(log_of kill | grep -c 'back into the queue, restart 1$')"
}

# A node dies and comes back: Slurm requeues the job itself.
t_node() {
    submit_and_wait node 'launcher: srun' 'sbatch_options: [--nodelist=n1]' "$slowly"
    lose_node n1 "$job"
    sed -i 's/^qsvit host [^ ]*/qsvit host elsewhere/' "$TMP/node/lock"
    return_node n1 "$job"
    resumed 'a lost node' node "$job"
}

# Preempted by a job of a higher priority: Slurm requeues it, or leaves it time, or cancels it.
preempt() { # name, partition
    submit_and_wait "$1" 'launcher: srun' "partition: $2" 'sbatch_options: [--nodelist=n1]' "$slowly"
    urgent=$(sbatch --parsable -p urgent -w n1 -N 1 --exclusive -o /dev/null --wrap 'sleep 1')
    await 60 is "$job" PENDING
    await 60 over "$urgent"
    resumed "preempted ($2)" "$1" "$job"
}

t_preempt_requeue() { preempt preempt_requeue normal; }
t_preempt_grace() {
    preempt preempt_grace grace
    same 'preempted (grace): the ranks stopped by themselves' 1 \
        "$(log_of preempt_grace | grep -c 'qsvit with 75$')"
}
t_preempt_cancel() { preempt preempt_cancel weak; }

# The same signal without a preemption, to all that belongs to the job.
t_term() {
    submit_and_wait term 'launcher: srun' "$slowly"
    scancel --signal=TERM --full "$job"
    resumed 'TERM to everything' term "$job"
}

# Other ways to start ranks.
t_mpirun() {
    submit_and_wait mpirun 'launcher: mpirun' "$slowly"
    scancel --signal=USR1 --batch "$job"
    resumed 'mpirun, asked to stop' mpirun "$job"
    same 'mpirun, asked to stop: the ranks said so' 1 "$(log_of mpirun | grep -c 'qsvit with 75$')"
}
t_mpirun_term() {
    submit_and_wait mpirun_term 'launcher: mpirun' "$slowly"
    scancel --signal=TERM --full "$job"
    resumed 'mpirun, TERM to everything' mpirun_term "$job"
}
t_mpirun_kill() {
    submit_and_wait mpirun_kill 'launcher: mpirun' "$slowly"
    kill -9 "$(workers "$job" | tail -n 1)"
    resumed 'mpirun, a killed rank' mpirun_kill "$job"
}
t_local() {
    submit_and_wait local 'launcher: local' "$slowly"
    scancel --signal=USR1 --batch "$job"
    resumed 'local, asked to stop' local "$job"
}

# A job that fails by itself, which the launcher makes more of: it must not be restarted.
t_fail() {
    submit fail 'launcher: srun' 'setup: ["export QSV_FAULT=rename:20"]'
    await 60 over "$job"
    same 'a failure of its own: the job has failed' 'FAILED 1' "$(state "$job") $(exit_code "$job")"
    same 'a failure of its own: once' 0 "$(log_of fail | grep -c 'back into the queue')"
}

# A job that records nothing, time and again: somebody asks it to stop before it can.
t_vain() {
    submit vain 'launcher: srun' 'setup: ["kill -USR1 $$"]'
    start_again "$job"
    await 60 logged vain 'restart 1 on'
    start_again "$job"
    await 60 over "$job"
    same 'in vain: it ends, with a status of its own' 4 "$(exit_code "$job")"
    same 'in vain: it says why' 1 "$(log_of vain | grep -c '^qsvit: .*the last 2 starts of this job have recorded nothing')"
}

# No scontrol where the job runs: a successor waits from the beginning.
t_no_scontrol() {
    mkdir "$TMP/bin"
    for tool in bash cat cut date env grep rm sleep sbatch scancel srun; do
        ln -s "$(command -v $tool)" "$TMP/bin/$tool"
    done
    submit_and_wait next 'launcher: srun' \
        "setup: ['PATH=$TMP/bin', '[ -n \"\${QSV_RESTARTED:-}\" ] || export QSV_ISA=scalar']"
    next=$(tail -n 1 "$TMP/next/job.id")
    same 'no scontrol: a successor waits' 'PENDING Dependency' "$(squeue -h -j "$next" -o '%T %r')"
    scancel --signal=USR1 --batch "$job"
    await 60 over "$job"
    completed 'no scontrol' next "$next"
    same 'no scontrol: no job is left' '' \
        "$(squeue -h -n qsvit-next -t all -o '%i %T' | grep -vE 'COMPLETED|FAILED|CANCELLED')"
}

# Programs that are no ranks of one job: a wrong --mpi.
t_apart() {
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
    same 'started apart: no file of the run was touched' '' \
        "$(ls -d "$TMP/apart/results.h5" "$TMP/apart/segments" "$TMP/apart/lock" 2>/dev/null)"
}

# What Slurm refuses is said in its words.
t_refused() {
    run "$QSVIT" submit -c "$(job_spec refused 'launcher: srun' 'partition: nowhere')"
    same 'an unknown partition: status 2' 2 "$status"
    same "an unknown partition: Slurm's words" 1 \
        "$(printf '%s\n' "$err" | grep -c 'invalid partition specified: nowhere')"
    run "$QSVIT" submit -c "$(job_spec refused 'launcher: srun' 'sbatch_options: [--no-such]')" --dry-run
    same "an unknown option: Slurm's words" 1 \
        "$(printf '%s\n' "$err" | grep -c "unrecognized option '--no-such'")"
}

# A folder whose name means something to shells, to sbatch and to its file names.
t_odd() {
    local odd="it's a \"100%j\" \$HOME #1 & co" file
    file=$(job_spec odd 'launcher: srun' "sbatch_options: ['--comment=it''s \"odd\" # 1']")
    run "$QSVIT" submit -c "$file" --run "$TMP/$odd"
    job=$(printf '%s\n' "$out" | sed -n 's/^job  *//p')
    await 120 over "${job:-0}"
    same 'an odd folder: the job completes' COMPLETED "$(state "${job:-0}")"
    same 'an odd folder: everything is in it' '' \
        "$([ -s "$TMP/$odd/results.h5" ] && [ -s "$TMP/$odd/job.log" ] || ls "$TMP")"
}

# Here, beside a Slurm that answers and inside one of its jobs.
t_doctor() {
    run "$QSVIT" doctor
    holds 'doctor: finds Slurm' 'ok    slurm   slurm '
    out=$(srun -n 1 --mpi=none "$QSVIT" doctor 2>&1)
    holds 'doctor: inside a step too' 'ok    slurm   slurm '
    run srun -n 2 --mpi=none --kill-on-bad-exit=1 "$QSVIT" run "$(ranks=2 spec alone)"
    same 'srun --mpi=none by hand: noticed' 1 \
        "$(printf '%s\n' "$err" | grep -c '^qsvit: the launcher has started 2 programs')"
    same 'srun --mpi=none by hand: nothing is written' '' "$(ls "$TMP/alone" 2>/dev/null)"
}

run "$QSVIT" run "$(granularity=layer sensitivity_images=96 ranks=3 spec whole)"
same 'an undisturbed run' 0 "$status"
if [ $# = 0 ]; then
    set -- submit requeue cancel kill node preempt_requeue preempt_grace preempt_cancel term \
        mpirun mpirun_term mpirun_kill local fail vain no_scontrol apart refused odd doctor limit
fi
case " $* " in *' limit '*) begin_limit ;; esac
for scenario; do
    began=$SECONDS
    "t_$scenario"
    echo "# $scenario: $((SECONDS - began)) s"
done

stop_cluster
same 'no process is left' '' "$(job_processes)"
finish
