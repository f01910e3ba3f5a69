"""What counts as a secret in free text, and what only looks like one."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.masking.content import ContentScanner

FOUND = {
    "password = 'correct horse battery'": "correct horse battery",
    'PASSWORD="tr0ub4dor&3"': "tr0ub4dor&3",
    "DB_PASS=s3cr3t;pw": "s3cr3t;pw",
    "spring.datasource.password: hunter2x": "hunter2x",
    "password => 'letmein42'": "letmein42",
    r"{\"apiKey\": \"k3yk3yk3y\"}": "k3yk3yk3y",
    "<client-secret> 9fGk2mmQx1 </client-secret>": "9fGk2mmQx1",
    '<add key="DbPassword" value="S3cure!x"/>': "S3cure!x",
    '{"name": "API_TOKEN", "value": "0a1b2c3d4e5f6a7b8c9d"}': "0a1b2c3d4e5f6a7b8c9d",
    "Server=db;User Id=sa;Pwd=Sw0rdf1sh;Timeout=30": "Sw0rdf1sh",
    "jdbc:postgresql://h/db?user=a&password=Sw0rdf1sh&ssl=true": "Sw0rdf1sh",
    "AccountName=x;AccountKey=q7Lr+/8sKc0pWv3Z1nYx==;EndpointSuffix=core": "q7Lr+/8sKc0pWv3Z1nYx==",
    "postgres://app:Sw0rdf1sh@db:5432/app": "Sw0rdf1sh",
    "mongodb+srv://app:Sw0rd%40f1sh@cluster0.mongodb.net/?retryWrites=true": "Sw0rd%40f1sh",
    "redis://:Sw0rdf1sh@cache:6379/0": "Sw0rdf1sh",
    "https://bob:p4ss/w0rd@example.org/repo.git": "p4ss/w0rd",
    "git clone https://x0a1b2c3d4e5f6a7b8c9d@host.example/r.git": "x0a1b2c3d4e5f6a7b8c9d",
    "Authorization: Basic Ym9iOmh1bnRlcjI=": "Ym9iOmh1bnRlcjI=",
    "Authorization: Bearer 3f9aa81c77de42b19c": "3f9aa81c77de42b19c",
    "curl -u bob:Sw0rdf1sh https://api.example": "Sw0rdf1sh",
    "mysql -h db -u root -pSw0rdf1sh app": "Sw0rdf1sh",
    "sshpass -p Sw0rdf1sh ssh host": "Sw0rdf1sh",
    # It begins as people's placeholders do ("add a ...", "use in ...", "set my ..."), and is none.
    "mysql -u root -pAdda5a4d420e0201c": "Adda5a4d420e0201c",
    "DB_PASSWORD=usein8Kq2xVw9": "usein8Kq2xVw9",
    'password: "myown7Gd0qRt"': "myown7Gd0qRt",
    "docker login -u bob -p Sw0rdf1sh registry": "Sw0rdf1sh",
    "redis-cli -h cache -a Sw0rdf1sh ping": "Sw0rdf1sh",
    "sqlcmd -S db -U sa -P Sw0rdf1sh": "Sw0rdf1sh",
    "deploy --db-password Sw0rdf1sh --verbose": "Sw0rdf1sh",
    "PGPASSWORD=Sw0rdf1sh psql -h db": "Sw0rdf1sh",
    "machine api.example login bob password Sw0rdf1sh": "Sw0rdf1sh",
    "db.internal:5432:app:bob:Sw0rdf1sh": "Sw0rdf1sh",
    "the password is Sw0rdf1sh! for now": "Sw0rdf1sh!",
    "root:$6$rounds=5000$saltsalt$Qv0eVbz3nUjzN1l0cWk1b2w3x4y5z6A7:19000:": "$6$rounds=5000$saltsalt$Qv0eVbz3nUjzN1l0cWk1b2w3x4y5z6A7",
    "hash $2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW": "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "AKIAQWERTYUIOPASDFGH wJalrXUtnFEMI/K7MDENGbPxRfiCYabcdXAMPLEK": "wJalrXUtnFEMI/K7MDENGbPxRfiCYabcdXAMPLEK",
    "see https://b.s3.amazonaws.com/k?X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7": (
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    ),
    "é password=hünter2!": "hünter2!",
    "data cGFzc3dvcmQ9U3cwcmRmMXNoIGFuZCBtb3Jl more": "cGFzc3dvcmQ9U3cwcmRmMXNoIGFuZCBtb3Jl",
}

LEFT_ALONE = """
password = os.environ["DB_PASSWORD"]
password: ${DB_PASSWORD}
password=$DB_PASSWORD
password = config.get('db', 'password')
password: {{ vault.db_password }}
"password": "********"
"password": "<your-password>"
password = getpass.getpass()
api_key = settings.API_KEY
secret_arn = arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf
"SecretName": "prod/db/main"
"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"
"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
"ClientRequestToken": "5f0c8a4e-6f0f-4c9e-8a55-0d2f4f1d3a10"
"PasswordLastUsed": "2026-01-02T03:04:05Z"
"PasswordPolicy": {"MinimumPasswordLength": 14}
GET /forgot-password?step=2 HTTP/1.1
def reset_password(user: User, token: str) -> None:
sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
commit 9fceb02d0ae598e95dc970b74767f19372d61af8
key = "user:profile:42"
"S3Key": "reports/2026/01/summary.csv"
primary key (id), foreign key (owner_id) references users
for token in tokens: count += 1
max_tokens: 4096
"UserId": "AIDAQWERTYUIOPASDFGHI"
i-0abcd1234efgh5678 vpc-0a1b2c3d sg-0123456789abcdef0
2026-01-02T03:04:05.678Z INFO auth ok for bob in 12ms
https://example.org:8443/a/b?c=d#e
mailto:bob@example.org
<password type="xs:string"/>
<PasswordResetRequired>false</PasswordResetRequired>
the password policy requires 14 characters
""".strip().splitlines()


@pytest.mark.parametrize(("text", "secret"), FOUND.items())
def test_a_secret_is_found_in_full(scanner: ContentScanner, text: str, secret: str) -> None:
    start = text.index(secret)
    spans = scanner.spans(text)
    assert any(span.start <= start and start + len(secret) <= span.end for span in spans), spans


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_a_look_alike_is_left_alone(scanner: ContentScanner, text: str) -> None:
    assert scanner.spans(text) == []


def test_look_alikes_together_are_left_alone_too(scanner: ContentScanner) -> None:
    assert scanner.spans("\n".join(LEFT_ALONE)) == []


def test_spans_are_disjoint_and_in_order(scanner: ContentScanner) -> None:
    spans = scanner.spans("\n".join(FOUND))
    assert len(spans) >= len(FOUND)
    assert all(before.end <= after.start for before, after in pairwise(spans))


def test_a_marker_that_asks_scanners_to_look_away_is_not_obeyed(scanner: ContentScanner) -> None:
    text = "ghp_0123456789abcdefghijABCDEFGHIJ012345 # gitleaks:allow kingfisher:ignore nosec"
    assert scanner.spans(text)[0][:2] == (0, 40)


@pytest.mark.parametrize("prefix", ["\ufeff", "\0\0\0", "PK\x03\x04", "\x1f\x8b\x08", "\U0001f511 "])
def test_odd_beginnings_do_not_shift_or_hide_a_secret(scanner: ContentScanner, prefix: str) -> None:
    token = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    assert [span[:2] for span in scanner.spans(f"{prefix} {token} end")] == [(len(prefix) + 1, len(prefix) + 41)]
