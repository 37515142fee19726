"""The verb groups of the `tillmate` command, one file each; `agent.cli` puts them together."""
