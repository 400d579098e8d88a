#!/usr/bin/env bash
# Train in several processes, one a GPU; on a machine without GPUs they run on
# the CPU with the gloo backend.
#
#   tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
#
# Environment: PORT, NNODES, NODE_RANK, MASTER_ADDR, PYTHON.
set -euo pipefail

if [ "$#" -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [options of tools/train.py]" >&2
    exit 2
fi
config=$1
gpus=$2
shift 2
tools=$(cd -- "$(dirname -- "$0")" && pwd)

PYTHONPATH="$(dirname -- "$tools")${PYTHONPATH:+:$PYTHONPATH}" \
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$gpus" \
    "$tools/train.py" "$config" --launcher pytorch "$@"
