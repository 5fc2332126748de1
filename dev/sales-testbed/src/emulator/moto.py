"""Starts moto's server with what it lacks of the services that Terraform finds in it. All of this is a stand-in:

- CloudWatch: moto keeps composite alarms, but offers no operation that puts them.
- ECR: moto has no templates for repositories that ECR makes itself. They are kept, and used for nothing.
- Application Auto Scaling: moto keeps no tags, and Terraform asks for those of each target.
"""

import json

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.cloudwatch.responses import CloudWatchResponse
from moto.ecr.responses import ECRResponse
from moto.core.exceptions import JsonRESTError
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

# By region and prefix.
TEMPLATES = {}


def put_template(self):
    given = {name: value for name, value in json.loads(self.body).items() if name != "clientToken"}
    template = TEMPLATES.setdefault((self.region, given["prefix"]), {})
    template.update(given)
    return json.dumps({"registryId": self.current_account, "repositoryCreationTemplate": template})


def describe_repository_creation_templates(self):
    prefixes = self._get_param("prefixes")
    found = [
        template
        for (region, prefix), template in TEMPLATES.items()
        if region == self.region and (not prefixes or prefix in prefixes)
    ]
    if prefixes and not found:
        raise JsonRESTError("TemplateNotFoundException", f"there is no template {prefixes}")
    return json.dumps({"registryId": self.current_account, "repositoryCreationTemplates": found})


def delete_repository_creation_template(self):
    template = TEMPLATES.pop((self.region, self._get_param("prefix")), None)
    if template is None:
        raise JsonRESTError("TemplateNotFoundException", "there is no such template")
    return json.dumps({"registryId": self.current_account, "repositoryCreationTemplate": template})


ECRResponse.create_repository_creation_template = put_template
ECRResponse.update_repository_creation_template = put_template
for operation in (describe_repository_creation_templates, delete_repository_creation_template):
    setattr(ECRResponse, operation.__name__, operation)

main()
