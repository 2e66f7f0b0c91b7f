"""A node of a cluster dies in the middle of a sweep."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data import ROOT

# In a process of its own: a cluster of several nodes must be the only Ray of its process.
SCRIPT = """
import sys
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from backtest.sweep.plan import make_plan
from backtest.sweep.sweep import Sweep
from trading.history import load_histories
from trading.settings import parse_settings

out = Path(sys.argv[1])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
node = cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, log_to_driver=False)
cross = {"name": "cross", "type": "sma_cross", "params": {"fast": 3, "slow": 8}}
histories = load_histories([("BTC/USDT", out / "btc.parquet")])
specs = [("cross.fast", "2:40:1"), ("cross.slow", "50:150:10")]
plan = make_plan(parse_settings({"strategies": [cross]}), specs, histories)
killed = []

def kill(progress):
    if progress.done > 60 and not killed:
        killed.append(progress.done)
        cluster.remove_node(node, allow_graceful=False)

Sweep(plan, out=out / "killed", workers=2, on_progress=kill).run()
assert killed and killed[0] < plan.trials
Sweep(plan, out=out / "calm", workers=1).run()
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_node_that_dies_in_a_sweep_loses_nothing(candle_file: Path, tmp_path: Path) -> None:
    (tmp_path / "btc.parquet").write_bytes(candle_file.read_bytes())
    checks = {f"RAY_health_check_{name}_ms": "1000" for name in ("initial_delay", "period", "timeout")}
    environment = {**os.environ, **checks, "RAY_health_check_failure_threshold": "3", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    for name in ("trials.parquet", "summary.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
