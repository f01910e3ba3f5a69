"""Reviewed data: which parameters name a resource, and how its ARN is written.

Reading parameters with it is `resources`.
"""

from __future__ import annotations

from collections.abc import Mapping

# Service model -> member name (wherever it stands) -> "service:rest" of the ARN, `{}` being the name.
# `service!` has neither region nor account; `iam` has an account and no region.
BUILT: Mapping[str, Mapping[str, str]] = {
    "autoscaling": {"AutoScalingGroupName": "autoscaling:autoScalingGroup:*:autoScalingGroupName/{}"},
    "athena": {"WorkGroup": "athena:workgroup/{}", "Catalog": "athena:datacatalog/{}"},
    "backup": {"BackupVaultName": "backup:backup-vault:{}"},
    "cloudformation": {
        "StackName": "cloudformation:stack/{}/*",
        "StackSetName": "cloudformation:stackset/{}:*",
        "ChangeSetName": "cloudformation:changeSet/{}/*",
    },
    "cloudtrail": {"Name": "cloudtrail:trail/{}", "TrailName": "cloudtrail:trail/{}"},
    "cloudwatch": {"AlarmName": "cloudwatch:alarm:{}", "AlarmNames": "cloudwatch:alarm:{}"},
    "codebuild": {"projectName": "codebuild:project/{}"},
    "codecommit": {"repositoryName": "codecommit:{}"},
    "docdb": {
        "DBClusterIdentifier": "rds:cluster:{}",
        "DBInstanceIdentifier": "rds:db:{}",
        "DBClusterSnapshotIdentifier": "rds:cluster-snapshot:{}",
    },
    "dynamodb": {
        "TableName": "dynamodb:table/{}",
        "TargetTableName": "dynamodb:table/{}",
        "SourceTableName": "dynamodb:table/{}",
        "GlobalTableName": "dynamodb:table/{}",
    },
    "ec2": {
        "KeyName": "ec2:key-pair/{}",
        "KeyNames": "ec2:key-pair/{}",
        "LaunchTemplateName": "ec2:launch-template/{}",
    },
    "ecr": {"repositoryName": "ecr:repository/{}", "repositoryNames": "ecr:repository/{}"},
    "ecs": {"cluster": "ecs:cluster/{}", "clusterName": "ecs:cluster/{}", "service": "ecs:service/{}"},
    "eks": {"clusterName": "eks:cluster/{}", "name": "eks:cluster/{}"},
    "elasticache": {
        "CacheClusterId": "elasticache:cluster:{}",
        "ReplicationGroupId": "elasticache:replicationgroup:{}",
    },
    "events": {"EventBusName": "events:event-bus/{}", "Rule": "events:rule/{}"},
    "firehose": {"DeliveryStreamName": "firehose:deliverystream/{}"},
    "glue": {"DatabaseName": "glue:database/{}", "JobName": "glue:job/{}", "CrawlerName": "glue:crawler/{}"},
    "iam": {
        "RoleName": "iam:role/{}",
        "UserName": "iam:user/{}",
        "GroupName": "iam:group/{}",
        "InstanceProfileName": "iam:instance-profile/{}",
        "ServerCertificateName": "iam:server-certificate/{}",
    },
    "kinesis": {"StreamName": "kinesis:stream/{}"},
    "kms": {"AliasName": "kms:{}"},
    "lambda": {"LayerName": "lambda:layer:{}"},
    "logs": {
        "logGroupName": "logs:log-group:{}",
        "logGroupNames": "logs:log-group:{}",
        "logGroupNamePrefix": "logs:log-group:{}*",
    },
    "neptune": {
        "DBClusterIdentifier": "rds:cluster:{}",
        "DBInstanceIdentifier": "rds:db:{}",
        "DBClusterSnapshotIdentifier": "rds:cluster-snapshot:{}",
    },
    "rds": {
        "DBClusterIdentifier": "rds:cluster:{}",
        "DBInstanceIdentifier": "rds:db:{}",
        "SourceDBInstanceIdentifier": "rds:db:{}",
        "TargetDBInstanceIdentifier": "rds:db:{}",
        "DBSnapshotIdentifier": "rds:snapshot:{}",
        "SourceDBSnapshotIdentifier": "rds:snapshot:{}",
        "TargetDBSnapshotIdentifier": "rds:snapshot:{}",
        "DBClusterSnapshotIdentifier": "rds:cluster-snapshot:{}",
        "SnapshotIdentifier": "rds:snapshot:{}",
        "DBParameterGroupName": "rds:pg:{}",
        "DBSubnetGroupName": "rds:subgrp:{}",
    },
    "redshift": {"ClusterIdentifier": "redshift:cluster:{}"},
    "redshift-data": {"ClusterIdentifier": "redshift:cluster:{}", "WorkgroupName": "redshift-serverless:workgroup/{}"},
    "route53": {"HostedZoneId": "route53!:hostedzone/{}", "Id": "route53!:hostedzone/{}"},
    "s3": {"TargetBucket": "s3!:{}"},
    "s3control": {"Bucket": "s3!:{}"},
    "scheduler": {"GroupName": "scheduler:schedule-group/{}"},
    "secretsmanager": {
        "SecretId": "secretsmanager:secret:{}",
        "SecretIdList": "secretsmanager:secret:{}",
        "Name": "secretsmanager:secret:{}",
    },
    "sns": {"Name": "sns:{}"},
    "sqs": {"QueueName": "sqs:{}"},
    "ssm": {
        "DocumentName": "ssm:document/{}",
        "AutomationExecutionId": "ssm:automation-execution/{}",
        "WindowId": "ssm:maintenancewindow/{}",
    },
}

# What EC2's own identifiers begin with, for any service that takes one.
EC2_IDS: Mapping[str, str] = {
    "acl": "network-acl",
    "ami": "image",
    "cgw": "customer-gateway",
    "cr": "capacity-reservation",
    "dopt": "dhcp-options",
    "eigw": "egress-only-internet-gateway",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "fleet": "fleet",
    "h": "dedicated-host",
    "i": "instance",
    "igw": "internet-gateway",
    "lt": "launch-template",
    "nat": "natgateway",
    "pcx": "vpc-peering-connection",
    "pl": "prefix-list",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "sir": "spot-instances-request",
    "snap": "snapshot",
    "subnet": "subnet",
    "tgw": "transit-gateway",
    "tgw-attach": "transit-gateway-attachment",
    "vgw": "vpn-gateway",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
    "vpn": "vpn-connection",
}
