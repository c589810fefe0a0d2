"""Models from strangers: nothing that comes with one is ever run."""

import ast
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ingest.vision.backbones import BackboneError, load
from ingest.vision.backbones.checkpoint import read_weights
from tests.support import ROOT

FILES = [file for room in ("ingest", "store", "dashboard") for file in sorted((ROOT / room).rglob("*.py"))]
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "imp", "runpy"}
CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "read_pickle",
    "to_pickle",
    "hub.load",
    "hub.load_state_dict_from_url",
    "jit.load",
}

# Its own objects on their way between its own processes, which no file holds; and files for other programs, of which it
# reads none.
WRITER = "ingest/export.py"
ALLOWED = dict.fromkeys(
    ("ingest/engines/ray.py", "ingest/worker.py", "ingest/worker_child.py", WRITER), "imports pickle"
)


def calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    """(what is called, as it is written; the call) of a file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> object:
    """The constant that a call gives by a keyword; ... where it gives none, or no constant."""
    given = [word.value for word in call.keywords if word.arg == name]
    return given[0].value if given and isinstance(given[0], ast.Constant) else ...


def complaints(file: Path) -> list[str]:
    """What in a file might run what a stranger has written."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        found += [f"line {node.lineno}: imports {name}" for name in names if name.split(".")[0] in MODULES]
        careless = isinstance(node, ast.keyword) and node.arg in ("trust_remote_code", "allow_pickle")
        if careless and ast.unparse(node.value) != "False":
            found.append(f"line {node.value.lineno}: {node.arg} is not False")
    for name, call in calls(file):
        # `re.compile` and the like are others' methods; bare names are Python's own.
        if name in CALLS or name.split(".", 1)[-1] in CALLS - {"eval", "exec", "compile"}:
            found.append(f"line {call.lineno}: calls {name}")
        if name == "torch.load" and keyword(call, "weights_only") is not True:
            found.append(f"line {call.lineno}: torch.load without weights_only=True")
        if name in ("np.load", "numpy.load", "npy.read_array") and keyword(call, "allow_pickle") is not False:
            found.append(f"line {call.lineno}: {name} without allow_pickle=False")
        asked = name.startswith(("AutoConfig.", "transformers.Auto", "AutoModel")) and name.endswith(".from_pretrained")
        if asked and keyword(call, "trust_remote_code") is not False:
            found.append(f"line {call.lineno}: {name} without trust_remote_code=False")
    return found


def test_no_file_runs_what_it_reads():
    assert len(FILES) > 100
    wrong = []
    for file in FILES:
        name = str(file.relative_to(ROOT))
        found = [complaint for complaint in complaints(file) if not complaint.endswith(ALLOWED.get(name, "nothing"))]
        wrong += [f"{name}, {complaint}" for complaint in found]
    assert not wrong


def test_pickles_for_other_programs_are_written_and_never_read():
    assert {name for name, _ in calls(ROOT / WRITER) if name.startswith("pickle.")} == {"pickle.dumps"}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=wanted)",
        "torch.hub.load('a', 'b')",
        "np.load(path)",
        "f(trust_remote_code=True)",
        "f(trust_remote_code=wanted)",
        "AutoConfig.from_pretrained(where)",
        "pd.read_pickle(path)",
    ],
)
def test_the_look_through_the_files_sees_it(tmp_path, line):
    file = tmp_path / "bad.py"
    file.write_text(line)
    assert complaints(file)


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


def pickled(mark: Path) -> dict[str, bytes]:
    """The same malice in the ways that weights are packed."""
    state = {"state_dict": {"blocks.0.norm1.weight": torch.ones(3)}, "hyper": Bomb(mark)}
    new, old = io.BytesIO(), io.BytesIO()
    torch.save(state, new)
    torch.save(state, old, _use_new_zipfile_serialization=False)
    return {
        "new.pth": new.getvalue(),
        "old.pth": old.getvalue(),
        "plain.pkl": pickle.dumps(Bomb(mark)),
        "protocol0.bin": pickle.dumps(Bomb(mark), protocol=0),
        "named.safetensors": pickle.dumps(Bomb(mark)),
        "zip.pt": zipped({"archive/data.pkl": pickle.dumps(Bomb(mark)), "archive/version": b"3\n"}),
        "script.pt": zipped(
            {"m/data.pkl": pickle.dumps(Bomb(mark)), "m/constants.pkl": b"", "m/code/__torch__.py": b"boom"}
        ),
        "tensor.pt": torch_saved(Bomb(mark)),
    }


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def torch_saved(thing: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def test_the_bomb_would_go_off(tmp_path):
    mark = tmp_path / "mark"
    for name, data in pickled(mark).items():
        if name.startswith(("plain", "protocol0")):
            pickle.loads(data).close()
        elif name == "new.pth":
            torch.load(io.BytesIO(data), weights_only=False)
        else:
            continue
        assert mark.exists(), name
        mark.unlink()


@pytest.mark.parametrize("name", list(pickled(Path("mark"))))
def test_a_malicious_weights_file_is_refused_in_a_sentence_and_does_not_run(tmp_path, name, monkeypatch):
    # Whoever has this in the environment has asked for it, but not of Bilderatlas.
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    mark, file = tmp_path / "mark", tmp_path / name
    file.write_bytes(pickled(mark)[name])
    with pytest.raises(BackboneError, match="could not be read as weights") as caught:
        read_weights(file)
    assert "weights_only" not in str(caught.value) and "\x1b" not in str(caught.value)
    with pytest.raises(BackboneError):
        load("dinov2-small", weights=file)
    with pytest.raises(BackboneError):
        load("timm:vit_tiny_patch16_224", weights=file)
    assert not mark.exists()


@pytest.fixture
def model(tmp_path) -> Path:
    """A small model as `save_pretrained` writes it, with a processor."""
    from transformers import ViTConfig, ViTModel

    folder = tmp_path / "model"
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, patch_size=14, image_size=56
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def test_a_folder_with_a_pickled_bomb_instead_of_safetensors_does_not_run(model, tmp_path):
    assert load(f"hf:{model}").layers == 2
    mark = tmp_path / "mark"
    (model / "model.safetensors").unlink()
    for name in ("new.pth", "old.pth", "plain.pkl"):
        (model / "pytorch_model.bin").write_bytes(pickled(mark)[name])
        with pytest.raises(BackboneError, match="never run"):
            load(f"hf:{model}")
        assert not mark.exists()


@pytest.mark.parametrize("kind", ["a kind of its own", "vit"])
def test_code_that_comes_with_a_model_does_not_run(model, tmp_path, kind):
    mark = tmp_path / "mark"
    for name in ("configuration_evil", "modeling_evil", "processing_evil"):
        (model / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: pass\n")
    config = json.loads((model / "config.json").read_text())
    config |= {
        "model_type": kind,
        "auto_map": {"AutoConfig": "configuration_evil.Evil", "AutoModel": "modeling_evil.Evil"},
    }
    (model / "config.json").write_text(json.dumps(config))
    processor = {"image_processor_type": "Evil", "auto_map": {"AutoImageProcessor": "processing_evil.Evil"}}
    (model / "preprocessor_config.json").write_text(json.dumps(processor))
    if kind == "vit":
        assert load(f"hf:{model}").layers == 2  # the known part of it is a ViT like any other
    else:
        with pytest.raises(BackboneError):
            load(f"hf:{model}")
    assert not mark.exists()


@pytest.mark.parametrize(
    "key", ["timm:hf_hub:stranger/model", "timm:hf-hub:stranger/model", "timm:local-dir:{folder}", "timm:{folder}"]
)
def test_timm_is_given_no_address_of_a_stranger(model, key):
    shutil.copy(model / "config.json", model / "pretrained.json")
    with pytest.raises(BackboneError):
        load(key.format(folder=model))
