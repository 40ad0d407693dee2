#!/bin/sh
# The checker is itself tested: without the fence it must report doubled rows; so must it see a lost verdict, an audit
# row that was changed and a chain head that was.
set -e
rig="${BUILD:-build}/tests/rig/rig --worker ${BUILD:-build}/tests/rig/worker --seed ${WN_SEED:-1}"
$rig --posts 3000 --plant verdict
$rig --posts 3000 --plant audit
$rig --posts 3000 --plant chain
# A worker that was frozen had not always a commit in hand: one of three runs has to meet one.
for seed in 1 2 3; do
    $rig --posts 12000 --freezes 15 --plant fence --seed $((${WN_SEED:-1} + seed)) && exit 0
done
exit 1
