"""Compares all policies of this repository with AWS's service authorization tables; .ci/policies calls it.

    python .ci/permissions INFRASTRUCTURE ROOT=OUTPUT...

INFRASTRUCTURE is the directory with `infra` and `modules`, ROOT one of the roots in it, initialised, and OUTPUT the file
with what `terraform test -json -verbose` said there.
"""

import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from check import findings, not_granted
from documents import declared, read

OWN = Path(__file__).parent
# The policies of the role that applies, whose calls are known.
APPLY = "modules/github-oidc/apply_"


def main(infrastructure, *outputs):
    infrastructure = Path(infrastructure).resolve()
    statements = {}
    for pair in outputs:
        root, _, output = pair.partition("=")
        with open(output, encoding="utf-8") as lines:
            statements |= read(lines, modules_of(infrastructure, root))
    trouble = [f"{name} is declared, but in no root was it evaluated" for name in missing(infrastructure, statements)]

    # What the tables do not say, and what is accepted although they say otherwise; each with its reason.
    known = json.loads((OWN / "known.json").read_text(encoding="utf-8"))
    everything = [statement for document in statements.values() for statement in document]
    found = findings(everything, known["needs_star"])
    accepted = known["accepted"]
    trouble += [line for line in found if not any(fnmatchcase(line, pattern) for pattern in accepted)]
    unused = [pattern for pattern in accepted if not any(fnmatchcase(line, pattern) for line in found)]
    trouble += [f"known.json accepts what is found no more: {pattern}" for pattern in unused]

    applying = [statement for name, document in statements.items() if name.startswith(APPLY) for statement in document]
    calls = [line for line in (OWN / "calls.txt").read_text(encoding="utf-8").split("\n") if line and line[0] != "#"]
    trouble += [f"the role that applies may not: {call}" for call in not_granted(calls, applying, known["needs_star"])]

    for line in trouble:
        print(line)
    print(f"{len(statements)} policies, {len(everything)} statements, {len(calls)} calls: {len(trouble)} findings")
    return 1 if trouble or not statements else 0


def modules_of(infrastructure, root):
    """The directory of each module that a root calls, by its key."""
    directory = infrastructure / root
    listed = json.loads((directory / ".terraform/modules/modules.json").read_text(encoding="utf-8"))["Modules"]
    return {
        module["Key"]: str((directory / module["Dir"]).resolve().relative_to(infrastructure)) for module in listed
    }


def missing(infrastructure, statements):
    for directory in sorted([*infrastructure.glob("modules/*"), *infrastructure.glob("infra/*")]):
        for name in declared(directory):
            document = f"{directory.relative_to(infrastructure)}/{name}"
            if not any(found.split(" ")[0].split("[")[0] == document for found in statements):
                yield document


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
