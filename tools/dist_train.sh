#!/usr/bin/env bash
# Train in several processes, one a GPU; on a machine without GPUs they run on
# the CPU with the gloo backend.
#
#   tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
#
# Environment: PORT (on one machine a free one unless it is set, else 29500),
# NNODES, NODE_RANK and MASTER_ADDR for several machines, PYTHON.
set -euo pipefail

if [ "$#" -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [options of tools/train.py]" >&2
    exit 2
fi
config=$1
gpus=$2
shift 2
# A name that begins with a dash is no option.
if [[ $config == -* ]]; then config=./$config; fi
tools=$(cd -- "$(dirname -- "$0")" && pwd)

if [ "${NNODES:-1}" = 1 ] && [ -z "${PORT:-}" ]; then
    rendezvous=(--standalone --local_addr=127.0.0.1)
else
    if [ "${NNODES:-1}" != 1 ] && [ -z "${MASTER_ADDR:-}" ]; then
        echo "$0: NNODES=$NNODES needs MASTER_ADDR, the address of the" \
            "machine with NODE_RANK=0" >&2
        exit 2
    fi
    rendezvous=(
        --node_rank="${NODE_RANK:-0}"
        --master_addr="${MASTER_ADDR:-127.0.0.1}"
        --master_port="${PORT:-29500}"
    )
fi

PYTHONPATH="$(dirname -- "$tools")${PYTHONPATH:+:$PYTHONPATH}" \
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    "${rendezvous[@]}" \
    --nproc_per_node="$gpus" \
    "$tools/train.py" "$config" --launcher pytorch "$@"
