"""Many jobs on a Dask cluster, each kept in a ledger as soon as it is done; an interrupted sweep goes on where it was.

What a job does is the caller's: a function, and for each job its argument as plain data. `cliffgym_agents.sweeps`
trains agents with it. The driver, which calls `run_jobs`, alone writes the ledger.
"""

try:
    import distributed as _distributed  # noqa: F401
    import filelock as _filelock  # noqa: F401
    import tqdm as _tqdm  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"cliffgym.sweeps needs {error.name}, which is not installed: pip install 'cliffgym[sweep]'"
    ) from error

from cliffgym.sweeps.driver import Report, run_jobs
from cliffgym.sweeps.export import export
from cliffgym.sweeps.jobs import Job
from cliffgym.sweeps.ledger import Ledger, Row

__all__ = ["Job", "Ledger", "Report", "Row", "export", "run_jobs"]
