#!/usr/bin/env bash
# Trains a GenRM with ms-swift to be right for the right reasons. Copy this page and change it.
#
#   rationale-rm export --for swift pairs.jsonl train.jsonl
#   MODEL=Qwen/Qwen3-1.7B DATA=train.jsonl examples/swift/train_genrm.sh
set -euo pipefail

# The reward: a JSON object of RewardSettings, or the path of a file with one.
export RATIONALE_RM_REWARD="${RATIONALE_RM_REWARD:-{\"judge\": \"openai:Qwen3-30B-A3B-Instruct-2507@http://127.0.0.1:8000/v1\", \"time_budget\": 300\}}"

# A process holds per_device_train_batch_size x gradient_accumulation_steps answers: a multiple of num_generations, so that
# the answers to a prompt lie in one process (docs/trainers/swift.md, "No answer").
swift rlhf \
    --rlhf_type grpo \
    --model "$MODEL" \
    --dataset "$DATA" \
    --external_plugins "$(dirname "$0")/plugin.py" \
    --reward_funcs rationale_async \
    --num_generations 8 \
    --per_device_train_batch_size 8 \
    --gradient_accumulation_steps 4 \
    --max_completion_length 2048 \
    --learning_rate 1e-6 \
    --beta 0 \
    --overlong_filter true \
    --torch_dtype bfloat16 \
    --output_dir runs/swift \
    "$@"
