#!/usr/bin/env bash
# Train on a Slurm cluster.
#
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
#
# Environment: GPUS (4), GPUS_PER_NODE (at most 4), CPUS_PER_TASK (5),
# SRUN_ARGS, PORT (29500: another one for each job on a machine), PYTHON.
set -euo pipefail

if [ "$#" -lt 3 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [options of tools/train.py]" >&2
    exit 2
fi
partition=$1
job_name=$2
config=$3
shift 3
# A name that begins with a dash is no option.
if [[ $config == -* ]]; then config=./$config; fi
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
    "${PYTHON:-python}" -u "$tools/train.py" "$config" --launcher slurm "$@"
