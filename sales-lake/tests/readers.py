# Reads a table with delta-rs and with DuckDB, and prints for each what it has read, one line of JSON.
import glob
import json
import os
import sys

import deltalake
import duckdb
import duckdb_extension_delta

QUERY = """
SELECT id, product, CAST(amount AS VARCHAR) AS amount, CAST(accepted_at AS VARCHAR) AS accepted_at, region,
    CAST(cancelled_at AS VARCHAR) AS cancelled_at, CAST(dt AS VARCHAR) AS dt
FROM sales
"""

table = deltalake.DeltaTable(sys.argv[1])
batch = deltalake.QueryBuilder().register("sales", table).execute(QUERY).read_all()
columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
rows = [dict(zip(columns, values)) for values in zip(*columns.values())]
schema = {field.name: str(field.type) for field in table.schema().fields}
print(json.dumps({"reader": "delta-rs", "version": table.version(), "rows": rows, "schema": schema}))

database = duckdb.connect(config={"allow_unsigned_extensions": "false"})
folder = os.path.dirname(duckdb_extension_delta.__file__)
for extension in glob.glob(os.path.join(folder, "extensions", "**", "delta.duckdb_extension"), recursive=True):
    database.load_extension(extension)
database.execute("SET TimeZone = 'UTC'")
database.execute(f"CREATE VIEW sales AS SELECT * FROM delta_scan('{sys.argv[1]}')")
result = database.execute(QUERY)
names = [column[0] for column in result.description]
rows = [dict(zip(names, values)) for values in result.fetchall()]
schema = {row[0]: row[1] for row in database.execute("DESCRIBE sales").fetchall()}
print(json.dumps({"reader": "DuckDB", "version": None, "rows": rows, "schema": schema}))
