#!/usr/bin/env bash
# Test on a Slurm cluster.
#
#   tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT \
#       [options of tools/test.py]
#
# Environment: GPUS (4), GPUS_PER_NODE (at most 4), CPUS_PER_TASK (5),
# SRUN_ARGS, PORT (29500: another one for each job on a machine), PYTHON.
set -euo pipefail

if [ "$#" -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT" \
        "[options of tools/test.py]" >&2
    exit 2
fi
partition=$1
job_name=$2
config=$3
checkpoint=$4
shift 4
# A name that begins with a dash is no option.
if [[ $config == -* ]]; then config=./$config; fi
if [[ $checkpoint == -* ]]; then checkpoint=./$checkpoint; fi
gpus=${GPUS:-4}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 4 ? gpus : 4))}
# Options of srun: split at white space, never expanded.
read -r -a srun_args <<< "${SRUN_ARGS:-}"
tools=$(cd -- "$(dirname -- "$0")" && pwd)

if [ -n "${PORT:-}" ]; then export MASTER_PORT="$PORT"; fi
PYTHONPATH="$(dirname -- "$tools")${PYTHONPATH:+:$PYTHONPATH}" \
exec srun \
    --partition="$partition" \
    --job-name="$job_name" \
    --gres="gpu:$gpus_per_node" \
    --ntasks="$gpus" \
    --ntasks-per-node="$gpus_per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${srun_args[@]+"${srun_args[@]}"} \
    "${PYTHON:-python}" -u "$tools/test.py" "$config" "$checkpoint" \
    --launcher slurm "$@"
