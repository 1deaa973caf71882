"""How anything here is trained (lesson 06)."""
