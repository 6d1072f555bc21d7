"""The gateway: owns the notebook documents, speaks to browsers and to one kernel per open notebook."""
