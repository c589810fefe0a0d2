"""What an ingest imports on its way, imported beforehand by the server from which ingests are forked."""

import sklearn.cluster
import sklearn.decomposition
import torch
import tqdm
import transformers
from transformers import ViTConfig, ViTModel

import ingest.atlas
import ingest.cli
import ingest.clusters
import ingest.projections
import ingest.sources.folder.listing
import ingest.workflow
from ingest import models
from ingest.vision import embedding, explaining
from ingest.vision.backbones import tiny

__all__ = [
    "ViTConfig",
    "ViTModel",
    "embedding",
    "explaining",
    "ingest",
    "models",
    "sklearn",
    "tiny",
    "torch",
    "tqdm",
    "transformers",
]
