# Asks a region's table of the lake, `sales`, with DuckDB. Arguments: the account, the bucket, its region, the address of S3
# without its scheme, the format, and the query.
import csv
import datetime
import decimal
import glob
import json
import os
import signal
import sys

import duckdb
import duckdb_extension_delta
import duckdb_extension_httpfs


def connect(account, bucket, region, endpoint):
    database = duckdb.connect()
    for module in (duckdb_extension_httpfs, duckdb_extension_delta):
        folder = os.path.join(os.path.dirname(module.__file__), "extensions")
        for extension in glob.glob(os.path.join(folder, "**", "*.duckdb_extension"), recursive=True):
            database.load_extension(extension)
    database.execute("SET TimeZone = 'UTC'")
    database.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{account}', SECRET 'local', URL_STYLE 'path', USE_SSL false, "
        f"REGION '{region}', ENDPOINT '{endpoint}')"
    )
    database.execute(f"CREATE VIEW sales AS SELECT * FROM delta_scan('s3://{bucket}/table/sales')")
    return database


def ask(database, query):
    """The columns' names, and the rows."""
    answer = database.sql(query)
    if answer is None:
        return [], []
    # Python needs another package for moments with a zone.
    columns = [
        f"strftime({name} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS {name}" if "TIME ZONE" in str(type) else name
        for name, type in zip((quoted(name) for name in answer.columns), answer.types)
    ]
    return answer.columns, answer.project(", ".join(columns)).fetchall()


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def plain(value):
    """A value in text, decimals exact and without zeros at their end."""
    if isinstance(value, decimal.Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return "" if value is None else str(value)


def show(columns, rows):
    """Numbers to the right, everything else to the left."""
    texts = [list(columns)] + [[plain(value) for value in row] for row in rows]
    widths = [max(len(line[place]) for line in texts) for place in range(len(columns))]
    right = [
        bool(rows) and all(isinstance(row[place], (int, float, decimal.Decimal, type(None))) for row in rows)
        for place in range(len(columns))
    ]
    for line in texts:
        cells = [text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in zip(line, widths, right)]
        print("  ".join(cells).rstrip())


def main(account, bucket, region, endpoint, form, query):
    columns, rows = ask(connect(account, bucket, region, endpoint), query)
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([plain(value) for value in row] for row in rows)
    elif form == "json":
        is_exact = (int, float, str, bool, type(None))
        values = ([value if isinstance(value, is_exact) else plain(value) for value in row] for row in rows)
        print(json.dumps([dict(zip(columns, row)) for row in values], indent=2, ensure_ascii=False))
    else:
        show(columns, rows)


# A reader that has seen enough is no error.
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try:
    main(*sys.argv[1:])
except duckdb.Error as error:
    sys.exit(str(error))
