"""Starts moto's server with what it lacks of the services that Terraform finds in it. All of this is a stand-in:

- CloudWatch: moto keeps composite alarms, but offers no operation that puts them.
- Application Auto Scaling: moto keeps no tags, and Terraform asks for those of each target.
"""

import json

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.cloudwatch.responses import CloudWatchResponse
from moto.server import main

CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm

TAGS = {}
register = ApplicationAutoScalingResponse.register_scalable_target


def register_scalable_target(self):
    answer = register(self)
    if tags := self._get_param("Tags"):
        TAGS[json.loads(answer)["ScalableTargetARN"]] = dict(tags)
    return answer


def list_tags_for_resource(self):
    return json.dumps({"Tags": TAGS.get(self._get_param("ResourceARN"), {})})


def tag_resource(self):
    TAGS.setdefault(self._get_param("ResourceARN"), {}).update(self._get_param("Tags"))
    return "{}"


def untag_resource(self):
    for key in self._get_param("TagKeys"):
        TAGS.get(self._get_param("ResourceARN"), {}).pop(key, None)
    return "{}"


for operation in (register_scalable_target, list_tags_for_resource, tag_resource, untag_resource):
    setattr(ApplicationAutoScalingResponse, operation.__name__, operation)

main()
