"""API keys: what a key stands for, how it is stored, verified, limited, changed and reloaded."""

from services.ingest.keys.entry import KeyEntry, KeyLimits
from services.ingest.keys.file import read_keys_file, read_pepper, write_keys_file
from services.ingest.keys.ring import Key, KeyRing
from services.ingest.keys.secret import new_key, new_pepper
from services.ingest.keys.store import KeyStore, add_key

__all__ = [
    "Key",
    "KeyEntry",
    "KeyLimits",
    "KeyRing",
    "KeyStore",
    "add_key",
    "new_key",
    "new_pepper",
    "read_keys_file",
    "read_pepper",
    "write_keys_file",
]
