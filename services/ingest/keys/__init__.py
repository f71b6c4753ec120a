"""API keys: what a key stands for, how it is stored, verified, limited, changed and reloaded."""
