"""DICOM objects to records and back. Knows no network."""
