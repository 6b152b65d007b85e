"""What ``--reward.remote_url`` names: the reward of `train_genrm.sh`, from the settings in ``RATIONALE_RM_REWARD``.

OpenRLHF looks for `reward_func` in this file, in each of its rollout processes. ``drop`` goes with
``--algo.dynamic_filtering_enable``; without that option leave it at ``stop`` (docs/trainers/openrlhf.md).
"""

import os

from rationale_rm.integrations.openrlhf import openrlhf_reward

reward_func = openrlhf_reward(unanswered=os.environ.get("UNANSWERED", "stop"))
