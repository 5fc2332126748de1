"""Compares policies with the tables: whether each action exists, takes what the statement names, and is asked with the
condition keys that it demands."""

from tables import actions

# Keys that every request may have, which the tables leave out.
GLOBAL_KEYS = {
    "aws:principalarn",
    "aws:principalorgid",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:viaawsservice",
}


class Statement:
    """A statement of a policy, as Terraform has evaluated it."""

    def __init__(self, policy, number, statement):
        self.policy = policy
        self.name = f"{policy} {statement['sid'] or number}"
        self.allows = (statement["effect"] or "Allow") == "Allow"
        self.actions = statement["actions"] or []
        self.not_actions = statement["not_actions"] or []
        self.resources = statement["resources"] or []
        self.not_resources = statement["not_resources"] or []
        self.keys = [condition["variable"] for condition in statement["condition"] or []]

    def findings(self, star_only):
        for pattern in self.actions + self.not_actions:
            if not actions(pattern):
                yield f"{self.name}: there is no action {pattern}"
        arns = [arn for arn in self.resources + self.not_resources if arn != "*"]
        yield from self.resources_that_fit_nothing(arns)
        if arns and "*" not in self.resources and not self.not_resources:
            for pattern in self.actions:
                yield from self.actions_without_resource(pattern, arns, star_only)
        for pattern in self.actions:
            yield from self.unknown_keys(pattern)

    def resources_that_fit_nothing(self, arns):
        known = [action for pattern in self.actions for action in actions(pattern)]
        for arn in arns:
            if known and not any(action.kinds_of(arn) for action in known):
                yield f"{self.name}: none of its actions takes {arn}"

    def actions_without_resource(self, pattern, arns, star_only):
        # Of a pattern, what takes another resource or none is simply not meant.
        if "*" in pattern or "?" in pattern:
            return
        for action in actions(pattern):
            if not action.arns:
                yield f"{self.name}: {action.name} takes no resource, only *"
            elif self.allows and action.name in star_only:
                yield f"{self.name}: {action.name} needs *: {star_only[action.name]}"
            else:
                found = {kind for arn in arns for kind in action.kinds_of(arn)}
                missing = action.required - found if action.required else set() if found else set(action.arns)
                if missing:
                    yield f"{self.name}: {action.name} takes {' or '.join(sorted(missing))}, which is not named"

    def unknown_keys(self, pattern):
        for key in self.keys:
            if key.lower() in GLOBAL_KEYS:
                continue
            known = actions(pattern)
            # Of a pattern, one that knows it is enough.
            if known and not any(action.knows(key) for action in known):
                yield f"{self.name}: {pattern} knows no condition key {key}"

    def grants(self, action, star_only):
        if not self.allows or not any(found.name == action.name for own in self.actions for found in actions(own)):
            return False
        if "*" in self.resources:
            return True
        if not action.arns or action.name in star_only:
            return False
        found = {kind for arn in self.resources for kind in action.kinds_of(arn)}
        return action.required <= found if action.required else bool(found)


def findings(statements, star_only):
    """What is wrong with the statements, one line each."""
    return [finding for statement in statements for finding in statement.findings(star_only)]


def not_granted(calls, statements, star_only):
    """Which of these calls no statement grants in full."""
    for call in calls:
        known = actions(call)
        if not known:
            yield f"there is no action {call}"
        elif not any(statement.grants(known[0], star_only) for statement in statements):
            yield call
