"""The steps of the engine, one module each, in the order of `loyalty.engine`. Pure functions over frozen values."""
