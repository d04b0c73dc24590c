"""What `recontour doctor` looks at, a file for each side of the node."""
