"""What store IT does with scanners: see live what comes from them, find out which one is which, write it into the config."""
