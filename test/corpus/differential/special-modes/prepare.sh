mkdir -m 0710 tree/below
