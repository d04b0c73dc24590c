"""Dose on arrays: grids, mean dose, difference. No DICOM."""
