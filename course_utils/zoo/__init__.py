"""Every kind of model by name, and the weights that ship."""
