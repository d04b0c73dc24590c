"""The 3D U-Net: network, learning, prediction. torch lives here and nowhere else."""
