"""Scanner drivers: one file a kind of connection, named by its module name in config.toml."""
