"""The recipe of Smith et al. 2022 as a named recipe: what ours is compared with, nothing else."""
