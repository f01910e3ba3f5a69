"""What AWS itself offers to everybody out of accounts of its own: Lambda layers and container registries. Data.

Only what AWS names in public, with where: who else's account a call may reach is the connection's (`foreign`).
"""

from __future__ import annotations

from collections.abc import Mapping

# By the beginning of a layer's name: an account of AWS's is let through for what it is known to offer, and no further.
# fmt: off
LAYERS: Mapping[str, frozenset[str]] = {
    # docs.aws.amazon.com/powertools/python: Getting started, Lambda layer
    "AWSLambdaPowertoolsPython": frozenset(("017000801446",)),
    # docs.aws.amazon.com/powertools/typescript: Getting started, Lambda layers
    "AWSLambdaPowertoolsTypeScript": frozenset(("094274105915",)),
    # The tables below: AWS CDK 2.276, region-info, which cites the guide of each.
    # docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Lambda-Insights-extension-versions.html
    "LambdaInsightsExtension": frozenset(
        (
            "012438385374", "033019950311", "066549572091", "145023102084", "158895979263", "194566237122",
            "285320876703", "339249233099", "352183217350", "439286490199", "459530977127", "519774774795",
            "580247275435", "590183865173", "605207715842", "727646510379", "732604637566", "761018874580",
            "761377655185", "879381266642", "891564319516", "946466191631",
        )
    ),
    # docs.aws.amazon.com/appconfig/latest/userguide/appconfig-integration-lambda-extensions-versions.html
    "AWS-AppConfig-Extension": frozenset(
        (
            "000010852771", "027255383542", "039592058896", "066940009817", "080788657173", "203683718741",
            "282860088358", "307021474294", "359756378197", "418787028745", "421114256042", "434848589818",
            "489524808438", "493207061005", "554480029851", "559955524753", "574348263942", "586093569114",
            "630222743974", "646970417810", "662846165436", "706869817123", "728743619870", "758369105281",
            "826293736237", "958113053741", "980059726660",
        )
    ),
    # docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html
    "AWS-Parameters-and-Secrets-Lambda-Extension": frozenset(
        (
            "015030872274", "044395824272", "070087711984", "133256977650", "133490724326", "176022468876",
            "177933569100", "187925254637", "200266452380", "317013901791", "325218067255", "345057560386",
            "427196147048", "490737872127", "524103009944", "576959938190", "590474943231", "665172237481",
            "738900069198", "768336418462", "772501565639", "780235371811", "832021897121", "858974508948",
            "933737806257", "997803712105",
        )
    ),
    # aws-otel.github.io/docs/getting-started/lambda
    "aws-otel-": frozenset(("901920570463",)),
}
REGISTRIES: frozenset[str] = frozenset(
    # docs.aws.amazon.com/deep-learning-containers/latest/devguide/deep-learning-containers-images.html, as in the CDK
    (
        "217643126080", "380420809688", "457447274322", "503227376785", "633930458069", "692866216735",
        "763104351884", "772153158452", "871362719292", "907027046896", "914824155844", "975050140332",
    )
) | frozenset(
    # docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html
    ("602401143452",)
)
# fmt: on


def is_offered_layer(name: str, account: str) -> bool:
    """Whether this account of AWS's is known to offer a layer of this name."""
    return any(account in accounts and name.startswith(begins) for begins, accounts in LAYERS.items())
