"""What writes the derived files of real electricity in schemas/catalogue (docs/energy.md)."""
