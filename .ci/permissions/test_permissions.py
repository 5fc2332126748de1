"""What the check finds, with the real tables."""

import json
import unittest

from check import Statement, findings, not_granted
from documents import read
from tables import actions

STAR = {"cloudwatch:PutCompositeAlarm": "reason"}
QUEUE = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales"
TOPIC = "arn:aws:sns:sa-east-1:111122223333:sales-dev-sales"
ALARMS = "arn:aws:cloudwatch:*:111122223333:alarm:sales-dev-*"
LAKE = "arn:aws:s3:::sales-dev-lake"
GROUP = "arn:aws:logs:sa-east-1:111122223333:log-group:/ecs/sales-dev-api"


def statement(actions, resources=("*",), keys=(), effect=None, not_resources=()):
    return Statement("policy", 1, {
        "sid": None,
        "effect": effect,
        "actions": list(actions),
        "not_actions": None,
        "resources": list(resources),
        "not_resources": list(not_resources),
        "condition": [{"variable": key} for key in keys],
    })


def found(*arguments, **options):
    return findings([statement(*arguments, **options)], STAR)


class Findings(unittest.TestCase):
    def test_an_action_that_does_not_exist(self):
        self.assertEqual(found(["sns:Send"]), ["policy 1: there is no action sns:Send"])
        self.assertEqual(found(["snss:Publish"]), ["policy 1: there is no action snss:Publish"])
        self.assertEqual(found(["sns:Sned*"]), ["policy 1: there is no action sns:Sned*"])
        self.assertEqual(found(["Publish"]), ["policy 1: there is no action Publish"])
        self.assertEqual(found(["sns:publish", "sns:List*", "sns:*"]), [])

    def test_an_action_without_resource_that_is_given_one(self):
        self.assertEqual(
            found(["sns:SetSubscriptionAttributes", "sns:Publish"], [TOPIC]),
            ["policy 1: sns:SetSubscriptionAttributes takes no resource, only *"],
        )
        self.assertIn("policy 1: logs:DeleteResourcePolicy takes no resource, only *",
                      found(["logs:DeleteResourcePolicy"], [GROUP]))
        self.assertEqual(found(["sns:SetSubscriptionAttributes"]), [])

    def test_an_action_that_wants_all_although_the_tables_know_a_resource(self):
        self.assertEqual(
            found(["cloudwatch:PutCompositeAlarm"], [ALARMS]),
            ["policy 1: cloudwatch:PutCompositeAlarm needs *: reason"],
        )
        self.assertEqual(found(["cloudwatch:PutMetricAlarm"], [ALARMS]), [])

    def test_a_resource_of_another_kind(self):
        self.assertEqual(
            found(["sqs:SendMessage"], [TOPIC]),
            [f"policy 1: none of its actions takes {TOPIC}",
             "policy 1: sqs:SendMessage takes queue, which is not named"],
        )
        # One of them fits.
        self.assertEqual(found(["sqs:SendMessage"], [QUEUE, TOPIC]), [f"policy 1: none of its actions takes {TOPIC}"])
        self.assertEqual(found(["sqs:SendMessage"], [QUEUE]), [])
        # What it denies is not denied either.
        self.assertEqual(len(found(["sqs:SendMessage"], [TOPIC], effect="Deny")), 2)
        self.assertEqual(found(["sqs:*"], [TOPIC]), [f"policy 1: none of its actions takes {TOPIC}"])
        self.assertEqual(found(["s3:GetObject"], [], not_resources=[TOPIC]),
                         [f"policy 1: none of its actions takes {TOPIC}"])

    def test_a_bucket_is_not_its_objects(self):
        self.assertEqual(found(["s3:GetObject"], [f"{LAKE}/*"]), [])
        self.assertEqual(found(["s3:ListBucket"], [LAKE]), [])
        self.assertEqual(len(found(["s3:GetObject"], [LAKE])), 2)
        self.assertEqual(len(found(["s3:ListBucket"], [f"{LAKE}/*"])), 2)

    def test_a_log_group_is_not_its_streams(self):
        self.assertEqual(len(found(["logs:PutLogEvents"], [GROUP])), 2)
        self.assertEqual(found(["logs:PutLogEvents"], [f"{GROUP}:*"]), [])
        self.assertEqual(found(["logs:PutRetentionPolicy"], [GROUP]), [])

    def test_a_condition_key_that_the_action_is_never_asked_with(self):
        self.assertEqual(found(["kms:Decrypt"], keys=["kms:ViaService", "aws:SourceAccount"]), [])
        self.assertEqual(found(["kms:PutKeyPolicy"], keys=["aws:ResourceTag/project"]), [])
        self.assertEqual(
            found(["kms:DescribeKey"], keys=["kms:EncryptionContext:aws:logs:arn"]),
            ["policy 1: kms:DescribeKey knows no condition key kms:EncryptionContext:aws:logs:arn"],
        )
        self.assertEqual(len(found(["iam:CreateRole"], keys=["iam:PassedToService"])), 1)


class Grants(unittest.TestCase):
    def test_a_call_is_granted_by_a_statement_with_its_resource(self):
        own = [statement(["sns:*"], [TOPIC]), statement(["sns:List*"])]
        self.assertEqual(list(not_granted(["sns:CreateTopic", "sns:ListTopics"], own, STAR)), [])
        self.assertEqual(
            list(not_granted(["sns:SetSubscriptionAttributes", "sqs:CreateQueue"], own, STAR)),
            ["sns:SetSubscriptionAttributes", "sqs:CreateQueue"],
        )

    def test_what_wants_all_is_not_granted_by_names(self):
        own = [statement(["cloudwatch:*"], [ALARMS])]
        self.assertEqual(
            list(not_granted(["cloudwatch:PutMetricAlarm", "cloudwatch:PutCompositeAlarm"], own, STAR)),
            ["cloudwatch:PutCompositeAlarm"],
        )

    def test_a_denial_grants_nothing_and_an_unknown_call_is_told(self):
        own = [statement(["sns:*"], effect="Deny")]
        self.assertEqual(list(not_granted(["sns:CreateTopic"], own, STAR)), ["sns:CreateTopic"])
        self.assertEqual(list(not_granted(["sns:MakeTopic"], own, STAR)), ["there is no action sns:MakeTopic"])


class Documents(unittest.TestCase):
    def test_they_are_read_wherever_a_module_is_called(self):
        resource = {
            "mode": "data",
            "type": "aws_iam_policy_document",
            "address": 'module.a["x"].module.b.data.aws_iam_policy_document.queue["dead"]',
            "values": {"statement": [vars_of(["sqs:Sent"])]},
        }
        state = {"root_module": {"child_modules": [{"child_modules": [{"resources": [resource]}]}]}}
        output = [json.dumps({"type": "test_run"}), json.dumps({"type": "test_state", "test_state": state})]
        statements = read(output, {"a.b": "modules/b"})
        self.assertEqual(list(statements), ['modules/b/queue["dead"] of module.a["x"].module.b'])
        (own,) = statements.values()
        self.assertEqual(len(findings(own, STAR)), 1)

    def test_the_tables_are_there(self):
        self.assertGreater(len(actions("s3:*")), 150)


def vars_of(actions):
    return {"sid": None, "effect": None, "actions": actions, "not_actions": None, "resources": ["*"],
            "not_resources": None, "condition": []}


if __name__ == "__main__":
    unittest.main()
