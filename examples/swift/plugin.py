"""Makes ``--reward_funcs rationale`` and ``rationale_async`` known to ms-swift; examples/swift/train_genrm.sh uses it.

What the reward is stands in RATIONALE_RM_REWARD: a JSON object, or the path of a JSON or YAML file with one.
"""

from rationale_rm.integrations.swift import register

register()
