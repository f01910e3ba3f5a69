"""What a call's parameters amount to, where no rule can tell by their text: who is let in, what becomes reachable.

Pure and conservative: what cannot be told counts as exposing. The tables are data a reviewer reads beside AWS's
reference; policy documents are read by `gateway.engine.documents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.engine.documents import reach_of_documents, reach_of_statement
from gateway.engine.parameters import leaves_of
from gateway.engine.reach import Reach, is_wide, reach_of
from gateway.terms import AccessClass, Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one reading would do. `public_access`: everybody is let in to data or to an action. `public_network`: an
    endpoint or port becomes reachable for everybody. `foreign_access`: another account (or everybody) is let in.
    """

    public_access: bool = False
    public_network: bool = False
    foreign_access: bool = False


_NOTHING = Facts()
_EVERYTHING = Facts(public_access=True, public_network=True, foreign_access=True)
_READING = frozenset({AccessClass.LIST, AccessClass.READ})

# operation -> members that name who is let in. Lists of whom to remove are not here.
GRANTEES: Mapping[str, tuple[str, ...]] = {
    "acm-pca:CreatePermission": ("Principal", "SourceAccount"),
    "appstream:UpdateImagePermissions": ("SharedAccountId",),
    "ds:ShareDirectory": ("ShareTarget.Id",),
    "docdb:ModifyDBClusterSnapshotAttribute": ("ValuesToAdd[]",),
    "ec2:CreateNetworkInterfacePermission": ("AwsAccountId",),
    "ec2:CreateTransitGatewayPeeringAttachment": ("PeerAccountId",),
    "ec2:CreateVpcPeeringConnection": ("PeerOwnerId",),
    "ec2:ModifyFpgaImageAttribute": (
        "LoadPermission.Add[].Group", "LoadPermission.Add[].UserId", "UserGroups[]", "UserIds[]",
    ),
    "ec2:ModifyImageAttribute": (
        "LaunchPermission.Add[].Group", "LaunchPermission.Add[].UserId", "LaunchPermission.Add[].OrganizationArn",
        "LaunchPermission.Add[].OrganizationalUnitArn", "UserGroups[]", "UserIds[]", "OrganizationArns[]",
        "OrganizationalUnitArns[]",
    ),
    "ec2:ModifySnapshotAttribute": (
        "CreateVolumePermission.Add[].Group", "CreateVolumePermission.Add[].UserId", "GroupNames[]", "UserIds[]",
    ),
    "ec2:ModifyVpcEndpointServicePermissions": ("AddAllowedPrincipals[]",),
    "es:AuthorizeVpcEndpointAccess": ("Account",),
    "imagebuilder:CreateDistributionConfiguration": (
        "distributions[].amiDistributionConfiguration.targetAccountIds[]",
        "distributions[].amiDistributionConfiguration.launchPermission.userIds[]",
        "distributions[].amiDistributionConfiguration.launchPermission.userGroups[]",
        "distributions[].amiDistributionConfiguration.launchPermission.organizationArns[]",
    ),
    "imagebuilder:UpdateDistributionConfiguration": (
        "distributions[].amiDistributionConfiguration.targetAccountIds[]",
        "distributions[].amiDistributionConfiguration.launchPermission.userIds[]",
        "distributions[].amiDistributionConfiguration.launchPermission.userGroups[]",
        "distributions[].amiDistributionConfiguration.launchPermission.organizationArns[]",
    ),
    "kms:CreateGrant": ("GranteePrincipal", "RetiringPrincipal"),
    "lakeformation:BatchGrantPermissions": ("Entries[].Principal.DataLakePrincipalIdentifier",),
    "lakeformation:GrantPermissions": ("Principal.DataLakePrincipalIdentifier",),
    "lightsail:UpdateBucket": ("readonlyAccessAccounts[]",),
    "neptune:ModifyDBClusterSnapshotAttribute": ("ValuesToAdd[]",),
    "opensearch:AuthorizeVpcEndpointAccess": ("Account",),
    "organizations:InviteAccountToOrganization": ("Target.Id",),
    "ram:AssociateResourceShare": ("principals[]",),
    "ram:CreateResourceShare": ("principals[]",),
    "rds:ModifyDBClusterSnapshotAttribute": ("ValuesToAdd[]",),
    "rds:ModifyDBSnapshotAttribute": ("ValuesToAdd[]",),
    "redshift:AuthorizeDataShare": ("ConsumerIdentifier",),
    "redshift:AuthorizeEndpointAccess": ("Account",),
    "redshift:AuthorizeSnapshotAccess": ("AccountWithRestoreAccess",),
    "route53domains:TransferDomainToAnotherAwsAccount": ("AccountId",),
    "s3:PutBucketInventoryConfiguration": ("InventoryConfiguration.Destination.S3BucketDestination.AccountId",),
    "s3:PutBucketReplication": ("ReplicationConfiguration.Rules[].Destination.Account",),
    "s3control:CreateAccessGrant": ("Grantee.GranteeIdentifier",),
    "servicecatalog:CreatePortfolioShare": ("AccountId", "OrganizationNode.Value"),
    "sns:AddPermission": ("AWSAccountId[]",),
    "sqs:AddPermission": ("AWSAccountIds[]",),
    "ssm:ModifyDocumentPermission": ("AccountIdsToAdd[]",),
    "workspaces:UpdateWorkspaceImagePermission": ("SharedAccountId",),
}  # fmt: skip
# operation -> what its parameters hold of a policy statement: principal, then condition keys by member.
STATEMENTS: Mapping[str, Mapping[str, str]] = {
    "lambda:AddPermission": {
        "SourceArn": "aws:SourceArn",
        "SourceAccount": "aws:SourceAccount",
        "PrincipalOrgID": "aws:PrincipalOrgID",
    },
    "lambda:AddLayerVersionPermission": {"OrganizationId": "aws:PrincipalOrgID"},
    "events:PutPermission": {"Condition.Value": "aws:PrincipalOrgID"},
}
# `member=value` in lower case, the member's last name alone: exposing wherever it stands.
_OPENS_ACCESS = frozenset(
    {
        "acl=public-read",
        "acl=public-read-write",
        "acl=authenticated-read",
        "objectacl=public-read",
        "objectacl=public-read-write",
        "objectacl=authenticated-read",
        "cannedacl=public-read",
        "cannedacl=public-read-write",
        "cannedacl=authenticated-read",
        "getobject=public",
        "allowpublicoverrides=true",
        "blockpublicacls=false",
        "ignorepublicacls=false",
        "blockpublicpolicy=false",
        "restrictpublicbuckets=false",
        "projectvisibility=public_read",
    }
)
_OPENS_NETWORK = frozenset(
    {
        "publiclyaccessible=true",
        "endpointpublicaccess=true",
        "blockpublicsecuritygrouprules=false",
    }
)
_GRANT_HEADERS = frozenset({"GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP"})
# S3's groups of everybody, in grants and in x-amz-grant-* headers.
_EVERYBODY_GROUPS = ("groups/global/allusers", "groups/global/authenticatedusers")
_BLOCKED = tuple(
    f"PublicAccessBlockConfiguration.{flag}=true"
    for flag in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
)
_PRIVATE = ("PubliclyAccessible=false",)
# operation -> what it has to say; left out, AWS takes the open value or one that cannot be told from here.
MUST_SAY: Mapping[str, tuple[str, ...]] = {
    "s3:PutPublicAccessBlock": _BLOCKED,
    "s3control:PutPublicAccessBlock": _BLOCKED,
    "lambda:CreateFunctionUrlConfig": ("AuthType=AWS_IAM",),
    "rds:CreateDBInstance": _PRIVATE,
    "rds:CreateDBInstanceReadReplica": _PRIVATE,
    "rds:RestoreDBInstanceFromDBSnapshot": _PRIVATE,
    "rds:RestoreDBInstanceFromS3": _PRIVATE,
    "rds:RestoreDBInstanceToPointInTime": _PRIVATE,
    "dms:CreateReplicationInstance": _PRIVATE,
    "eks:CreateCluster": ("resourcesVpcConfig.endpointPublicAccess=false",),
    "elb:CreateLoadBalancer": ("Scheme=internal",),
    "elbv2:CreateLoadBalancer": ("Scheme=internal",),
}
_SAYS_ABOUT_ACCESS = frozenset(
    {
        "s3:PutPublicAccessBlock",
        "s3control:PutPublicAccessBlock",
        "lambda:CreateFunctionUrlConfig",
        "lambda:UpdateFunctionUrlConfig",
    }
)
# operation -> what it must not say.
MUST_NOT_SAY: Mapping[str, tuple[str, ...]] = {
    "lambda:UpdateFunctionUrlConfig": ("AuthType=NONE",),
    "kafka:UpdateConnectivity": ("ConnectivityInfo.PublicAccess.Type=SERVICE_PROVIDED_EIPS",),
}
# Opens whatever its parameters say.
ALWAYS_ACCESS = frozenset(
    {
        "s3:DeletePublicAccessBlock",
        "s3control:DeletePublicAccessBlock",
        "ec2:DisableImageBlockPublicAccess",
        "ec2:DisableSnapshotBlockPublicAccess",
        "ecr-public:CreateRepository",
    }
)
# operation -> whether it opens to everybody where it names no addresses at all.
INGRESS: Mapping[str, bool] = {
    "ec2:AuthorizeSecurityGroupIngress": False,
    "ec2:ModifySecurityGroupRules": False,
    "eks:UpdateClusterConfig": False,
    "lightsail:OpenInstancePublicPorts": True,
    "lightsail:PutInstancePublicPorts": True,
    "rds:AuthorizeDBSecurityGroupIngress": False,
    "redshift:AuthorizeClusterSecurityGroupIngress": False,
}
_ADDRESSES = frozenset(
    {"cidrip", "cidripv4", "cidripv6", "cidrs", "ipv6cidrs", "publicaccesscidrs", "prefixlistid", "cidrlistaliases"}
)
# Their text is data, and may hold any policy as a message or an item without granting it.
_CARRY_DATA = frozenset(
    {
        "dynamodb:BatchWriteItem",
        "dynamodb:PutItem",
        "dynamodb:TransactWriteItems",
        "dynamodb:UpdateItem",
        "events:PutEvents",
        "logs:PutLogEvents",
        "sns:Publish",
        "sns:PublishBatch",
        "sqs:SendMessage",
        "sqs:SendMessageBatch",
        "ses:SendEmail",
        "sesv2:SendEmail",
    }
)
_TABLED = frozenset({*GRANTEES, *STATEMENTS, *MUST_SAY, *MUST_NOT_SAY, *ALWAYS_ACCESS, *INGRESS})
# Carried actions come in IAM's names, which seldom differ from the operations'.
_TABLED_ACTIONS = _TABLED | {"elasticloadbalancing:CreateLoadBalancer", "sqs:SetQueueAttributes"}


def facts_of(candidate: Candidate, *, account: str) -> Facts:
    """The facts of one reading on a connection to `account`; raises TooManyParameters."""
    if candidate.access in _READING and not candidate.effective:
        return _NOTHING
    if _cannot_be_told(candidate):
        return _EVERYTHING
    if candidate.access in _READING:
        return _NOTHING
    operation = f"{candidate.operation.service}:{candidate.operation.name}"
    leaves = [(general, text) for _, general, text in leaves_of(candidate.parameters)]
    reach = max(
        _granted(operation, leaves, account),
        _documented(operation, candidate, account),
        _opened(operation, leaves),
        _listed(leaves),
    )
    return Facts(
        public_access=reach is Reach.PUBLIC,
        public_network=_is_network_opened(operation, leaves),
        foreign_access=reach >= Reach.FOREIGN,
    )


def _cannot_be_told(candidate: Candidate) -> bool:
    """Parameters nobody can read, and actions that come to pass later with parameters of their own."""
    carried = any(
        each.access is AccessClass.PERMISSIONS or each.name in _TABLED_ACTIONS for each in candidate.effective
    )
    name = f"{candidate.operation.service}:{candidate.operation.name}"
    could_expose = candidate.access is AccessClass.PERMISSIONS or name in _TABLED
    return carried or not candidate.operation.is_modelled or (bool(candidate.unknown_members) and could_expose)


def _granted(operation: str, leaves: Iterable[tuple[str, str]], account: str) -> Reach:
    if operation in STATEMENTS:
        return _of_statement(STATEMENTS[operation], dict(leaves), account)
    members = GRANTEES.get(operation, ())
    if ("OperationType", "remove") in leaves:
        return Reach.OWN
    return max((reach_of(text, account) for place, text in leaves if place in members), default=Reach.OWN)


def _of_statement(keys: Mapping[str, str], said: Mapping[str, str], account: str) -> Reach:
    """A permission given member by member, read as the statement AWS makes of it."""
    condition = {keys[member]: text for member, text in said.items() if member in keys}
    principal = said.get("Principal", "")
    if reach_of(principal, account) is Reach.OWN and principal.endswith(".com") and "EventSourceToken" not in said:
        # A service acts for whichever customer sets it up: without a source, for all of them.
        principal = "*"
    return reach_of_statement({"Principal": principal, "Condition": {"StringLike": condition}}, account)


def _documented(operation: str, candidate: Candidate, account: str) -> Reach:
    # A `Statement` of SQL is no policy's.
    holds_none = operation in _CARRY_DATA or bool(candidate.statements)
    return Reach.OWN if holds_none else reach_of_documents(candidate.parameters, account)


def _opened(operation: str, leaves: Iterable[tuple[str, str]]) -> Reach:
    is_open = operation in ALWAYS_ACCESS or (operation in _SAYS_ABOUT_ACCESS and _is_left_open(operation, leaves))
    if is_open or any(_spoken(place, text) in _OPENS_ACCESS or _is_everybody(text) for place, text in leaves):
        return Reach.PUBLIC
    return Reach.OWN


def _is_everybody(text: str) -> bool:
    return any(group in text.casefold() for group in _EVERYBODY_GROUPS)


def _listed(leaves: Iterable[tuple[str, str]]) -> Reach:
    """Who stands in an S3 access control list. Canonical ids say nothing of their account: all but the owner's are strangers."""
    said = list(leaves)
    owners = {text for place, text in said if place.endswith("Owner.ID")}
    named = (text for place, text in said if place.endswith(("Grantee.ID", "Grantee.EmailAddress")))
    headed = (text for place, text in said if place in _GRANT_HEADERS)
    is_foreign = any(text not in owners for text in named) or any(not _is_everybody(text) for text in headed)
    return Reach.FOREIGN if is_foreign else Reach.OWN


def _is_network_opened(operation: str, leaves: list[tuple[str, str]]) -> bool:
    return (
        any(_spoken(place, text) in _OPENS_NETWORK for place, text in leaves)
        or (operation not in _SAYS_ABOUT_ACCESS and _is_left_open(operation, leaves))
        or (operation in INGRESS and _is_let_in(operation, leaves))
    )


def _is_left_open(operation: str, leaves: Iterable[tuple[str, str]]) -> bool:
    said = {f"{place}={text}" for place, text in leaves}
    refused = said.intersection(MUST_NOT_SAY.get(operation, ()))
    return bool(refused) or not said.issuperset(MUST_SAY.get(operation, ()))


def _is_let_in(operation: str, leaves: Iterable[tuple[str, str]]) -> bool:
    ranges = [(_last(place), text) for place, text in leaves if _last(place) in _ADDRESSES]
    if not ranges:
        return INGRESS[operation]
    # What a prefix list or an alias holds cannot be told from here.
    return any(name in ("prefixlistid", "cidrlistaliases") or is_wide(text) for name, text in ranges)


def _spoken(place: str, text: str) -> str:
    return f"{_last(place)}={text.casefold()}"


def _last(place: str) -> str:
    return place.rpartition(".")[2].removesuffix("[]").casefold()
