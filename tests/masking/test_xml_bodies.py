"""XML bodies: text is replaced where a path or a name says so; declaration, namespaces and layout stay."""

from __future__ import annotations

import pytest

from gateway.masking.bodies import End, Reason, Withheld
from gateway.terms import Protocol
from tests.masking.conftest import Send, plan

ASSUMED = b"""<?xml version="1.0" encoding="UTF-8"?>
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult><Credentials>
    <AccessKeyId>ASIAQWERTYUIOPASDFGH</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>
    <Expiration>2026-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleResult>
  <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>
</AssumeRoleResponse>"""


def test_a_path_starts_below_the_result_wrapper_and_only_its_text_changes(send: Send) -> None:
    end = send(ASSUMED % b"a&amp;b/c+d", plan(Protocol.QUERY, "Credentials.SecretAccessKey"))
    assert isinstance(end, End)
    assert end.body == ASSUMED % b"[REDACTED:secret]"


def test_a_document_without_secrets_keeps_every_byte(send: Send) -> None:
    body = b"<?xml version='1.0'?>\n<R xmlns:x='u'><x:a  b = 'c&lt;' >t&#233;xt</x:a><e/><![CDATA[<raw>]]></R>\n"
    end = send(body, plan(Protocol.REST_XML, "Nothing"))
    assert isinstance(end, End)
    assert end.body == body


def test_lists_are_matched_wrapped_and_flattened(send: Send) -> None:
    wrapped = b"<R><RResult><Keys><member><v>one</v></member><member><v>two</v></member></Keys></RResult></R>"
    flat = b"<R><Keys><v>one</v></Keys><Keys><v>two</v></Keys></R>"
    for body in (wrapped, flat):
        end = send(body, plan(Protocol.QUERY, "Keys.*.v"))
        assert isinstance(end, End)
        assert end.body == body.replace(b"one", b"[REDACTED:secret]").replace(b"two", b"[REDACTED:secret]")


def test_a_masked_map_keeps_its_keys(send: Send) -> None:
    body = b"<R><Variables><entry><key>HOST</key><value>db-1.internal</value></entry></Variables></R>"
    end = send(body, plan(Protocol.QUERY, "Variables.*"))
    assert isinstance(end, End)
    assert end.body == body.replace(b"db-1.internal", b"[REDACTED:secret]")


def test_numbers_booleans_and_moments_stay_readable_as_such(send: Send) -> None:
    body = b"<R><S><n>42</n><f>-1.5</f><b>true</b><t>2026-01-02T03:04:05.000Z</t><s>text</s></S></R>"
    end = send(body, plan(Protocol.EC2, "S"))
    assert isinstance(end, End)
    assert end.body == b"<R><S><n>0</n><f>0</f><b>false</b><t>1970-01-01T00:00:00Z</t><s>[REDACTED:secret]</s></S></R>"


def test_text_split_by_cdata_references_and_comments_is_read_as_the_client_reads_it(send: Send) -> None:
    body = b"<R><log>password=<!-- x -->hun<![CDATA[ter]]>&#50;!</log></R>"
    end = send(body, plan(Protocol.REST_XML))
    assert isinstance(end, End)
    assert end.body == b"<R><log>password=[REDACTED:password]</log></R>"


def test_a_comment_inside_the_body_is_never_passed_on(send: Send) -> None:
    end = send(b"<R><a>1<!-- ghp_0123456789abcdefghijABCDEFGHIJ012345 --></a></R>", plan(Protocol.REST_XML))
    assert isinstance(end, End)
    assert end.body == b"<R><a>1</a></R>"


def test_attributes_are_scanned(send: Send) -> None:
    body = b'<R><Grantee xsi:type="x" xmlns:xsi="y" password="letmein42"><ID>a</ID></Grantee></R>'
    end = send(body, plan(Protocol.REST_XML))
    assert isinstance(end, End)
    assert end.body == body.replace(b"letmein42", b"[REDACTED:password]")


def test_the_name_in_a_pair_tells_what_the_value_is(send: Send) -> None:
    body = b"<R><p><member><ParameterKey>DbPassword</ParameterKey><ParameterValue>s3same!</ParameterValue></member></p></R>"
    end = send(body, plan(Protocol.QUERY))
    assert isinstance(end, End)
    assert end.body == body.replace(b"s3same!", b"[REDACTED:password]")


def test_error_paths_apply_to_errors(send: Send) -> None:
    body = b"<ErrorResponse><Error><Code>X</Code><Token>t0ken</Token></Error></ErrorResponse>"
    mask = plan(Protocol.QUERY)
    mask = type(mask)(protocol=mask.protocol, body=mask.body, error_paths=plan(Protocol.QUERY, "Token").paths)
    end = send(body, mask, status=400)
    assert isinstance(end, End)
    assert end.body == body.replace(b"t0ken", b"[REDACTED:secret]")


@pytest.mark.parametrize(
    "body",
    [
        b"<R><a></R>",
        b'<!DOCTYPE R [<!ENTITY e "x">]><R>&e;</R>',
        b'<?xml version="1.0" encoding="UTF-16"?><R/>',
        b'<?xml version="1.0" encoding="latin1"?><R/>',
        b"<R/><!-- after -->",
        b"<!-- before --><R/>",
        b"<a>" * 500 + b"</a>" * 500,
        b"plain words",
    ],
)
def test_xml_that_cannot_be_read_safely_is_withheld(send: Send, body: bytes) -> None:
    answer = send(body, plan(Protocol.REST_XML))
    assert isinstance(answer, Withheld)
    assert answer.reason is Reason.MALFORMED
