"""The commands, a file for each group; each loads what it uses only when it runs."""
