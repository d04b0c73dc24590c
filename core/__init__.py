"""The shared kernel: what every room speaks about. No DICOM, no torch, no Flask."""
