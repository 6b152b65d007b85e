"""Training a GenRM with GRPO: recipes, plans, and the loop.

`recipe` says what to train and needs pydantic and PyYAML; `plan` reckons what a recipe will take without training;
`loop` trains, and needs torch. Nothing is loaded here.
"""
