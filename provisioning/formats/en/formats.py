"""How the admin site writes times: UTC, and saying so."""

DATETIME_FORMAT = "Y-m-d H:i:s \\U\\T\\C"
DATE_FORMAT = "Y-m-d"
