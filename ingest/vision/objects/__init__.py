"""Objects without training: boxes that the keys of a network's last block suggest."""

from ingest.vision.objects.keys import PatchKeys, patch_keys, refuse_without_keys
from ingest.vision.objects.proposals import METHODS, ObjectMethod, Proposal, object_settings, propose

__all__ = [
    "METHODS",
    "ObjectMethod",
    "PatchKeys",
    "Proposal",
    "object_settings",
    "patch_keys",
    "propose",
    "refuse_without_keys",
]
