#!/bin/sh
# The fault rig, short: at least 20 of each fault, nothing lost, nothing doubled. `make rig` is the long one.
exec "${BUILD:-build}/tests/rig/rig" --worker "${BUILD:-build}/tests/rig/worker" --posts 8000 --kills 20 --freezes 20 \
    --pg-kills 20 --seed "${WN_SEED:-1}"
