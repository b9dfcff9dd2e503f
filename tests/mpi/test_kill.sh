#!/bin/bash
# A short soak, the same each time as far as the machine's speed allows: see tests/mpi/soak.sh.
KILLS=${QSV_TEST_KILLS:-20} SEED=${QSV_TEST_SEED:-1} exec tests/mpi/soak.sh
