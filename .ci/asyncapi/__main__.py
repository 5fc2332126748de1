"""Checks an AsyncAPI document and the examples of its messages; .ci/events calls it.

    python .ci/asyncapi SCHEMA DOCUMENT MARKDOWN

SCHEMA is AsyncAPI's own. MARKDOWN has further examples of the messages, in blocks of the language `text`: attributes, an
empty line, and the body.
"""

import json
import sys
from pathlib import Path

import yaml
from check import findings


def main(schema, document, markdown):
    schema = json.loads(Path(schema).read_text(encoding="utf-8"))
    content = yaml.safe_load(Path(document).read_text(encoding="utf-8"))
    found = findings(schema, content, Path(markdown).read_text(encoding="utf-8"))
    for finding in found:
        print(f"{document}, {markdown}: {finding}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
