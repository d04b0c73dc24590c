"""What the paper reports (RootPainter3D): 933 hearts, one physician, Eclipse beside."""

from __future__ import annotations

CASES = 933
MANUAL_CASES = 20
MANUAL_S = 7 * 60 + 1  # mean of the hearts contoured in Eclipse
LAST_TEN_S = 2 * 60 + 2
BREAK_EVEN_CASE = 110  # "after around 110 images"
FIRST_DIFFERENCE_GY, LAST_DIFFERENCE_GY = 0.3, 0.12  # smoothed |mean dose difference|
LARGE_IN_LAST_THIRD = 4  # hearts with more than 1 Gy, "in the last 300"
# Table 1: mean and standard deviation of Dice.
MANUAL_PREDICTED = (0.945, 0.008)
MANUAL_CORRECTED = (0.952, 0.007)
PREDICTED_CORRECTED = (0.991, 0.005)
