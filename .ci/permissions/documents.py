"""The policy documents that Terraform has evaluated, from the output of `terraform test -json -verbose`.

A mocked provider leaves the document itself empty; but its statements are what the configuration comes to, with all
variables, loops and names of resources in their places.
"""

import json
import re

from check import Statement


def read(output, modules):
    """Statements by document, and the documents that are there but empty. `modules`: directory by a module's key."""
    statements = {}
    for line in output:
        # The provider's schemas make a state of many megabytes; other lines are short.
        message = json.loads(line)
        if message["type"] != "test_state":
            continue
        for resource in resources(message["test_state"].get("root_module", {})):
            if resource["mode"] == "data" and resource["type"] == "aws_iam_policy_document":
                name = name_of(resource["address"], modules)
                statements[name] = [
                    Statement(name, number + 1, statement)
                    for number, statement in enumerate(resource["values"]["statement"])
                ]
    return statements


def resources(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def name_of(address, modules):
    """DIRECTORY/NAME, with what tells instances of the same document apart."""
    module, document = re.fullmatch(r"(.*?)\.?data\.aws_iam_policy_document\.(.*)", address).groups()
    keys = re.findall(r"module\.([\w-]+)(?:\[[^]]*\])?", module)
    directory = modules[".".join(keys)]
    instance = f" of {module}" if module else ""
    return f"{directory}/{document}{instance}"


def declared(directory):
    """The names of the documents that the configuration in a directory declares."""
    for file in directory.glob("*.tf"):
        yield from re.findall(r'^data "aws_iam_policy_document" "(\w+)"', file.read_text(), re.M)
