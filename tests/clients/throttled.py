"""boto3 and a server in strict mode: throttled requests get through by boto3's own retries.

`[api] strict` has all rules but that on addresses, so that nothing is sent to others.
"""

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# More than enough for one token a second.
patient = boto3.client("route53", config=Config(retries={"max_attempts": 12}))
once = boto3.client("route53", config=Config(retries={"total_max_attempts": 1}))

check = {"Port": 9, "Type": "TCP", "IPAddress": "127.0.0.1", "Disabled": True}
ordered = {name: check[name] for name in ("IPAddress", "Port", "Type", "Disabled")}
check_id = patient.create_health_check(CallerReference="1", HealthCheckConfig=ordered)["HealthCheck"]["Id"]

# The bucket of this operation has four tokens, and gets one a second.
errors = []
while not errors:
    try:
        once.get_health_check_status(HealthCheckId=check_id)
    except ClientError as error:
        errors.append(error.response)
assert errors[0]["Error"]["Code"] == "Throttling", errors
assert errors[0]["Error"]["Message"] == "Rate exceeded", errors
assert errors[0]["ResponseMetadata"]["HTTPStatusCode"] == 400, errors

retries = 0
for _ in range(6):
    response = patient.get_health_check_status(HealthCheckId=check_id)
    retries += response["ResponseMetadata"]["RetryAttempts"]
assert retries > 0, "no request was throttled"

# boto3 sends elements in the order in which they are written here.
try:
    once.create_health_check(CallerReference="2", HealthCheckConfig=check)
except ClientError as error:
    assert error.response["Error"]["Message"].startswith("Invalid XML ; cvc-complex-type.2.4.a"), error
else:
    raise AssertionError("the order was accepted")

try:
    once.create_hosted_zone(Name="app.example.com", CallerReference="1")
except once.exceptions.InvalidDomainName as error:
    assert error.response["Error"]["Message"] == "app.example.com is reserved by AWS!", error
else:
    raise AssertionError("the name was accepted")

print("all steps done")
