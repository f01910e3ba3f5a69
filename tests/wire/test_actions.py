"""An operation is what it does in IAM's words: the reviewed map, what parameters add, and caution for the rest."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.terms import AccessClass, Action, Operation, Protocol
from gateway.wire import tables
from gateway.wire.aws.actions import actions_of
from gateway.wire.aws.carried import carried_by
from gateway.wire.aws.reading import Reading
from gateway.wire.tables_actions import ActionReview
from tests.wire.making import candidate, reading_of

ROLE = "arn:aws:iam::111122223333:role/deploy"


def names(service: str, operation: str, **parameters: Any) -> set[str]:
    return {action.name for action in candidate(service, operation, **parameters).actions}


PLAIN = [
    ("s3", "ListObjectsV2", {"Bucket": "b"}, {"s3:ListBucket"}, AccessClass.LIST),
    ("s3", "ListBuckets", {}, {"s3:ListAllMyBuckets"}, AccessClass.LIST),
    ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, {"s3:GetObject"}, AccessClass.READ),
    ("s3", "GetObject", {"Bucket": "b", "Key": "k"}, {"s3:GetObject"}, AccessClass.READ),
    ("s3", "HeadBucket", {"Bucket": "b"}, {"s3:ListBucket"}, AccessClass.LIST),
    ("s3", "PutBucketPolicy", {"Bucket": "b", "Policy": "{}"}, {"s3:PutBucketPolicy"}, AccessClass.PERMISSIONS),
    (
        "s3",
        "UploadPart",
        {"Bucket": "b", "Key": "k", "PartNumber": 1, "UploadId": "u"},
        {"s3:PutObject"},
        AccessClass.WRITE,
    ),
    ("s3", "CreateSession", {"Bucket": "b"}, {"s3express:CreateSession"}, AccessClass.CREDENTIAL),
    ("lambda", "Invoke", {"FunctionName": "f"}, {"lambda:InvokeFunction"}, AccessClass.WRITE),
    ("sqs", "SendMessageBatch", {"QueueUrl": "q", "Entries": []}, {"sqs:SendMessage"}, AccessClass.WRITE),
    (
        "kms",
        "ReEncrypt",
        {"DestinationKeyId": "k", "CiphertextBlob": b"x"},
        {"kms:ReEncryptFrom", "kms:ReEncryptTo"},
        AccessClass.WRITE,
    ),
    ("sts", "GetCallerIdentity", {}, {"sts:GetCallerIdentity"}, AccessClass.READ),
    ("sts", "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "s"}, {"sts:AssumeRole"}, AccessClass.CREDENTIAL),
    ("sts", "GetSessionToken", {}, {"sts:GetSessionToken"}, AccessClass.CREDENTIAL),
    ("iam", "CreateAccessKey", {"UserName": "u"}, {"iam:CreateAccessKey"}, AccessClass.CREDENTIAL),
    ("ecr", "GetAuthorizationToken", {}, {"ecr:GetAuthorizationToken"}, AccessClass.CREDENTIAL),
    ("secretsmanager", "GetSecretValue", {"SecretId": "s"}, {"secretsmanager:GetSecretValue"}, AccessClass.READ),
    (
        "secretsmanager",
        "BatchGetSecretValue",
        {"SecretIdList": ["s"]},
        {"secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue"},
        AccessClass.LIST,
    ),
    ("ssm", "GetParametersByPath", {"Path": "/"}, {"ssm:GetParametersByPath", "ssm:GetParameter"}, AccessClass.READ),
    ("dynamodb", "TagResource", {"ResourceArn": "a", "Tags": []}, {"dynamodb:TagResource"}, AccessClass.TAGGING),
    ("ec2", "TerminateInstances", {"InstanceIds": []}, {"ec2:TerminateInstances"}, AccessClass.WRITE),
    ("apigateway", "GetRestApis", {}, {"apigateway:GET"}, AccessClass.READ),
    ("apigateway", "DeleteRestApi", {"restApiId": "x"}, {"apigateway:DELETE"}, AccessClass.WRITE),
    ("bedrock-runtime", "Converse", {"modelId": "m"}, {"bedrock:InvokeModel"}, AccessClass.READ),
    ("cloudwatch", "ListMetrics", {}, {"cloudwatch:ListMetrics"}, AccessClass.LIST),
    ("resourcegroupstaggingapi", "GetResources", {}, {"tag:GetResources"}, AccessClass.READ),
]


@pytest.mark.parametrize(("service", "operation", "parameters", "expected", "_"), PLAIN)
def test_an_operation_has_the_actions_iam_checks(
    service: Any, operation: Any, parameters: Any, expected: Any, _: Any
) -> None:
    assert names(service, operation, **parameters) == expected


@pytest.mark.parametrize(("service", "operation", "parameters", "_", "access"), PLAIN)
def test_an_operation_has_the_strictest_class_of_its_actions(
    service: Any, operation: Any, parameters: Any, _: Any, access: Any
) -> None:
    if operation != "BatchGetSecretValue":
        assert candidate(service, operation, **parameters).access is access
    else:
        assert candidate(service, operation, **parameters).access is AccessClass.READ


GIVEN = [
    ("s3", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "v"}, "s3:GetObjectVersion"),
    ("s3", "PutObject", {"Bucket": "b", "Key": "k", "ACL": "public-read"}, "s3:PutObjectAcl"),
    ("s3", "PutObject", {"Bucket": "b", "Key": "k", "Tagging": "a=b"}, "s3:PutObjectTagging"),
    ("s3", "PutObject", {"Bucket": "b", "Key": "k", "ObjectLockMode": "GOVERNANCE"}, "s3:PutObjectRetention"),
    ("s3", "CopyObject", {"Bucket": "b", "Key": "k", "CopySource": "s/k", "Tagging": "a=b"}, "s3:PutObjectTagging"),
    (
        "s3",
        "DeleteObject",
        {"Bucket": "b", "Key": "k", "BypassGovernanceRetention": True},
        "s3:BypassGovernanceRetention",
    ),
    ("s3", "CreateBucket", {"Bucket": "b", "ACL": "public-read"}, "s3:PutBucketAcl"),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b", "VersionId": "v"}]}},
        "s3:DeleteObjectVersion",
    ),
    (
        "ec2",
        "RunInstances",
        {"MinCount": 1, "MaxCount": 1, "TagSpecifications": [{"ResourceType": "instance"}]},
        "ec2:CreateTags",
    ),
    ("sts", "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "s", "SourceIdentity": "me"}, "sts:SetSourceIdentity"),
]


@pytest.mark.parametrize(("service", "operation", "parameters", "added"), GIVEN)
def test_a_parameter_adds_the_action_that_it_needs(service: Any, operation: Any, parameters: Any, added: Any) -> None:
    assert added in names(service, operation, **parameters)
    bare = {
        key: value
        for key, value in parameters.items()
        if key in ("Bucket", "Key", "CopySource", "RoleArn", "RoleSessionName", "MinCount", "MaxCount")
    }
    if operation == "DeleteObjects":
        bare["Delete"] = {"Objects": [{"Key": "a"}]}
    assert added not in names(service, operation, **bare)


def test_a_flag_that_is_off_adds_nothing() -> None:
    assert names("s3", "DeleteObject", Bucket="b", Key="k", BypassGovernanceRetention=False) == {"s3:DeleteObject"}


def test_a_copy_reads_and_writes() -> None:
    assert names("s3", "CopyObject", Bucket="b", Key="k", CopySource="s/k") == {"s3:GetObject", "s3:PutObject"}


# --- operations that carry items or statements

ITEM = {"TableName": "t", "Item": {}}
KEY = {"TableName": "t", "Key": {}}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([{"Put": ITEM}], {"dynamodb:PutItem"}),
        ([{"Delete": KEY}], {"dynamodb:DeleteItem"}),
        (
            [{"Put": ITEM}, {"ConditionCheck": {**KEY, "ConditionExpression": "x"}}],
            {"dynamodb:PutItem", "dynamodb:ConditionCheckItem"},
        ),
    ],
)
def test_a_transaction_is_what_its_items_are(items: Any, expected: Any) -> None:
    assert names("dynamodb", "TransactWriteItems", TransactItems=items) == expected


def test_a_batch_write_is_what_its_requests_are() -> None:
    put: dict[str, Any] = {"t": [{"PutRequest": {"Item": {}}}]}
    both: dict[str, Any] = {"t": [{"PutRequest": {"Item": {}}}, {"DeleteRequest": {"Key": {}}}]}
    assert names("dynamodb", "BatchWriteItem", RequestItems=put) == {"dynamodb:BatchWriteItem", "dynamodb:PutItem"}
    assert "dynamodb:DeleteItem" in names("dynamodb", "BatchWriteItem", RequestItems=both)


@pytest.mark.parametrize(
    ("statement", "action"),
    [
        ("SELECT * FROM t", "PartiQLSelect"),
        ("  select a from t", "PartiQLSelect"),
        ("INSERT INTO t VALUE {'a': 1}", "PartiQLInsert"),
        ("Update t set a=1", "PartiQLUpdate"),
        ("DELETE FROM t WHERE a=1", "PartiQLDelete"),
        ("EXISTS(SELECT * FROM t)", "PartiQLSelect"),
    ],
)
def test_partiql_is_told_by_its_verb(statement: Any, action: Any) -> None:
    assert names("dynamodb", "ExecuteStatement", Statement=statement) == {f"dynamodb:{action}"}


def test_partiql_that_begins_otherwise_may_do_anything() -> None:
    assert len(names("dynamodb", "ExecuteStatement", Statement="/* hi */ DELETE FROM t")) == 4


def test_statements_in_a_batch_all_count() -> None:
    statements = [{"Statement": "SELECT * FROM t"}, {"Statement": "DELETE FROM t WHERE a=1"}]
    found = names("dynamodb", "BatchExecuteStatement", Statements=statements)
    assert found == {"dynamodb:PartiQLSelect", "dynamodb:PartiQLDelete"}


# --- what is not mapped


def unmodelled(name: str = "InventTable") -> Reading:
    operation = Operation(
        service="dynamodb", name=name, protocol=Protocol.JSON, signing_name="dynamodb", is_modelled=False
    )
    return Reading(operation=operation, region="r", parameters={"TableName": "t"})


def test_an_operation_without_a_model_counts_as_write_and_permissions_management() -> None:
    assert actions_of(unmodelled()) == (
        Action(name="dynamodb:InventTable", access=AccessClass.WRITE),
        Action(name="dynamodb:InventTable", access=AccessClass.PERMISSIONS),
    )
    assert carried_by(unmodelled(), AccessClass.PERMISSIONS).is_delegated


def test_even_a_known_name_without_its_model_is_not_trusted() -> None:
    assert actions_of(unmodelled("GetItem"))[0].access is AccessClass.WRITE


def test_an_operation_nobody_mapped_counts_the_same_way() -> None:
    found = [
        operation
        for name in tables.index().services
        for operation in tables.service(name).operations.values()
        if not operation.is_mapped
    ]
    assert found
    for operation in found:
        assert {access for _, access in operation.actions} == {AccessClass.WRITE, AccessClass.PERMISSIONS}


@pytest.mark.parametrize("service", sorted(ActionReview.load().reviewed))
def test_every_operation_of_the_most_used_services_is_mapped(service: Any) -> None:
    operations = tables.service(service).operations
    assert [name for name, operation in operations.items() if not operation.is_mapped] == []


def test_the_most_used_services_are_sixty_and_more() -> None:
    assert len(ActionReview.load().reviewed) >= 60
    assert ActionReview.load().reviewed <= set(tables.index().services)


def test_most_operations_are_mapped() -> None:
    operations = [o for name in tables.index().services for o in tables.service(name).operations.values()]
    assert sum(operation.is_mapped for operation in operations) / len(operations) > 0.95


# --- the reviewed file itself


def test_every_operation_the_review_names_exists() -> None:
    review = ActionReview.load()
    named = set(review.credential) | set(review.delegated) | set(review.given) | set(review.effective)
    named |= {f"{service}.{name}" for service, actions in review.actions.items() for name in actions}
    missing = {name for name in named if name.partition(".")[2] not in operations_of(name.partition(".")[0])}
    assert missing == set()


def test_every_action_the_review_names_is_one_iam_knows() -> None:
    review = ActionReview.load()
    reviewed = {name for actions in review.actions.values() for names in actions.values() for name in names}
    reviewed |= {
        n for group in (review.given, review.effective) for places in group.values() for v in places.values() for n in v
    }
    known = tables.iam().actions
    assert {name for name in reviewed if name.partition(":")[2] not in known.get(name.partition(":")[0], {})} == set()


def test_every_parameter_the_review_names_is_a_member() -> None:
    review = ActionReview.load()
    for group in (review.given, review.effective):
        for operation, places in group.items():
            table = tables.service(operation.partition(".")[0])
            shape = table.shape(table.operations[operation.partition(".")[2]].input)
            assert shape is not None
            for place in places:
                assert shape.member(place.partition(".")[0]) is not None, (operation, place)


def operations_of(service: str) -> set[str]:
    return set(tables.service(service).operations) if service in tables.index().services else set()


@pytest.mark.parametrize("operation", sorted(ActionReview.load().credential))
def test_whatever_mints_credentials_has_their_class(operation: Any) -> None:
    service, _, name = operation.partition(".")
    assert all(access is AccessClass.CREDENTIAL for _, access in tables.service(service).operations[name].actions)


# --- what parameters carry


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("lambda", "CreateFunction", {"FunctionName": "f", "Role": ROLE, "Code": {}}),
        ("ecs", "RegisterTaskDefinition", {"family": "f", "taskRoleArn": ROLE, "containerDefinitions": []}),
        ("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1, "IamInstanceProfile": {"Name": "p"}}),
        ("iam", "AddRoleToInstanceProfile", {"RoleName": "r", "InstanceProfileName": "p"}),
        ("stepfunctions", "CreateStateMachine", {"name": "n", "definition": "{}", "roleArn": ROLE}),
        ("cloudformation", "CreateStack", {"StackName": "s", "RoleARN": ROLE}),
    ],
)
def test_a_role_that_is_handed_over_is_passed(service: Any, operation: Any, parameters: Any) -> None:
    assert "iam:PassRole" in {action.name for action in candidate(service, operation, **parameters).effective}


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("sts", "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "s"}),
        ("lambda", "CreateFunction", {"FunctionName": "f", "Role": "not-an-arn", "Code": {}}),
        ("lambda", "GetFunction", {"FunctionName": "f"}),
    ],
)
def test_nothing_is_passed_where_no_role_is(service: Any, operation: Any, parameters: Any) -> None:
    assert candidate(service, operation, **parameters).effective == ()


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("cloudformation", "CreateStack", {"StackName": "s"}),
        ("ssm", "SendCommand", {"DocumentName": "d"}),
        ("ssm", "StartSession", {"Target": "i-0123456789abcdef0"}),
        ("stepfunctions", "StartExecution", {"stateMachineArn": "a"}),
        ("cloudcontrol", "DeleteResource", {"TypeName": "AWS::S3::Bucket", "Identifier": "b"}),
        ("events", "StartReplay", {"ReplayName": "r"}),
    ],
)
def test_what_carries_other_operations_is_delegated(service: Any, operation: Any, parameters: Any) -> None:
    assert candidate(service, operation, **parameters).is_delegated


def test_a_reading_without_unknown_members_may_be_narrowed_and_one_with_may_not() -> None:
    reading = reading_of("dynamodb", "TransactWriteItems", TransactItems=[{"Put": ITEM}])
    odd = Reading(operation=reading.operation, region="r", parameters=reading.parameters, unknown={"x": 1})
    assert len(actions_of(reading)) == 1
    assert len(actions_of(odd)) == 4
