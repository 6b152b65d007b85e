#!/usr/bin/env bash
# Trains a GenRM with verl on one node or many: GRPO with the hybrid reward (Eq. 4) and the paper's settings, those of
# recipes/qwen3-14b.yaml. Written for verl 0.9.1; docs/trainers/verl.md explains each block.
#
#   1. Everywhere:      pip install "verl[vllm]==0.9.1" "rationale-rm[judge]"
#   2. Judge:           vllm serve Qwen/Qwen3-30B-A3B-Instruct-2507 --port 8000     (a node of its own; JUDGE_URL below)
#   3. Data:            mkdir -p data, on a file system that all nodes see
#                       rationale-rm export --for verl PAIRS.jsonl data/train.parquet, and data/test.parquet alike
#   4. Several nodes:   ray start --head on the first, ray start --address=FIRST:6379 on the others, then here
#                       RAY_ADDRESS=auto NNODES=4 bash train_genrm.sh
#      One node:        bash train_genrm.sh
#
# Further arguments go to verl, and win: bash train_genrm.sh trainer.total_epochs=1
set -euo pipefail

MODEL=${MODEL:-Qwen/Qwen3-14B}
JUDGE=${JUDGE:-Qwen/Qwen3-30B-A3B-Instruct-2507}
JUDGE_URL=${JUDGE_URL:-http://127.0.0.1:8000/v1}
DATA=${DATA:-data}
OUTPUT=${OUTPUT:-runs/verl-qwen3-14b}
NNODES=${NNODES:-1}
GPUS=${GPUS:-8}

data=(
  data.train_files="$DATA/train.parquet"
  data.val_files="$DATA/test.parquet"
  data.train_batch_size=256
  data.max_prompt_length=8192
  data.max_response_length=12288
  data.filter_overlong_prompts=true
  +data.apply_chat_template_kwargs.enable_thinking=true
)

# The reward: any setting of RewardSettings may stand below reward_kwargs. Each of the 8 workers is a process with its own
# judge calls, so that 32 calls each are 256 in all; they share the cache file where they share a disk. What is not answered
# within the time budget is left out: a step that waits past ten minutes trips the watchdogs of collective operations.
reward=(
  reward.num_workers=8
  reward.custom_reward_function.path=pkg://rationale_rm.integrations.verl
  reward.custom_reward_function.name=compute_score
  +reward.custom_reward_function.reward_kwargs.judge="openai:$JUDGE@$JUDGE_URL"
  +reward.custom_reward_function.reward_kwargs.mode=product
  +reward.custom_reward_function.reward_kwargs.rationale=ap
  +reward.custom_reward_function.reward_kwargs.concurrency=32
  +reward.custom_reward_function.reward_kwargs.time_budget=300
)

# GRPO that leaves out answers whose judge failed, and stops where more than 5% of a step did. verl's processes import the
# module that registers it.
algorithm=(
  algorithm.adv_estimator=grpo_answered
  algorithm.norm_adv_by_std_in_grpo=true
  algorithm.use_kl_in_reward=false
  +ray_kwargs.ray_init.runtime_env.env_vars.VERL_USE_EXTERNAL_MODULES=rationale_rm.integrations.verl_advantages
)

# The paper's clip of 2e-4 is one of sequence ratios (GSPO): two updates of 128 prompts a rollout.
actor=(
  actor_rollout_ref.model.path="$MODEL"
  actor_rollout_ref.model.use_remove_padding=true
  actor_rollout_ref.model.enable_gradient_checkpointing=true
  actor_rollout_ref.actor.strategy=fsdp2
  actor_rollout_ref.actor.optim.lr=2e-6
  actor_rollout_ref.actor.ppo_mini_batch_size=128
  actor_rollout_ref.actor.use_dynamic_bsz=true
  actor_rollout_ref.actor.ppo_max_token_len_per_gpu=20480
  actor_rollout_ref.actor.policy_loss.loss_mode=gspo
  actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean
  actor_rollout_ref.actor.clip_ratio_low=2e-4
  actor_rollout_ref.actor.clip_ratio_high=2e-4
  actor_rollout_ref.actor.use_kl_loss=false
  actor_rollout_ref.actor.entropy_coeff=0
)

rollout=(
  actor_rollout_ref.rollout.name=vllm
  actor_rollout_ref.rollout.n=8
  actor_rollout_ref.rollout.temperature=1.0
  actor_rollout_ref.rollout.tensor_model_parallel_size=2
  actor_rollout_ref.rollout.gpu_memory_utilization=0.6
)

trainer=(
  trainer.nnodes="$NNODES"
  trainer.n_gpus_per_node="$GPUS"
  trainer.total_epochs=2
  trainer.test_freq=20
  trainer.save_freq=20
  trainer.val_before_train=true
  trainer.logger='["console","tensorboard"]'
  trainer.project_name=rationale-rm
  trainer.experiment_name="$(basename "$OUTPUT")"
  trainer.default_local_dir="$OUTPUT"
  trainer.rollout_data_dir="$OUTPUT/rollouts"
)

exec python -m verl.trainer.main_ppo \
  "${data[@]}" "${reward[@]}" "${algorithm[@]}" "${actor[@]}" "${rollout[@]}" "${trainer[@]}" "$@"
