"""Generates the Python of the wire contract: into the tree, or with --check into a folder to compare."""

import os
import subprocess
import sys
from filecmp import cmpfiles
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGE = "autotrader/v1"


def generate(out: Path) -> list[str]:
    """Writes the modules and their stubs below `out`; returns their names, relative to it."""
    sources = sorted((PROTOS / PACKAGE).glob("*.proto"))
    include = files("grpc_tools") / "_proto"
    kinds = ("python", "grpc_python", "mypy", "mypy_grpc")
    outputs = [f"--{kind}_out={out}" for kind in kinds]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"-I{include}", *outputs]
    subprocess.run([*command, *map(str, sources)], check=True, env=_with_plugins(), stderr=subprocess.PIPE)
    return sorted(str(path.relative_to(out)) for path in out.rglob("*_pb2*.py*") if path.suffix != ".pyc")


def _with_plugins() -> dict[str, str]:
    """protoc finds its plugins beside this Python."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def main() -> int:
    """0 when the tree holds what the contract gives."""
    if "--check" not in sys.argv:
        generate(PROTOS)
        return 0
    with TemporaryDirectory() as folder:
        names = generate(Path(folder))
        _, differ, missing = cmpfiles(folder, PROTOS, names, shallow=False)
    for name in (*differ, *missing):
        print(f"protos/{name} is not what the contract gives: run `make protos`", file=sys.stderr)
    return bool(differ or missing)


if __name__ == "__main__":
    sys.exit(main())
