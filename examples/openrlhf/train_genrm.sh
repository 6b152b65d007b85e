#!/usr/bin/env bash
# Trains a GenRM with OpenRLHF: GRPO with the hybrid reward (Eq. 4) and the paper's settings, those of
# recipes/qwen3-14b.yaml. Written for OpenRLHF 0.11.2; docs/trainers/openrlhf.md explains each block.
#
#   1. pip install "openrlhf[vllm]==0.11.2" "rationale-rm[judge]"
#   2. vllm serve Qwen/Qwen3-30B-A3B-Instruct-2507 --port 8000        (GPUs of its own; reward.json names it)
#   3. mkdir -p data && rationale-rm export --for openrlhf PAIRS.jsonl data/train.jsonl
#   4. ray start --head, and ray start --address=FIRST:6379 on other nodes; then bash train_genrm.sh
#
# Further arguments go to OpenRLHF, and win.
set -euo pipefail

MODEL=${MODEL:-Qwen/Qwen3-14B}
DATA=${DATA:-$PWD/data}
OUTPUT=${OUTPUT:-$PWD/runs/openrlhf-qwen3-14b}
DASHBOARD=${DASHBOARD:-http://127.0.0.1:8265}
HERE=$(cd "$(dirname "$0")" && pwd)

# What Ray gives to the rollout processes; what is exported here would not reach them. Each judges for itself: 8 processes of
# at most 32 calls are 256 in all. reward.json bounds them in time: a step that waits past ten minutes can trip the watchdogs
# of collective operations.
ENVIRONMENT="{\"env_vars\": {\"RATIONALE_RM_REWARD\": \"$HERE/reward.json\", \"UNANSWERED\": \"drop\"}}"

# An answer whose judge failed is NaN, and the filter drops its group and takes the next prompt. The range keeps every group
# that has its rewards; "0 1" would also drop those in which all answers got 0 or all got 1.
reward=(
  --reward.remote_url "$HERE/reward.py"
  --algo.dynamic_filtering_enable
  --algo.dynamic_filtering_range -1000 1000
)

data=(
  --data.prompt_dataset "$DATA/train.jsonl"
  --data.input_key input
  --data.label_key label
  --data.apply_chat_template
  --data.max_len 20480
)

# The paper's clip of 2e-4 is one of sequence ratios (GSPO): two updates of 128 prompts of 8 answers a rollout.
algorithm=(
  --algo.advantage.estimator group_norm
  --actor.policy_loss_type gspo
  --actor.loss_agg_mode seq-mean-token-mean
  --actor.eps_clip_low_high 2e-4 2e-4
  --actor.adam.lr 2e-6
  --algo.kl.init_coef 0
  --rollout.batch_size 256
  --rollout.n_samples_per_prompt 8
  --rollout.max_new_tokens 12288
  --rollout.temperature 1.0
  --train.batch_size 1024
  --train.dynamic_batch_enable
  --train.max_tokens_per_gpu 20480
  --rollout.max_tokens_per_gpu 20480
  --train.num_episodes 2
)

devices=(
  --actor.model_name_or_path "$MODEL"
  --actor.num_nodes 1
  --actor.num_gpus_per_node 8
  --actor.gradient_checkpointing_enable
  --ds.zero_stage 3
  --ds.param_dtype bf16
  --ds.packing_samples
  --train.colocate_all
  --vllm.num_engines 8
  --vllm.tensor_parallel_size 1
  --vllm.gpu_memory_utilization 0.6
  --vllm.enable_sleep
  --ds.enable_sleep
  --ckpt.output_dir "$OUTPUT"
  --ckpt.path "$OUTPUT/checkpoints"
  --ckpt.save_steps 20
  --logger.tensorboard_dir "$OUTPUT/tensorboard"
)

exec ray job submit --address "$DASHBOARD" --runtime-env-json "$ENVIRONMENT" -- \
  python -m openrlhf.cli.train_ppo_ray "${reward[@]}" "${data[@]}" "${algorithm[@]}" "${devices[@]}" "$@"
