"""A kubo repository made of the blocks of a CAR, by the specification alone (docs/formats.md 10); sha2-256 only."""
import base64
import shutil

import dag
import harness

TEMPLATE = harness.VECTORS / "public/flatfs-repo-basic"


def flatfs_of_car(car, repository):
    """Returns (root as text, the files of the blocks)."""
    blocks, root = dag.read_car(car)
    (repository / "blocks").mkdir(parents=True)
    for name in ("version", "datastore_spec", "blocks/SHARDING"):
        shutil.copy(TEMPLATE / name, repository / name)
    files = []
    for cid, block in blocks.items():
        key = base64.b32encode(cid[-34:]).decode().rstrip("=")
        path = repository / "blocks" / key[-3:-1] / f"{key}.data"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(block)
        files.append(path)
    return dag.cid_text(root), sorted(files)
