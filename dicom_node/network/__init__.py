"""Associations: listening, keeping, sending. Knows no image."""

from pynetdicom import _config

# Identifiers and data sets are patient data; pynetdicom must not put them into a log, whatever
# level somebody sets.
_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
