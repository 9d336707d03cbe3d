"""What a test leaves behind fails it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]

LEAKY = """
import asyncio, threading, pytest

kept = []
gate = threading.Event()

async def test_leaks_a_task():
    kept.append(asyncio.create_task(asyncio.sleep(3600)))

def test_leaks_a_thread():
    kept.append(threading.Thread(target=gate.wait, daemon=True))
    kept[-1].start()

async def test_awaits_its_task():
    await asyncio.create_task(asyncio.sleep(3600))

async def test_ends_its_task_with_its_last_act():
    asyncio.create_task(asyncio.sleep(0))

async def test_uses_an_executor():
    await asyncio.to_thread(int)

@pytest.fixture
async def server():
    task = asyncio.create_task(asyncio.sleep(3600))
    yield
    task.cancel()

async def test_leaves_it_to_the_fixture(server):
    pass
"""


def test_a_leaked_task_or_thread_fails_the_test_that_left_it(tmp_path: Path) -> None:
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    command = [sys.executable, "-m", "pytest", "-c", str(TESTS.parent / "pyproject.toml"), "--rootdir", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-rE", str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    summary = run.stdout.partition("short test summary info")[2]
    assert [line.split(" - ")[0] for line in summary.splitlines() if line.startswith("ERROR")] == [
        "ERROR test_leaky.py::test_leaks_a_task",
        "ERROR test_leaky.py::test_leaks_a_thread",
    ]
    assert "6 passed, 2 errors" in summary
    assert "leaked 1 task(s): <Task pending" in run.stdout
    assert "leaked 1 thread(s): <Thread" in run.stdout
