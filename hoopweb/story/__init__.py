"""The demo's story: what an agent with ordinary AWS tools meets, told against the running product.

Everything here stands outside hoopweb, as a developer, an approver and an auditor would: boto3, the aws CLI, REST.
"""
