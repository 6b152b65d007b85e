"""The reward in other trainers and engines: one module for each, over `RewardSettings` (docs/trainers.md)."""
