"""Reviewed data: which actions a target, a task, a template's resource or an AWS document stands for.

Reading definitions with it is `carried` and `definitions`.
"""

from __future__ import annotations

from collections.abc import Mapping

Names = tuple[str, ...]

# What AWS does to a target that is a resource rather than an operation, by the service in its ARN.
TARGET_ACTIONS: Mapping[str, Names] = {
    "batch": ("batch:SubmitJob",),
    "codebuild": ("codebuild:StartBuild",),
    "codepipeline": ("codepipeline:StartPipelineExecution",),
    "ecs": ("ecs:RunTask",),
    "events": ("events:PutEvents",),
    "execute-api": ("execute-api:Invoke",),
    "firehose": ("firehose:PutRecord",),
    "glue": ("glue:NotifyEvent",),
    "inspector": ("inspector:StartAssessmentRun",),
    "kinesis": ("kinesis:PutRecord",),
    "lambda": ("lambda:InvokeFunction",),
    "logs": ("logs:CreateLogStream", "logs:PutLogEvents"),
    "redshift": ("redshift-data:ExecuteStatement",),
    "redshift-serverless": ("redshift-data:ExecuteStatement",),
    "sagemaker": ("sagemaker:StartPipelineExecution",),
    "sns": ("sns:Publish",),
    "sqs": ("sqs:SendMessage",),
    "states": ("states:StartExecution",),
    "timestream": ("timestream:WriteRecords",),
}
# Targets that run whatever their own definition says: what they do is not in the call at hand.
DELEGATING_TARGETS = frozenset(("batch", "codebuild", "codepipeline", "ecs", "redshift", "redshift-serverless", "ssm"))
DELEGATING_TARGETS |= {"states", "sagemaker", "glue", "inspector"}

# What a poller reads from its source.
SOURCE_ACTIONS: Mapping[str, Names] = {
    "dynamodb": ("dynamodb:GetRecords", "dynamodb:GetShardIterator"),
    "kafka": ("kafka-cluster:ReadData",),
    "kinesis": ("kinesis:GetRecords", "kinesis:GetShardIterator"),
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage"),
}

# What an alarm does: `arn:aws:automate:region:ec2:terminate` and its kin.
ALARM_ACTIONS: Mapping[str, Names] = {
    "stop": ("ec2:StopInstances",),
    "terminate": ("ec2:TerminateInstances",),
    "reboot": ("ec2:RebootInstances",),
    "recover": ("ec2:RebootInstances",),
}

# Spellings of the Java SDK and of Step Functions' own integrations that are no botocore names.
SERVICE_SPELLINGS: Mapping[str, str] = {
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "cloudwatchevents": "events",
    "databasemigration": "dms",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "elasticmapreduce": "emr",
    "eventbridge": "events",
    "resourcegroupstagging": "resourcegroupstaggingapi",
    "sfn": "stepfunctions",
    "states": "stepfunctions",
}
# Integrations of Step Functions that are no operations of a model.
TASK_ACTIONS: Mapping[str, Names] = {
    "apigateway:invoke": ("execute-api:Invoke",),
    "elasticmapreduce:addStep": ("elasticmapreduce:AddJobFlowSteps",),
    "elasticmapreduce:cancelStep": ("elasticmapreduce:CancelSteps",),
    "elasticmapreduce:createCluster": ("elasticmapreduce:RunJobFlow",),
    "elasticmapreduce:terminateCluster": ("elasticmapreduce:TerminateJobFlows",),
    "http:invoke": ("states:InvokeHTTPEndpoint",),
    "lambda:invoke": ("lambda:InvokeFunction",),
}

# Automation documents AWS owns, by what they do; any other document is the caller's own.
AWS_DOCUMENTS: Mapping[str, Names] = {
    "AWS-AttachEBSVolume": ("ec2:AttachVolume",),
    "AWS-ConfigureS3BucketLogging": ("s3:PutBucketLogging",),
    "AWS-CreateImage": ("ec2:CreateImage",),
    "AWS-CreateSnapshot": ("ec2:CreateSnapshot",),
    "AWS-DeleteEBSVolumeBackups": ("ec2:DeleteSnapshot",),
    "AWS-DeleteImage": ("ec2:DeregisterImage", "ec2:DeleteSnapshot"),
    "AWS-DeleteSnapshot": ("ec2:DeleteSnapshot",),
    "AWS-DetachEBSVolume": ("ec2:DetachVolume",),
    "AWS-DisablePublicAccessForSecurityGroup": ("ec2:RevokeSecurityGroupIngress",),
    "AWS-EnableS3BucketEncryption": ("s3:PutEncryptionConfiguration",),
    "AWS-RebootRdsInstance": ("rds:RebootDBInstance",),
    "AWS-ReleaseElasticIP": ("ec2:ReleaseAddress",),
    "AWS-ResizeInstance": ("ec2:StopInstances", "ec2:ModifyInstanceAttribute", "ec2:StartInstances"),
    "AWS-RestartEC2Instance": ("ec2:StopInstances", "ec2:StartInstances"),
    "AWS-StartEC2Instance": ("ec2:StartInstances",),
    "AWS-StartRdsInstance": ("rds:StartDBInstance",),
    "AWS-StopEC2Instance": ("ec2:StopInstances",),
    "AWS-StopRdsInstance": ("rds:StopDBInstance",),
    "AWS-TerminateEC2Instance": ("ec2:TerminateInstances",),
}
# Steps of a document that do one thing each. Scripts, commands and other documents stay folded.
DOCUMENT_STEPS: Mapping[str, Names] = {
    "aws:approve": (),
    "aws:branch": (),
    "aws:changeInstanceState": ("ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances"),
    "aws:copyImage": ("ec2:CopyImage",),
    "aws:createImage": ("ec2:CreateImage",),
    "aws:createStack": ("cloudformation:CreateStack",),
    "aws:createTags": ("ec2:CreateTags",),
    "aws:deleteImage": ("ec2:DeregisterImage",),
    "aws:deleteStack": ("cloudformation:DeleteStack",),
    "aws:executeStateMachine": ("states:StartExecution",),
    "aws:invokeLambdaFunction": ("lambda:InvokeFunction",),
    "aws:pause": (),
    "aws:runInstances": ("ec2:RunInstances",),
    "aws:sleep": (),
}
DELEGATING_STEPS = frozenset(("aws:createStack", "aws:deleteStack", "aws:executeStateMachine"))

# What creating a resource of a template performs; `Properties` names those that add actions. A type that is not
# here is looked up as the operation `Create<Resource>` of its service.
TEMPLATE_TYPES: Mapping[str, Names] = {
    "AWS::ApiGateway::Deployment": ("apigateway:POST",),
    "AWS::ApiGateway::Method": ("apigateway:PUT",),
    "AWS::ApiGateway::Resource": ("apigateway:POST",),
    "AWS::ApiGateway::RestApi": ("apigateway:POST",),
    "AWS::ApiGateway::Stage": ("apigateway:POST",),
    "AWS::ApiGatewayV2::Api": ("apigateway:POST",),
    "AWS::CertificateManager::Certificate": ("acm:RequestCertificate",),
    "AWS::CloudFormation::WaitConditionHandle": (),
    "AWS::CloudWatch::Alarm": ("cloudwatch:PutMetricAlarm",),
    "AWS::CloudWatch::Dashboard": ("cloudwatch:PutDashboard",),
    "AWS::EC2::EIP": ("ec2:AllocateAddress",),
    "AWS::EC2::Instance": ("ec2:RunInstances",),
    "AWS::EC2::SecurityGroupEgress": ("ec2:AuthorizeSecurityGroupEgress",),
    "AWS::EC2::SecurityGroupIngress": ("ec2:AuthorizeSecurityGroupIngress",),
    "AWS::EC2::SubnetRouteTableAssociation": ("ec2:AssociateRouteTable",),
    "AWS::EC2::VPCGatewayAttachment": ("ec2:AttachInternetGateway", "ec2:AttachVpnGateway"),
    "AWS::EC2::VPCPeeringConnection": ("ec2:CreateVpcPeeringConnection", "ec2:AcceptVpcPeeringConnection"),
    "AWS::ECS::TaskDefinition": ("ecs:RegisterTaskDefinition",),
    "AWS::Events::EventBusPolicy": ("events:PutPermission",),
    "AWS::Events::Rule": ("events:PutRule", "events:PutTargets"),
    "AWS::IAM::AccessKey": ("iam:CreateAccessKey",),
    "AWS::IAM::ManagedPolicy": ("iam:CreatePolicy",),
    "AWS::IAM::Policy": ("iam:PutRolePolicy", "iam:PutUserPolicy", "iam:PutGroupPolicy"),
    "AWS::IAM::RolePolicy": ("iam:PutRolePolicy",),
    "AWS::IAM::UserPolicy": ("iam:PutUserPolicy",),
    "AWS::IAM::UserToGroupAddition": ("iam:AddUserToGroup",),
    "AWS::KMS::Key": ("kms:CreateKey", "kms:PutKeyPolicy"),
    "AWS::Lambda::EventInvokeConfig": ("lambda:PutFunctionEventInvokeConfig",),
    "AWS::Lambda::LayerVersion": ("lambda:PublishLayerVersion",),
    "AWS::Lambda::Permission": ("lambda:AddPermission",),
    "AWS::Lambda::Url": ("lambda:CreateFunctionUrlConfig",),
    "AWS::Lambda::Version": ("lambda:PublishVersion",),
    "AWS::Logs::MetricFilter": ("logs:PutMetricFilter",),
    "AWS::Logs::ResourcePolicy": ("logs:PutResourcePolicy",),
    "AWS::Logs::SubscriptionFilter": ("logs:PutSubscriptionFilter",),
    "AWS::RDS::DBInstance": ("rds:CreateDBInstance",),
    "AWS::Route53::RecordSet": ("route53:ChangeResourceRecordSets",),
    "AWS::Route53::RecordSetGroup": ("route53:ChangeResourceRecordSets",),
    "AWS::S3::BucketPolicy": ("s3:PutBucketPolicy",),
    "AWS::SNS::Subscription": ("sns:Subscribe",),
    "AWS::SNS::TopicPolicy": ("sns:SetTopicAttributes",),
    "AWS::SQS::QueuePolicy": ("sqs:SetQueueAttributes",),
    "AWS::SSM::Parameter": ("ssm:PutParameter",),
    "AWS::SecretsManager::ResourcePolicy": ("secretsmanager:PutResourcePolicy",),
    "AWS::SecretsManager::RotationSchedule": ("secretsmanager:RotateSecret",),
}
TEMPLATE_PROPERTIES: Mapping[str, Mapping[str, Names]] = {
    "AWS::EC2::SecurityGroup": {
        "SecurityGroupIngress": ("ec2:AuthorizeSecurityGroupIngress",),
        "SecurityGroupEgress": ("ec2:AuthorizeSecurityGroupEgress",),
    },
    "AWS::IAM::Group": {
        "Policies": ("iam:PutGroupPolicy",),
        "ManagedPolicyArns": ("iam:AttachGroupPolicy",),
    },
    "AWS::IAM::InstanceProfile": {"Roles": ("iam:AddRoleToInstanceProfile", "iam:PassRole")},
    "AWS::IAM::ManagedPolicy": {
        "Roles": ("iam:AttachRolePolicy",),
        "Users": ("iam:AttachUserPolicy",),
        "Groups": ("iam:AttachGroupPolicy",),
    },
    "AWS::IAM::Role": {
        "Policies": ("iam:PutRolePolicy",),
        "ManagedPolicyArns": ("iam:AttachRolePolicy",),
    },
    "AWS::IAM::User": {
        "Groups": ("iam:AddUserToGroup",),
        "LoginProfile": ("iam:CreateLoginProfile",),
        "ManagedPolicyArns": ("iam:AttachUserPolicy",),
        "Policies": ("iam:PutUserPolicy",),
    },
    "AWS::S3::Bucket": {
        "AccessControl": ("s3:PutBucketAcl",),
        "BucketEncryption": ("s3:PutEncryptionConfiguration",),
        "LifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
        "NotificationConfiguration": ("s3:PutBucketNotification",),
        "PublicAccessBlockConfiguration": ("s3:PutBucketPublicAccessBlock",),
        "ReplicationConfiguration": ("s3:PutReplicationConfiguration",),
        "VersioningConfiguration": ("s3:PutBucketVersioning",),
    },
    "AWS::SecretsManager::Secret": {"GenerateSecretString": ("secretsmanager:GetRandomPassword",)},
}
# A template spells services as its own registry does.
TEMPLATE_SERVICES: Mapping[str, str] = {
    "cognito": "cognito-idp",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "kinesisfirehose": "firehose",
    "opensearchservice": "opensearch",
}
# Resources whose content is run elsewhere, or are made of further resources.
DELEGATING_TYPES = frozenset(
    (
        "AWS::CloudFormation::CustomResource",
        "AWS::CloudFormation::Macro",
        "AWS::CloudFormation::Stack",
        "AWS::CloudFormation::StackSet",
        "AWS::CodeBuild::Project",
        "AWS::CodePipeline::Pipeline",
        "AWS::Events::Rule",
        "AWS::SSM::Association",
        "AWS::SSM::Document",
        "AWS::Scheduler::Schedule",
        "AWS::StepFunctions::StateMachine",
    )
)
