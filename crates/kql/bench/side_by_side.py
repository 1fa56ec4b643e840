"""From the file to the result: the `kql` command beside duckdb-kql and chdb, every run a process of its own.

    cargo build --release -p kql --example kql
    cargo run --release --manifest-path crates/kql/bench/Cargo.toml --bin audit-rows 300000 > rows.jsonl
    pip install duckdb duckdb-kql chdb
    python crates/kql/bench/side_by_side.py target/release/examples/kql rows.jsonl

Each engine runs each query in turn, five rounds; medians in seconds, and how often the other one's time is ours.
`-` where an engine refuses the query. The number of result rows is compared, too.
"""

import statistics
import subprocess
import sys
import time

QUERIES = {
    "count": "T | count",
    "filter + project": "T | where OperationName in ('CN_CREATE_USER', 'CN_TOMBSTONE_OBJECT') and DurationMs > 100"
    " | project TimeGenerated, OperationName, CallerIpAddress, HsmInstance",
    "summarize by two keys": "T | summarize count(), avg(DurationMs) by OperationName, CallerIpAddress",
    "leftanti join": "T | where DurationMs >= 10 | join kind=leftanti (T | where DurationMs < 10"
    " and OperationName == 'CN_CREATE_USER') on CallerIpAddress, HsmInstance"
    " | summarize count() by CallerIpAddress",
    "top": "T | top 10 by DurationMs desc | project TimeGenerated, DurationMs",
}

DUCKDB = """
import sys, duckdb, duckdb_kql
path, query = sys.argv[1:]
con = duckdb.connect()
con.execute(f"create view T as select * from read_json_auto('{path}', format='newline_delimited')")
print(len(duckdb_kql.kql(con, query).fetchall()))
"""

CHDB = """
import sys
from chdb import session
path, query = sys.argv[1:]
s = session.Session()
s.query("create table T engine=Memory as select * from file('%s', JSONEachRow)" % path)
s.query("set allow_experimental_kusto_dialect=1")
s.query("set dialect='kusto'")
print(sum(1 for line in str(s.query(query, 'CSV')).splitlines() if line))
"""


def timed(command, stdin=None):
    start = time.perf_counter()
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["no word"])[-1]
    return seconds, done.stdout


def ours(program, path, query):
    with open(path, "rb") as rows:
        seconds, out = timed([program, "--format", "csv", query], rows)
    return seconds, None if seconds is None else len(out.splitlines()) - 1


def theirs(script, path, query):
    seconds, out = timed([sys.executable, "-c", script, path, query])
    return seconds, out if seconds is None else int(out.split()[-1])


def main():
    program, path = sys.argv[1:]
    engines = {
        "kql": lambda q: ours(program, path, q),
        "duckdb-kql": lambda q: theirs(DUCKDB, path, q),
        "chdb": lambda q: theirs(CHDB, path, q),
    }
    print(f"{'query':24}" + "".join(f"{name:>22}" for name in engines))
    for name, query in QUERIES.items():
        times = {engine: [] for engine in engines}
        rows = {}
        for _ in range(5):
            for engine, run in engines.items():
                seconds, rows[engine] = run(query)
                if seconds is not None:
                    times[engine].append(seconds)
        medians = {e: statistics.median(t) if t else None for e, t in times.items()}
        cells = []
        for engine, median in medians.items():
            if median is None:
                cells.append(f"{'-':>22}")
            else:
                ratio = median / medians["kql"]
                same = "" if rows[engine] == rows["kql"] else f" {rows[engine]} rows"
                cells.append(f"{f'{median:.2f} ({ratio:.1f}x){same}':>22}")
        print(f"{name:24}" + "".join(cells), flush=True)
        for engine, median in medians.items():
            if median is None:
                print(f"    {engine}: {rows[engine]}")


if __name__ == "__main__":
    main()
